"""The assistant's own answers as the store that suffix drafting starts from."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from specchat.engine.model.pretrained import load_tokenizer
from specchat.pretrained.base import base_directory
from specchat.speculators.suffix.store_file import load_store, vocabulary_of
from specchat.training.suffix_store import OPENING_TOKENS, write_assistant_store

STORE = Path(__file__).resolve().parents[3] / "assets/models/care/suffix_store.safetensors"


def test_each_answer_stands_behind_the_end_of_its_prompt(
    tiny_model_dir: Path, texts: Path, tmp_path: Path
) -> None:
    path, said = tmp_path / "store.safetensors", list[str]()
    write_assistant_store(str(tiny_model_dir), texts, 6, path, say=said.append)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    answers = load_store(path, vocabulary_of(tokenizer), len(tokenizer))
    assert said[-1] == f"6 of 6 answers, {len(answers)} different"
    assert 0 < len(answers) <= 6
    ends = {tuple(each[OPENING_TOKENS - 2 : OPENING_TOKENS].tolist()) for each in answers}
    assert len(ends) == 1  # of the template, before an answer


def test_the_bundled_store_is_of_the_assistants_vocabulary() -> None:
    tokenizer = load_tokenizer(base_directory())
    answers = load_store(STORE, vocabulary_of(tokenizer), len(tokenizer))
    said = [tokenizer.decode(each, skip_special_tokens=True) for each in answers]
    assert any("I don't know" in text for text in said)
    assert any("Your order" in text for text in said)
