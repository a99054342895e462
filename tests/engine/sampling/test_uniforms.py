"""Seeded uniform numbers: every use has its own."""

from __future__ import annotations

from itertools import pairwise

import torch

from specchat.engine.sampling.uniforms import Stream, Uniforms


def test_one_number_and_many_are_the_same() -> None:
    uniforms = Uniforms(2**63 - 1)
    positions = torch.tensor([0, 1, 17, 2**20])
    for stream in Stream:
        for trial in (0, 1, 62):
            one = [uniforms.uniform(stream, int(at), trial) for at in positions]
            assert uniforms.uniform_tensor(stream, positions, trial).tolist() == one
            assert all(0 < number < 1 for number in one)


def test_streams_positions_trials_and_seeds_have_numbers_of_their_own() -> None:
    positions = torch.arange(2000)
    columns = [
        Uniforms(seed).uniform_tensor(stream, positions, trial)
        for seed in (0, 1)
        for stream in Stream
        for trial in (0, 1)
    ]
    table = torch.stack(columns)
    assert len(table.unique()) == table.numel()
    correlation = torch.corrcoef(table) - torch.eye(len(table), dtype=torch.float64)
    assert correlation.abs().max() < 0.12  # five standard errors
    for left, right in pairwise(columns):
        shifted = torch.corrcoef(torch.stack([left[1:], right[:-1]]))[0, 1]
        assert abs(shifted) < 0.12
    assert abs(table.mean() - 0.5) < 0.01
