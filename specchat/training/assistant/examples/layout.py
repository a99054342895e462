"""How a piece of a page is written, as the chat's excerpts are: a paragraph, lines, bullets, steps.
Whatever the style, a sentence stands in it as it can be quoted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from specchat.training.assistant.examples.business import Business
from specchat.training.assistant.examples.companies import Ask, Page

MIXED_SHARE = 0.4  # of pages whose sentences are not all in one register
SHUFFLED_SHARE = 0.3  # of pages whose sentences do not stand in the file's order
FEW_WORDS, MOST_WORDS = 20, 60  # of a piece, unless what was asked for is longer


@dataclass(frozen=True)
class WrittenPage:
    """A piece of a page as the assistant reads it."""

    page: Page
    title: str
    text: str
    sentences: Mapping[str, str]  # those that stand in it, by key, in the order of the text
    said: str  # the text, without what somebody else put in

    def holds(self, ask: Ask) -> bool:
        """Whether the piece answers this."""
        return all(key in self.sentences for key in ask.needs)

    def needed(self, ask: Ask) -> tuple[str, ...]:
        """The sentences that answer, in the order in which they stand."""
        return tuple(said for key, said in self.sentences.items() if key in ask.needs)


def write_page(
    business: Business, page: Page, rng: random.Random, wanted: Sequence[str] = ()
) -> WrittenPage:
    """A piece of the page in some style and length; the sentences `wanted` are in it."""
    style = rng.randrange(12)
    mixed = rng.random() < MIXED_SHARE
    sentences = {
        key: business.sentence(page, key, rng.randrange(12) if mixed else style) for key in page.say
    }
    kept = _kept(sentences, rng, wanted)
    text = rng.choice(_STYLES)(list(kept.values()), rng)
    return WrittenPage(page, business.filled(rng.choice(page.titles)), text, kept, text)


def write_entry(business: Business, page: Page, ask: Ask, rng: random.Random) -> WrittenPage:
    """One question of the page as an entry of its own: the question as title, what answers it as
    text, sometimes with the page's next sentence."""
    keys = list(page.say)
    last = keys.index(ask.needs[-1])
    more = keys[last + 1 : last + 2] if rng.random() < 0.4 else []
    style = rng.randrange(12)
    sentences = {key: business.sentence(page, key, style) for key in (*ask.needs, *more)}
    title = business.question(page, ask, rng)
    text = " ".join(sentences.values())
    return WrittenPage(page, title, text, sentences, text)


def with_line(written: WrittenPage, line: str, rng: random.Random) -> WrittenPage:
    """The page with a foreign line in it, before or after its text."""
    pieces = [written.text, line]
    rng.shuffle(pieces)
    return replace(written, text="\n".join(pieces))


def _kept(
    sentences: Mapping[str, str], rng: random.Random, wanted: Sequence[str]
) -> dict[str, str]:
    """The sentences `wanted` and others as far as there is room, as they stand in the page or in
    any order."""
    left = rng.randint(FEW_WORDS, MOST_WORDS)
    left -= sum(len(sentences[key].split()) for key in set(wanted))
    chosen = set(wanted)
    for key in rng.sample(list(sentences), len(sentences)):
        words = len(sentences[key].split())
        if key not in chosen and (words <= left or not chosen):
            chosen.add(key)
            left -= words
    keys = [key for key in sentences if key in chosen]
    if rng.random() < SHUFFLED_SHARE:
        rng.shuffle(keys)
    return {key: sentences[key] for key in keys}


def _paragraph(said: Sequence[str], rng: random.Random) -> str:
    return " ".join(said)


def _lines(said: Sequence[str], rng: random.Random) -> str:
    return "\n".join(said)


def _bullets(said: Sequence[str], rng: random.Random) -> str:
    mark = rng.choice("-*-•")
    opening = f"{said[0]}\n" if len(said) > 1 and rng.random() < 0.5 else ""
    return opening + "\n".join(f"{mark} {each}" for each in said[1 if opening else 0 :])


def _steps(said: Sequence[str], rng: random.Random) -> str:
    return "\n".join(f"{number}. {each}" for number, each in enumerate(said, 1))


_STYLES: tuple[Callable[[Sequence[str], random.Random], str], ...] = (
    _paragraph, _paragraph, _paragraph, _paragraph, _lines, _bullets, _bullets, _steps,
)  # fmt: skip
