"""What customers say that no page answers, and what goes around questions: anger, injections."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specchat.training.assistant.examples.business import Split, allowed

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Topic:
    """Something that is said, and the answers to it; `{name}` in them is the company."""

    id: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]

    def question(self, split: Split, rng: random.Random) -> str:
        """What a customer says. Questions held out of training are the last in the file: every
        fourth."""
        if split == "train":
            return rng.choice([q for i, q in enumerate(self.questions) if i % 4 != 3])
        return rng.choice(self.questions[3::4] or self.questions)

    def answer(self, name: str, rng: random.Random) -> str:
        """What the assistant of the company `name` says to it."""
        return rng.choice(self.answers).replace("{name}", name)


@dataclass(frozen=True)
class Talk:
    """All that is said without a page."""

    topics: tuple[Topic, ...]
    complaints: tuple[str, ...]  # stand before a question
    sympathy: tuple[str, ...]  # lead-ins to what a complaint asks
    commands_before: tuple[str, ...]  # that a customer's message tries to give, before a question
    commands_after: tuple[str, ...]
    page_commands: tuple[str, ...]  # that a page tries to give

    def topic(self, name: str) -> Topic:
        """The topic of that name. Raises `KeyError` when there is none."""
        for topic in self.topics:
            if topic.id == name:
                return topic
        raise KeyError(f"no topic {name!r} among {', '.join(t.id for t in self.topics)}")

    def complaint(self, question: str, split: Split, rng: random.Random) -> str:
        """The question of somebody who is angry."""
        return f"{rng.choice(allowed(self.complaints, 'complaint', split))} {question}"

    def injected(self, question: str, split: Split, rng: random.Random) -> str:
        """The question with an attempt to give orders before or after it."""
        if rng.random() < 0.5:
            return f"{rng.choice(allowed(self.commands_before, 'before', split))} {question}"
        return f"{question} {rng.choice(allowed(self.commands_after, 'after', split))}"


def read_talk(file: Path) -> Talk:
    """The talk file (assets/training/talk.toml).

    Raises `ValueError` naming the file when it is not of that form.
    """
    try:
        with file.open("rb") as source:
            table = tomllib.load(source)
        topics = tuple(Topic(t["id"], tuple(t["q"]), tuple(t["a"])) for t in table["topic"])
        inject = table["inject"]
        return Talk(
            topics=topics,
            complaints=tuple(table["complaint"]["before"]),
            sympathy=tuple(table["complaint"]["lead"]),
            commands_before=tuple(inject["before"]),
            commands_after=tuple(inject["after"]),
            page_commands=tuple(inject["page"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no talk file: {error}") from None


def two_questions(first: str, second: str, rng: random.Random) -> str:
    """Two questions in one message."""
    ways: Sequence[str] = (
        "{a} {b}", "{a} also, {b}", "{a} and {b}", "Two things: {a} {b}", "1. {a} 2. {b}",
        "{a} And another question: {b}", "{a}\n{b}", "{a} oh and {b}", "{a} Besides, {b}",
    )  # fmt: skip
    a = first if first[-1:] in ".?!" else first + rng.choice("?.?,")
    return rng.choice(ways).format(a=a, b=second)
