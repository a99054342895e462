"""Files from anywhere are read or refused with a sentence, whatever is in them.

SPECCHAT_FUZZ_EXAMPLES sets how many each test tries (25 without it); for a long run: `make fuzz`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from specchat.chat.knowledge.documents.blocks import DocumentError
from specchat.chat.knowledge.documents.reading import SUFFIXES, read_document
from specchat.chat.redaction.redact import redact
from specchat.engine.errors import ModelLoadError
from specchat.pretrained.gguf_file import _check as check_gguf
from specchat.speculators.shared.checkpoint_files import read_config, read_tensors
from storage import open_store
from tests.pretrained.test_gguf_file import write as write_gguf

fuzzed = settings(
    max_examples=int(os.environ.get("SPECCHAT_FUZZ_EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
PAGES = (
    b"<html><body><h1>Refunds</h1><p>Take <b>5</b> days.</p><table><tr><td>1</td></tr></table>",
    b"# Refunds\n\nTake 5 days.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n  - two\n```\ncode\n",
    b'question,answer\nHow long?,"5 days, or 6"\n',
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
)
"""What an attacker would begin with."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content cut, with bytes changed, taken out and put in."""
    data = bytearray(content)
    for _ in range(draw(st.integers(0, 6))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        how = draw(st.sampled_from(["change", "change", "put", "take", "cut"]))
        if how == "change":
            data[at] = draw(st.integers(0, 255))
        elif how == "put":
            data[at:at] = draw(st.binary(max_size=16))
        elif how == "take":
            del data[at : at + draw(st.integers(1, 16))]
        else:
            del data[at:]
    return bytes(data)


@fuzzed
@given(data=st.data(), suffix=st.sampled_from(SUFFIXES))
def test_a_help_page_is_read_or_refused(folder: Path, data: st.DataObject, suffix: str) -> None:
    start = data.draw(st.sampled_from(PAGES) | st.binary(max_size=200))
    file = folder / f"page{suffix}"
    file.write_bytes(data.draw(damaged(start)))
    with suppress(DocumentError):
        passages = read_document(file)
        assert all(each.text.strip() and "\x00" not in each.text for each in passages)


@fuzzed
@given(data=st.data())
def test_a_gguf_file_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    file = folder / "model.gguf"
    whole = write_gguf(folder / "whole.gguf").read_bytes()
    head = data.draw(st.integers(0, 600))  # where names, sizes and counts are
    file.write_bytes(data.draw(damaged(whole[:head])) + whole[head:])
    with suppress(ModelLoadError):
        check_gguf(file)


@fuzzed
@given(data=st.data())
def test_a_checkpoint_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    place = folder / "checkpoint"
    place.mkdir(exist_ok=True)
    save_file({"a": torch.zeros(3, 2), "b": torch.ones(4)}, place / "whole")
    whole = (place / "whole").read_bytes()
    (place / "model.safetensors").write_bytes(data.draw(damaged(whole)))
    config = json.dumps({"hidden_size": 8, "names": ["a"]}).encode()
    (place / "config.json").write_bytes(data.draw(damaged(config)))
    with suppress(ModelLoadError):
        assert all(torch.is_tensor(each) for each in read_tensors(place).values())
    with suppress(ModelLoadError):
        assert isinstance(read_config(place), dict)


@fuzzed
@given(content=st.binary(max_size=300))
def test_a_journal_from_anywhere_keeps_no_store_from_opening(folder: Path, content: bytes) -> None:
    database = folder / "chat.db"
    database.with_name("chat.db.spill-0001").write_bytes(content)
    with open_store(f"sqlite:///{database}") as store:
        assert store.health().journaled == 0
    assert not list(folder.glob("chat.db.spill-*"))


@fuzzed
@given(text=st.text(max_size=400))
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = redact(text).text
    assert redact(once).text == once
