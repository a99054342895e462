"""The file of a seed store: what is read is what was written, and what is damaged is refused."""

from __future__ import annotations

import lzma
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from specchat.engine.errors import ModelLoadError
from specchat.speculators.suffix import store_file
from specchat.speculators.suffix.store_file import FORMAT, load_store, save_store

VOCABULARY = "abc"
SHORT = st.lists(st.integers(0, 79), max_size=9)


@given(st.lists(st.tuples(SHORT, SHORT), max_size=9))
def test_a_store_is_the_same_after_saving(answers: list[tuple[list[int], list[int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setitem(store_file._FILTERS[0], "preset", 0)  # to pack harder takes 50 ms an example
        path = Path(folder) / "store.safetensors"
        save_store(path, answers, VOCABULARY)
        found = [sequence.tolist() for sequence in load_store(path, VOCABULARY, 80)]
    different = {(tuple(opening), tuple(answer)) for opening, answer in answers}
    assert sorted(found) == sorted([*opening, *answer] for opening, answer in different)


def test_repeated_answers_shrink(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    save_store(path, [([n % 50], list(range(n // 50, 100))) for n in range(200)], VOCABULARY)
    assert path.stat().st_size < 4000


def test_large_token_ids_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    save_store(path, [([], [5, 150_000])], VOCABULARY)
    (found,) = load_store(path, VOCABULARY, 151_000)
    assert found.tolist() == [5, 150_000]


def test_a_store_for_another_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    save_store(path, [([1], [2])], VOCABULARY)
    with pytest.raises(ModelLoadError, match="made for the vocabulary abc, but the target's is xy"):
        load_store(path, "xy", 80)


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    arrays = {"tokens": np.asarray([1]), "lengths": np.asarray([1])}
    save_file(arrays, path, {"format": "specchat suffix store 9"})
    with pytest.raises(ModelLoadError, match=r"store 9.*store 3.*specchat train store"):
        load_store(path, VOCABULARY, 80)


def test_a_damaged_or_missing_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"absent\.safetensors"):
        load_store(tmp_path / "absent.safetensors", VOCABULARY, 80)
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"not a store")
    with pytest.raises(ModelLoadError, match="no suffix store"):
        load_store(garbage, VOCABULARY, 80)
    torn = tmp_path / "torn.safetensors"
    metadata = {"format": FORMAT, "vocabulary": VOCABULARY, "answers": "<u2"}
    save_file({"answers": np.frombuffer(b"no xz", np.uint8)}, torn, metadata)
    with pytest.raises(ModelLoadError, match="no suffix store"):
        load_store(torn, VOCABULARY, 80)
    wide = tmp_path / "wide.safetensors"
    save_store(wide, [([1], [2])], VOCABULARY)
    with safe_open(wide, framework="numpy") as file:
        columns = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = {**file.metadata(), "answers": "<i8"}
    save_file(columns, wide, metadata)
    with pytest.raises(ModelLoadError, match="got '<i8'"):
        load_store(wide, VOCABULARY, 80)
    endless = tmp_path / "endless.safetensors"
    columns["answers"] = np.frombuffer(lzma.compress(bytes([3, 0, 4])), np.uint8)
    save_file(columns, endless, {**metadata, "answers": "<u1", "prompts": "<u1"})
    with pytest.raises(ModelLoadError, match="damaged"):
        load_store(endless, VOCABULARY, 80)
    foreign = tmp_path / "foreign.safetensors"
    save_store(foreign, [([1], [99])], VOCABULARY)
    with pytest.raises(ModelLoadError, match="damaged"):
        load_store(foreign, VOCABULARY, 80)
