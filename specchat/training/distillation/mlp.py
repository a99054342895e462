"""IBM's MLP speculator, trained like the other drafters on any target."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from specchat.training.care_mlp.module import MLPSpeculator, bundled_config, save_speculator
from specchat.training.distillation.drafter import FrozenTarget, Places, View, at

N_PREDICT = 5


class MlpDrafter:
    """See `drafters.Drafter`."""

    name = "mlp"
    aux_layers: tuple[int, ...] = ()
    token_ids: torch.Tensor | None = None

    def __init__(self, target: FrozenTarget, n_predict: int = N_PREDICT) -> None:
        vocab, hidden = target.head.shape
        model = MLPSpeculator(bundled_config(vocab, hidden, min(hidden, 4096), n_predict))
        model.start_from_target(target.embedding, target.head)
        self.network: nn.Module = model.to(target.device)
        self.depth = self.trained_depths = n_predict

    def logits(self, view: View, places: Places) -> Iterator[torch.Tensor]:
        """Each depth folds in the token in front of it."""
        assert isinstance(self.network, MLPSpeculator)
        state = self.network.input_state(at(view.hidden, places))
        for i in range(self.depth):
            state = self.network.step(state, places.given[:, i], i)
            yield self.network.logits(state, i)

    def export(self, folder: Path) -> None:
        """IBM's format, bf16."""
        assert isinstance(self.network, MLPSpeculator)
        save_speculator(self.network, folder)
