"""What a speculator learns from: the frozen target's hidden states and the tokens after them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM

from specchat.training.corpus.packing import Sample, collate, pack


@dataclass(frozen=True)
class Features:
    """Positions of many conversations in reading order, one conversation after the other."""

    hidden: torch.Tensor  # bfloat16 [positions, width], post-final-norm states
    tokens: torch.Tensor  # int16 [positions, 1 + depth]: the next token and those after it
    valid: torch.Tensor  # bool [positions, depth]: whether that later token is the answer's

    def __len__(self) -> int:
        return len(self.hidden)


def join_features(parts: Sequence[Features]) -> Features:
    """Several features as one."""
    return Features(
        torch.cat([part.hidden for part in parts]),
        torch.cat([part.tokens for part in parts]),
        torch.cat([part.valid for part in parts]),
    )


@torch.no_grad()
def extract_features(
    model: LlamaForCausalLM,
    samples: Sequence[Sample],
    depth: int,
    length: int = 512,
    rows: int = 8,
    say: Callable[[str], None] = print,
) -> Features:
    """Runs the target once over packed samples and keeps what the answers' positions gave.

    A sample longer than `length` tokens is left out. Weight 1 marks the tokens of answers.
    """
    model.eval()
    packed = pack(samples, length, seed=0)
    packed += [[] for _ in range(-len(packed) % rows)]
    parts: list[Features] = []
    for start in range(0, len(packed), rows):
        group = packed[start : start + rows]
        batch = collate(group, length, model.config.pad_token_id)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.model(
                input_ids=batch.ids,
                position_ids=batch.positions,
                attention_mask=batch.mask,
                use_cache=False,
            ).last_hidden_state.to(torch.bfloat16)
        for row, row_samples in enumerate(group):
            at = 0
            for sample in row_samples:
                n = len(sample.ids)
                parts.append(sample_features(sample, hidden[row, at : at + n], depth))
                at += n
        if (start // rows) % 25 == 24:
            say(f"hidden states of {start + rows} of {len(packed)} rows")
    return join_features(parts)


def sample_features(sample: Sample, hidden: torch.Tensor, depth: int) -> Features:
    """The features of one conversation from its hidden states [tokens, width]."""
    ids = torch.tensor(sample.ids)
    answer = torch.tensor(sample.weights) == 1
    n = len(ids)
    padded = torch.cat([ids, ids.new_zeros(depth + 1)])
    is_answer = torch.cat([answer, answer.new_zeros(depth + 1)])
    tokens = torch.stack([padded[1 + i : 1 + i + n] for i in range(depth + 1)], 1)
    told = torch.stack([is_answer[1 + i : 1 + i + n] for i in range(depth + 1)], 1)
    valid = told.cumprod(1).bool()[:, 1:]  # an answer's run, from the next token on
    kept = told[:, 0]
    return Features(hidden[kept], tokens[kept].to(torch.int16), valid[kept])
