"""Customer-care conversations: reading, cleaning to slots, splitting, and held-out prompts.

Two data sets feed the `care` models: Bitext customer support (one question, one long answer)
and CuCom e-commerce (10-14 turns). Neither is part of this project; both are read from a
folder of `*.jsonl.gz` files, and Bitext also from the Hugging Face Hub by name.
"""

import csv
import gzip
import hashlib
import json
import os
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from specchat.chat.slots.vocabulary import canonical_text
from specchat.training.corpus.cleaning import clean_turns

BITEXT_FILE = "bitext_support.jsonl.gz"
CUCOM_FILE = "cucom_ecommerce.jsonl.gz"
BITEXT_HUB = "bitext/Bitext-customer-support-llm-chatbot-training-dataset"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str  # "user" or "assistant"
    content: str  # slots are written `{{name}}`


@dataclass(frozen=True)
class Conversation:
    """A cleaned conversation that starts with the customer and ends with the agent."""

    id: str
    group: str  # conversations of one group are always in the same split
    messages: tuple[Message, ...]

    @property
    def split(self) -> str:
        """train (94 %), validation (2 %) or test (4 %), by a hash of the group."""
        bucket = int.from_bytes(hashlib.sha256(self.group.encode()).digest()[:4], "big") % 100
        return "train" if bucket < 94 else "validation" if bucket < 96 else "test"


def data_directory(path: str | Path | None = None) -> Path:
    """The folder of the data files: the argument, `SPECCHAT_DATA`, or `../shared/data`.

    Raises `FileNotFoundError` when it is missing.
    """
    repository = Path(__file__).resolve().parents[3]
    chosen = Path(path or os.environ.get("SPECCHAT_DATA") or repository.parent / "shared/data")
    if not chosen.is_dir():
        raise FileNotFoundError(
            f"no data folder at {chosen}; pass --data or set SPECCHAT_DATA to a folder that "
            f"holds {BITEXT_FILE} and {CUCOM_FILE}, or use --from-hub"
        )
    return chosen


def load_corpus(path: str | Path | None = None, from_hub: bool = False) -> list[Conversation]:
    """Every cleaned conversation of both data sets, in a fixed order.

    With `from_hub` only Bitext is loaded: CuCom is not on the Hub.
    """
    if from_hub:
        return list(clean_bitext(read_bitext_csv(download_bitext())))
    folder = data_directory(path)
    conversations: list[Conversation] = []
    if (folder / BITEXT_FILE).exists():
        conversations += clean_bitext(read_jsonl(folder / BITEXT_FILE))
    if (folder / CUCOM_FILE).exists():
        conversations += clean_cucom(read_jsonl(folder / CUCOM_FILE))
    if not conversations:
        raise FileNotFoundError(f"{folder} holds neither {BITEXT_FILE} nor {CUCOM_FILE}")
    return conversations


def read_jsonl(path: Path) -> Iterator[dict]:
    """The objects of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def download_bitext() -> Path:
    """Bitext's CSV file from the Hugging Face Hub, from its local cache when there."""
    from huggingface_hub import HfApi, hf_hub_download

    names = HfApi().list_repo_files(BITEXT_HUB, repo_type="dataset")
    table = next((name for name in names if name.endswith(".csv")), None)
    if table is None:
        raise FileNotFoundError(f"the data set {BITEXT_HUB} holds no .csv file")
    return Path(hf_hub_download(BITEXT_HUB, table, repo_type="dataset"))


def read_bitext_csv(path: Path) -> Iterator[dict]:
    """Rows of Bitext's own CSV (columns instruction, response) as conversation objects."""
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            yield {
                "id": f"bitext-{number:05d}",
                "messages": [
                    {"role": "user", "content": row["instruction"]},
                    {"role": "assistant", "content": row["response"]},
                ],
            }


def clean_bitext(rows: Iterable[dict]) -> Iterator[Conversation]:
    """Bitext rows with canonical slots; rows with a slot that has no meaning here are dropped."""
    for row in rows:
        raw = [(m["role"], canonical_text(m["content"])) for m in row["messages"]]
        known = [(role, text) for role, text in raw if text is not None]
        if len(known) < len(raw):
            continue
        turns = clean_turns(known)
        if turns:
            yield Conversation(row["id"], "bitext:" + question_key(turns[0][1]), _messages(turns))


def clean_cucom(rows: Iterable[dict]) -> Iterator[Conversation]:
    """CuCom dialogues without the retailer's name, with numbers and names as slots."""
    for row in rows:
        turns = clean_turns([(m["role"], m["content"]) for m in row["messages"]], dialogue=True)
        if turns:
            group = "cucom:" + hashlib.sha256(turns[0][1].lower().encode()).hexdigest()
            yield Conversation(row["id"], group, _messages(turns))


def question_key(question: str) -> str:
    """What groups equal questions: lower case, letters and slots only."""
    return " ".join(re.findall(r"[a-z]+", question.lower()))


def in_split(conversations: Iterable[Conversation], split: str) -> list[Conversation]:
    """The conversations of one split. Raises `ValueError` for an unknown name."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    return [conversation for conversation in conversations if conversation.split == split]


def join_turns(
    conversations: list[Conversation], share: float, seed: int
) -> list[tuple[Message, ...]]:
    """Message lists for training: a `share` of single questions joined by twos and threes.

    Real customers ask a second question; Bitext's have only one. Dialogues stay as they are.
    """
    random_source = random.Random(seed)
    singles = [c.messages for c in conversations if len(c.messages) == 2]
    joined = [c.messages for c in conversations if len(c.messages) > 2]
    random_source.shuffle(singles)
    while singles:
        count = random_source.choice((2, 2, 3)) if random_source.random() < share else 1
        taken, singles = singles[:count], singles[count:]
        joined.append(tuple(message for messages in taken for message in messages))
    random_source.shuffle(joined)
    return joined


def heldout_prompts(conversations: list[Conversation], limit: int, seed: int = 0) -> list[dict]:
    """Prompts of the test split, as a prompts file holds them: the last message is the user's.

    Two thirds come from single questions, one third from dialogues cut at a customer's turn.
    """
    random_source = random.Random(seed)
    test = in_split(conversations, "test")
    singles = _distinct([c for c in test if len(c.messages) == 2])
    dialogues = [c for c in test if len(c.messages) > 2]
    random_source.shuffle(singles)
    random_source.shuffle(dialogues)
    from_dialogues = min(len(dialogues), max(limit // 3, limit - len(singles)))
    prompts = [_prompt(c.id, c.messages[:1]) for c in singles[: limit - from_dialogues]]
    for conversation in dialogues[:from_dialogues]:
        turns = random_source.choice(
            [i for i, m in enumerate(conversation.messages) if m.role == "user" and i > 0][:4]
        )
        prompts.append(_prompt(conversation.id, conversation.messages[: turns + 1]))
    random_source.shuffle(prompts)
    return prompts


def write_prompts(prompts: list[dict], path: Path) -> None:
    """Writes a prompts file: one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lines:
        for prompt in prompts:
            lines.write(json.dumps(prompt, ensure_ascii=False) + "\n")


def _distinct(conversations: list[Conversation]) -> list[Conversation]:
    return list({c.group: c for c in conversations}.values())


def _prompt(name: str, messages: tuple[Message, ...]) -> dict:
    return {"id": name, "messages": [{"role": m.role, "content": m.content} for m in messages]}


def _messages(turns: list[tuple[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(role, text) for role, text in turns)
