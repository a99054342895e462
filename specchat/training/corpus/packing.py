"""Conversations as rows of equal length for training, without attention across conversations."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from specchat.training.corpus.care_corpus import Message
from specchat.training.tokenizer import encode_turns

USER_WEIGHT = 0.2  # of a customer's token in the loss; an agent's token has 1


@dataclass(frozen=True)
class Sample:
    """One conversation as tokens."""

    ids: list[int]
    weights: list[float]  # of predicting the token at the same place; 0 for the first


@dataclass(frozen=True)
class Batch:
    """Rows of packed conversations; all tensors are [rows, length] but the mask."""

    ids: torch.Tensor  # int64
    targets: torch.Tensor  # int64, the next token of the same conversation
    weights: torch.Tensor  # float32, 0 where there is no next token
    positions: torch.Tensor  # int64, from 0 in every conversation
    mask: torch.Tensor  # bool [rows, 1, length, length], True where attention is allowed


def make_sample(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], max_tokens: int
) -> Sample | None:
    """The conversation's longest head of whole turns within `max_tokens`; None if no answer fits.

    The opening token of a turn has weight 0: it is never the model's to choose.
    """
    ids, weights = [tokenizer.bos_token_id], [0.0]
    answered = 0
    for role, turn in encode_turns(tokenizer, messages):
        if len(ids) + len(turn) > max_tokens:
            break
        weight = 1.0 if role == "assistant" else USER_WEIGHT
        ids += turn
        weights += [0.0] + [weight] * (len(turn) - 1)
        if role == "assistant":
            answered = len(ids)
    return Sample(ids[:answered], weights[:answered]) if answered else None


def make_samples(
    tokenizer: PreTrainedTokenizerFast, conversations: list[tuple[Message, ...]], max_tokens: int
) -> list[Sample]:
    """A sample of every conversation that fits."""
    samples = (make_sample(tokenizer, messages, max_tokens) for messages in conversations)
    return [sample for sample in samples if sample]


def pack(samples: Sequence[Sample], length: int, seed: int) -> list[list[Sample]]:
    """Rows of samples, each row at most `length` tokens long: first fit over shuffled samples."""
    order = [s for s in samples if len(s.ids) <= length]
    random.Random(seed).shuffle(order)
    rows: list[list[Sample]] = []
    open_rows: list[tuple[int, int]] = []  # free tokens, row
    for sample in order:
        fits = [entry for entry in open_rows if entry[0] >= len(sample.ids)]
        if fits:
            entry = min(fits)
            open_rows.remove(entry)
            free, row = entry
        else:
            free, row = length, len(rows)
            rows.append([])
        rows[row].append(sample)
        open_rows.append((free - len(sample.ids), row))
        if len(open_rows) > 64:
            open_rows.remove(min(open_rows))
    random.Random(seed + 1).shuffle(rows)
    return rows


def collate(rows: Sequence[Sequence[Sample]], length: int, pad: int) -> Batch:
    """One batch of packed rows."""
    size = (len(rows), length)
    ids = torch.full(size, pad, dtype=torch.int64)
    targets = torch.full(size, pad, dtype=torch.int64)
    weights = torch.zeros(size)
    positions = torch.zeros(size, dtype=torch.int64)
    segments = torch.zeros(size, dtype=torch.int64)
    for r, row in enumerate(rows):
        at = 0
        for number, sample in enumerate(row, start=1):
            n = len(sample.ids)
            tokens = torch.tensor(sample.ids)
            ids[r, at : at + n] = tokens
            targets[r, at : at + n - 1] = tokens[1:]
            weights[r, at : at + n - 1] = torch.tensor(sample.weights[1:])
            positions[r, at : at + n] = torch.arange(n)
            segments[r, at : at + n] = number
            at += n
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    mask = causal & (segments[:, :, None] == segments[:, None, :])
    return Batch(ids, targets, weights, positions, mask[:, None])


def batches(
    samples: Sequence[Sample], length: int, rows: int, pad: int, seed: int, skip: int = 0
) -> Iterator[Batch]:
    """Endless batches of `rows` rows, or of all where fewer are filled; every epoch packs anew.
    `skip` batches are passed over, to resume.

    Raises `ValueError` when no sample fits into `length` tokens.
    """
    if not any(len(sample.ids) <= length for sample in samples):
        raise ValueError(
            f"none of the {len(samples)} texts fits into {length} tokens; raise the length"
        )
    return _batches(samples, length, rows, pad, seed, skip)


def _batches(
    samples: Sequence[Sample], length: int, rows: int, pad: int, seed: int, skip: int
) -> Iterator[Batch]:
    for epoch in itertools.count():
        packed = pack(samples, length, seed + epoch)
        count = min(rows, len(packed))
        for start in range(0, len(packed) - count + 1, count):
            if skip > 0:
                skip -= 1
                continue
            yield collate(packed[start : start + count], length, pad)
