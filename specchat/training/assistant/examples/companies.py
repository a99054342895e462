"""Companies to train on, as files: names, facts, pages in several wordings, customers' questions.

One TOML file is one kind of company:

```
kind = "fashion shop"
names = ["Hemline", ...]
descriptions = ["{name} sells clothes online.", ...]
[facts]
return_days = ["14 days", "28 days"]                    # variants of a fact
[[page]]
id = "returns"
titles = ["Returning an order", ...]
[page.say]
window = ["Send it back within {return_days}.", ...]    # wordings of one sentence
[[page.ask]]
needs = ["window"]                                      # the sentences that answer
q = ["how long have i got", ...]
lead = ["", "Happy to help."]                           # what may stand before them
[[page.follow]]
after = "window"                                        # asked on after an answer that said this
needs = ["fee"]
q = ["and what does it cost?"]
lead = [""]
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Ask:
    """One thing customers ask a page, in several people's words."""

    needs: tuple[str, ...]  # keys of the page's sentences, in the page's order
    questions: tuple[str, ...]
    leads: tuple[str, ...]  # may stand before the sentences; "" for none
    after: str = ""  # the sentence it follows up on; "" for a question of its own


@dataclass(frozen=True)
class Page:
    """One page: its sentences, each in several wordings, and what is asked about it."""

    id: str
    titles: tuple[str, ...]
    say: Mapping[str, tuple[str, ...]]
    asks: tuple[Ask, ...]
    follows: tuple[Ask, ...]


@dataclass(frozen=True)
class CompanyKind:
    """A kind of company: every example draws one company of it."""

    id: str  # the file's name without ending
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]]
    pages: tuple[Page, ...]


def read_companies(folder: Path) -> list[CompanyKind]:
    """Every company file of a folder, ordered by name.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a file is no company file; the message names file, place and mistake.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise FileNotFoundError(f"no company files (*.toml) in {folder}")
    return [read_company(file) for file in files]


def read_company(file: Path) -> CompanyKind:
    """One company file. Raises `ValueError` as `read_companies` does."""
    try:
        with file.open("rb") as source:
            table = tomllib.load(source)
        kind = CompanyKind(
            id=file.stem,
            names=_texts(table["names"]),
            descriptions=_texts(table["descriptions"]),
            facts={name: _texts(variants) for name, variants in table["facts"].items()},
            pages=tuple(_page(entry) for entry in table["page"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file.name} is no company file: {_said(error)}") from None
    problems = list(_problems(kind))
    if problems:
        raise ValueError(f"{file.name}: {problems[0]}")
    return kind


def _page(entry: Mapping[str, Any]) -> Page:
    say = {key: _texts(wordings) for key, wordings in entry["say"].items()}
    order = list(say)
    return Page(
        id=entry["id"],
        titles=_texts(entry["titles"]),
        say=say,
        asks=tuple(_ask(ask, order) for ask in entry["ask"]),
        follows=tuple(_ask(ask, order, ask["after"]) for ask in entry.get("follow", ())),
    )


def _ask(entry: Mapping[str, Any], order: Sequence[str], after: str = "") -> Ask:
    needs = _texts(entry["needs"])
    unknown = [key for key in (*needs, after) if key and key not in order]
    if unknown:
        raise ValueError(f"a question needs the sentence {unknown[0]!r}, which its page lacks")
    ordered = tuple(sorted(needs, key=order.index))
    return Ask(ordered, _texts(entry["q"]), _texts(entry.get("lead", [""])), after)


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise ValueError(f"expected a list of texts, got {values!r}")
    return tuple(value.strip() for value in values)


def _problems(kind: CompanyKind) -> Iterator[str]:
    known = {*kind.facts, "name"}
    for page in kind.pages:
        texts = (
            *page.titles,
            *(wording for wordings in page.say.values() for wording in wordings),
            *(text for ask in (*page.asks, *page.follows) for text in (*ask.questions, *ask.leads)),
        )
        for text in texts:
            yield from (
                f"page {page.id}: {text!r} names the fact {name!r}, which the file lacks"
                for name in _SLOT.findall(text)
                if name not in known
            )


def _said(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
