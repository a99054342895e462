"""How a page is written: a paragraph, lines, bullets, steps, with headings, as questions and
answers. Whatever the style, a sentence stands in the page as it can be quoted, but for line
breaks."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from specchat.training.assistant.examples.business import Business
from specchat.training.assistant.examples.companies import Ask, Page

MIXED_SHARE = 0.4  # of pages whose sentences are not all in one register
SHUFFLED_SHARE = 0.3  # of pages whose sentences do not stand in the file's order
WHOLE_SHARE = 0.45  # of pages that hold all sentences of theirs
MOST_WORDS = 45  # of a page that an answer quotes, unless what was asked for is longer

HEADINGS = ("Good to know", "Details", "Please note", "In short", "More about this", "How it works")


@dataclass(frozen=True)
class WrittenPage:
    """A page as the assistant reads it."""

    page: Page
    title: str
    text: str
    sentences: Mapping[str, str]  # those that stand in it, by key, in the order of the text

    def holds(self, ask: Ask) -> bool:
        """Whether the page answers this."""
        return all(key in self.sentences for key in ask.needs)

    def needed(self, ask: Ask) -> tuple[str, ...]:
        """The sentences that answer, in the order in which they stand."""
        return tuple(said for key, said in self.sentences.items() if key in ask.needs)

    def quote(self, ask: Ask, most: int = MOST_WORDS) -> tuple[str, ...]:
        """The sentences that answer with those around them, up to `most` words: a short page is
        quoted whole. A small model finds the place better than the sentence, and what is said
        around an answer is mostly asked next."""
        keys = list(self.sentences)
        lengths = {key: len(said.split()) for key, said in self.sentences.items()}
        chosen = {key for key in keys if key in ask.needs}
        last = max(map(keys.index, chosen))
        left = most - sum(lengths[key] for key in chosen)
        for key in (*keys[last + 1 :], *reversed(keys[: last + 1])):
            if key not in chosen:
                if lengths[key] > left:
                    break
                chosen.add(key)
                left -= lengths[key]
        return tuple(said for key, said in self.sentences.items() if key in chosen)


def write_page(
    business: Business, page: Page, rng: random.Random, wanted: Sequence[str] = ()
) -> WrittenPage:
    """The page in some style and length; the sentences `wanted` are in it."""
    style = rng.randrange(12)
    mixed = rng.random() < MIXED_SHARE
    sentences = {
        key: business.sentence(page, key, rng.randrange(12) if mixed else style)
        for key in _keys(page, rng, wanted)
    }
    write = rng.choice(_STYLES)
    title = business.filled(rng.choice(page.titles))
    return WrittenPage(page, title, write(business, page, sentences, rng), sentences)


def write_entry(business: Business, page: Page, ask: Ask, rng: random.Random) -> WrittenPage:
    """One question of the page as an entry of its own: the question as title, what answers it as
    text, sometimes with the page's next sentence."""
    keys = list(page.say)
    last = keys.index(ask.needs[-1])
    more = keys[last + 1 : last + 2] if rng.random() < 0.4 else []
    style = rng.randrange(12)
    sentences = {key: business.sentence(page, key, style) for key in (*ask.needs, *more)}
    title = business.question(page, ask, rng)
    return WrittenPage(page, title, " ".join(sentences.values()), sentences)


def joined_pages(first: WrittenPage, second: WrittenPage) -> WrittenPage:
    """Two pages as one long one. What is asked of it are the first page's questions."""
    text = f"{first.text}\n\n### {second.title}\n{second.text}"
    return WrittenPage(first.page, first.title, text, first.sentences)


def with_line(written: WrittenPage, line: str, rng: random.Random) -> WrittenPage:
    """The page with a foreign line in it, before or after its text."""
    pieces = [written.text, line]
    rng.shuffle(pieces)
    return WrittenPage(written.page, written.title, "\n".join(pieces), written.sentences)


def _keys(page: Page, rng: random.Random, wanted: Sequence[str]) -> list[str]:
    keys = list(page.say)
    if rng.random() > WHOLE_SHARE:
        least = min(len(keys), max(2, len(set(wanted))))
        extra = [key for key in keys if key not in wanted]
        count = rng.randint(least, len(keys)) - len(set(wanted))
        chosen = {*wanted, *rng.sample(extra, max(0, min(count, len(extra))))}
        keys = [key for key in keys if key in chosen]
    if rng.random() < SHUFFLED_SHARE:
        rng.shuffle(keys)
    return keys


def _paragraph(
    business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random
) -> str:
    said = list(sentences.values())
    if len(said) < 4 or rng.random() < 0.6:
        return " ".join(said)
    cut = rng.randint(2, len(said) - 2)
    return " ".join(said[:cut]) + "\n\n" + " ".join(said[cut:])


def _wrapped(
    business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random
) -> str:
    """Lines of the same length, as in text files: a sentence may be broken."""
    return textwrap.fill(" ".join(sentences.values()), rng.randint(60, 100))


def _lines(business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random) -> str:
    return "\n".join(sentences.values())


def _bullets(
    business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random
) -> str:
    mark = rng.choice("-*-•")
    said = list(sentences.values())
    opening = f"{said.pop(0)}\n" if rng.random() < 0.3 else ""
    return opening + "\n".join(f"{mark} {sentence}" for sentence in said)


def _steps(business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random) -> str:
    return "\n".join(f"{number}. {said}" for number, said in enumerate(sentences.values(), 1))


def _with_headings(
    business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random
) -> str:
    said = list(sentences.values())
    cut = rng.randint(1, max(1, len(said) - 1))
    first, second = rng.sample(HEADINGS, 2)
    blocks = [f"### {first}\n" + " ".join(said[:cut]), f"### {second}\n" + " ".join(said[cut:])]
    return "\n\n".join(blocks[: 2 if said[cut:] else 1])


def _questions(
    business: Business, page: Page, sentences: Mapping[str, str], rng: random.Random
) -> str:
    """Questions and answers; sentences that nothing asks for stand at the end."""
    blocks: list[str] = []
    left = dict(sentences)
    for ask in page.asks:
        said = [left.pop(key) for key in ask.needs if key in left]
        if said:
            blocks.append(f"{business.question(page, ask, rng)}\n{' '.join(said)}")
    return "\n\n".join([*blocks, *left.values()])


_STYLES: tuple[Callable[[Business, Page, Mapping[str, str], random.Random], str], ...] = (
    _paragraph, _paragraph, _paragraph, _lines, _bullets, _bullets, _steps, _with_headings,
    _questions, _wrapped,
)  # fmt: skip
