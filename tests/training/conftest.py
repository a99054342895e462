"""A small corpus in the data sets' own format, and a tokenizer trained on it."""

import gzip
import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from specchat.training.corpus.care_corpus import Conversation, load_corpus
from specchat.training.tokenizer import corpus_texts, train_tokenizer

THINGS = ["phone", "kettle", "lamp", "chair", "book", "shirt", "camera", "speaker", "watch", "bag"]


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both data files, 120 questions and 20 dialogues."""
    folder = tmp_path_factory.mktemp("data")
    bitext = [
        {
            "id": f"bitext-{i:05d}",
            "messages": [
                {
                    "role": "user",
                    "content": f"cancel my {thing} order {{{{Order Number}}}} reason {word}",
                },
                {
                    "role": "assistant",
                    "content": f"To cancel order {{{{Order Number}}}} for the {thing}, please call "
                    "{{Customer Support Phone Number}} during {{Customer Support Hours}}.",
                },
            ],
        }
        for i, (thing, word) in enumerate(
            (thing, chr(97 + n) * 3) for thing in THINGS for n in range(12)
        )
    ]
    cucom = [
        {
            "id": f"cucom-conv_{i:04d}",
            "messages": [
                {"role": "user", "content": f"Order 502-2345678-90123{i:02d}: my {thing} is late!"},
                {"role": "assistant", "content": "Thank you for contacting Amazon India."},
                {"role": "user", "content": f"i am a prime member, where is the {thing}"},
                {"role": "assistant", "content": f"I understand, sir/madam. The {thing} is late."},
            ],
        }
        for i, thing in enumerate(THINGS * 2)
    ]
    for name, rows in (("bitext_support", bitext), ("cucom_ecommerce", cucom)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


@pytest.fixture(scope="session")
def corpus(data_folder: Path) -> list[Conversation]:
    """The small corpus, cleaned."""
    return load_corpus(data_folder)


@pytest.fixture(scope="session")
def tokenizer(corpus: list[Conversation]) -> PreTrainedTokenizerFast:
    """A tokenizer of 400 tokens."""
    return train_tokenizer(corpus_texts(corpus), vocab_size=400)
