"""What one forward pass gives."""

from __future__ import annotations

from typing import NamedTuple

import torch


class StepOutput(NamedTuple):
    """Logits and post-final-norm hidden states of the wanted rows, in order."""

    logits: torch.Tensor  # [wanted, vocab]; a later step may overwrite it
    hidden: torch.Tensor  # [wanted, hidden_size]
    aux: torch.Tensor | None = None  # [rows, layers x hidden_size] of all rows, where collected
    best: list[int] | None = None  # of each row, where the step found it (`largest`)
