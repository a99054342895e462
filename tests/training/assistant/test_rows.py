"""A row holds each conversation exactly as the chat would send it, and the trunk once."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from specchat.chat.answer.prompt import PromptBuilder
from specchat.engine.model.pretrained import load_tokenizer
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.example import Sheet
from specchat.training.assistant.examples.sheets import draw_sheets
from specchat.training.assistant.row_attention import RowLengths, row_attention
from specchat.training.assistant.rows import Branch, Row, RowEncoder, batches


@pytest.fixture(scope="module")
def encoder(tiny_model_dir: Path) -> RowEncoder:
    return RowEncoder(load_tokenizer(tiny_model_dir))


@pytest.fixture(scope="module")
def sheets(world: World) -> list[Sheet]:
    return list(itertools.islice(draw_sheets(world, "train", 5), 12))


def test_trunk_and_branch_are_the_chats_prompt(
    encoder: RowEncoder, sheets: list[Sheet], tiny_model_dir: Path
) -> None:
    builder = PromptBuilder(load_tokenizer(tiny_model_dir))
    for sheet in sheets:
        row = encoder.row(sheet)
        for example, branch in zip(sheet, row.branches, strict=True):
            prompt = builder.build(example.messages(), context_budget=10_000).ids
            assert row.trunk + branch.asked == prompt
            assert branch.asked


def test_the_trunk_is_as_long_as_it_can_be(encoder: RowEncoder, sheets: list[Sheet]) -> None:
    for sheet in sheets:
        if len({example.question for example in sheet}) > 1:
            assert len({branch.asked[0] for branch in encoder.row(sheet).branches}) > 1


ROW = Row((1, 2, 3), (Branch((4,), (5, 6), "a"), Branch((7, 8), (9,), "b")))


def test_positions_go_on_from_the_trunk_in_every_branch() -> None:
    assert ROW.ids() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert ROW.positions() == [0, 1, 2, 3, 4, 5, 3, 4, 5]


def test_answers_are_foreseen_from_the_token_before() -> None:
    ids = ROW.ids()
    assert ROW.answers() == [5, 6, 9]
    assert [ids[place] for place in ROW.before_answers()] == [4, 5, 8]
    assert ROW.answer_tokens == 3


def test_a_row_loses_branches_until_it_fits() -> None:
    assert ROW.shortened(9) == ROW
    assert ROW.shortened(8) == Row(ROW.trunk, ROW.branches[:1])
    assert ROW.shortened(5) is None


def test_batches_hold_enough_examples() -> None:
    assert [len(batch) for batch in batches(iter([ROW] * 5), 3)] == [2, 2]


def test_attention_is_that_of_each_conversation_alone() -> None:
    torch.manual_seed(0)
    lengths = RowLengths(5, (3, 4))
    query = torch.randn(1, 6, 12, 8)
    key, value = torch.randn(2, 1, 2, 12, 8)
    out = row_attention(query, key, value, lengths)
    for own in (range(5, 8), range(8, 12)):
        seen = [*range(5), *own]
        q, k, v = (part[:, :, seen] for part in (query, key, value))
        alone = torch.nn.functional.scaled_dot_product_attention(
            q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), is_causal=True
        )
        torch.testing.assert_close(out[:, :, seen], alone)
