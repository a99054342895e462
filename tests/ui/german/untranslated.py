"""Sentences of the page that have no German, and German that nothing says any more.

    python -m tests.ui.german.untranslated

Reads the source and assets/language/de.json, imports nothing of the page, and ends with 1 where
something is missing or left over.
"""

from __future__ import annotations

import ast
import calendar
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from specchat.chat import wording as say
from tests.ui.german.source_texts import HOLE, pieces, python_texts, script_texts

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = ROOT / "assets" / "language" / "de.json"
FOREIGN = "Gradio's own"
"""The group of sentences that are not in our source."""

SHOWN = (
    "specchat/ui/**/*.py",
    "specchat/chat/wording.py",
    "specchat/evidence/alarms.py",
    "assets/style/*.html",
    "assets/style/race*.js",
    "assets/style/connection.js",
)
"""Where all that reads as a sentence is shown."""
NOT_SHOWN = (
    "__init__.py",
    "api.py",
    "compressed_files.py",
    "delivery.py",
    "german.py",
    "identity.py",
    "serve.py",
    "theme.py",
)
"""The API's documentation is English; the others say nothing, or say it to the log."""
RAISED = ("specchat/chat/question.py", "specchat/chat/answer/prompt.py")
"""Where sentences are only raised, and all else is for the model."""
SAID = (
    "specchat/bench/load/*.py", "specchat/bench/speculator_comparison.py",
    "specchat/chat/company/orders.py", "specchat/chat/redaction/redact.py",
    "specchat/chat/types.py", "specchat/engine/**/*.py", "specchat/evidence/scenario.py",
    "specchat/commands/bench/group.py", "specchat/loader.py", "specchat/remote/engine.py",
    "specchat/remote/loading.py", "storage/store.py", "storage/writer.py",
)  # fmt: skip
"""Where words come from that sentences are made of."""
COMPOSED = {
    "at most {n:number} and {more:number} more tokens",
    "{asked:quote}\n{state:text} · {reason:text} · {ticket:word}",
}
"""What no single place of the source says."""
ELSEWHERE = {
    *calendar.day_name, *calendar.month_name,  # written by Intl
    "at most", "Order",  # beginnings
    "server was lost",  # Gradio's, to be recognised
    "Cache-Control",
    *say.TALK_IN_GERMAN.values(),
    say.PERSON_IN_GERMAN,
    say.GERMAN_PAGE,
    "Nicht auf der Liste: \ufffc.",
    say.GERMAN_UNSURE,
    "Leider kann ich nur auf Englisch antworten.",
    "Leider kann ich nur auf Englisch antworten. Fragen Sie gern auf Englisch, oder möchten Sie "
    "mit einem Menschen sprechen?",
}  # fmt: skip
"""What the source says, and the page does not show as it is."""

SAME = {
    "specchat", "English", "Deutsch", "Inter", "TTFT", "TPOT", "E2E", "UTC", "KV", "MiB", "care",
    "torch", "triton", "transformers", "SPECCHAT_DESK_KEY", "bench", "load", "GPU", "Status",
    "Markdown",
    "p50", "p95",
}  # fmt: skip
"""Names and terms that are the same in German."""

PLACE = re.compile(r"(?<!%)\{(\w+)(?::(\w+))?\}")
_UNIT = r"(?: (?:ms|s|min|h|M|MiB)| ?%|x)?"
_AMOUNT = rf"(?:–|{HOLE}|-?[\d,]*\d(?:\.\d+)?){_UNIT}"
_NAMED = rf"(?:[^·;]*{HOLE}[^·;]*?|–)"
KINDS = {
    "number": rf"{_AMOUNT}(?:(?:, | → ){_AMOUNT})*",
    "day": HOLE,
    "word": f"(?:{HOLE}|–)",
    "sign": f"(?:{HOLE})?",
    "quote": _NAMED,
    "name": _NAMED,
    "text": r"(?:[^·.;]|[.;](?! ))+",
    "parts": r"(?:[^·.]|\.(?! ))+",
}
JOINTS = (" · ", "; ", ". ", ": ", ", and ", ", ")


@dataclass
class Catalogue:
    """The sentences of de.json, and which of them were met."""

    keys: set[str]
    met: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        placed = sorted((key for key in self.keys if PLACE.search(key)), key=_fixed, reverse=True)
        self._patterns = [(key, _pattern(key)) for key in placed]

    def knows_any(self, text: str) -> bool:
        """As `knows`; a hole before a singular is a 1."""
        plain = re.sub(f"{HOLE}+", HOLE, text)
        ones = [found.start() for found in re.finditer(HOLE, plain)]
        forms = [plain, *(f"{plain[:at]}1{plain[at + 1 :]}" for at in ones)]
        known = [self.knows(form) for form in forms]  # all of them: they are met
        return any(known)

    def knows(self, text: str) -> bool:
        """True for a text that the page's script would translate, as a whole or by its parts."""
        if text in self.keys:
            self.met.add(text)
            return True
        if not says_something(text):
            return True
        for key, pattern in self._patterns:
            found = pattern.fullmatch(text)
            if found and all(self.knows(part) for name, part in found.groupdict().items()):
                self.met.add(key)
                return True
        joint = next((mark for mark in JOINTS if mark in text), None)
        if joint is None:
            return False
        first, _, rest = text.partition(joint)
        known = self.knows(first + "." if joint == ". " else first)
        return self.knows(rest) and known


def _fixed(key: str) -> int:
    return len(PLACE.sub("", key))


def _pattern(key: str) -> re.Pattern[str]:
    """Only places that are translated themselves become groups."""
    made, at = "", 0
    for place in PLACE.finditer(key):
        kind = place[2] or "name"
        name = f"?P<{place[1]}>" if kind in ("text", "parts") else "?:"
        made += re.escape(key[at : place.start()]) + f"({name}{KINDS[kind]})"
        at = place.end()
    return re.compile(made + re.escape(key[at:]))


def says_something(text: str) -> bool:
    """True where a word is left that German would have another one for."""
    return any(word not in SAME for word in re.findall(r"[A-Za-z][A-Za-z0-9_-]{2,}", text))


_CODE = re.compile(
    r"[{}\\]|\S=|=\S|--|\(\)|^[/#\[]|://|\bsc-|sans-serif|\(prefers-|translate\(|^\.\w|;$"
)


def is_language(text: str) -> bool:
    """True for what reads as a sentence or a label, and is no key, class, path or code."""
    if _CODE.search(re.sub(r"%\{[^}]*\}", "", text)):
        return False
    return " " in text.strip(HOLE + " ") or bool(re.match(r"[A-Z][a-z]{2,}", text))


def sentences(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every text of the files that reads as language."""
    for file in files:
        source = file.read_text(encoding="utf-8")
        if file.suffix == ".html":
            texts: Iterable[str] = [source]
        else:
            texts = python_texts(source) if file.suffix == ".py" else script_texts(source)
        for text in texts:
            if "=>" not in text:
                yield from ((file, piece) for piece in pieces(text))


def constants(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every literal of the modules among the files."""
    for file in files:
        if file.suffix == ".py":
            nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
            documents = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
            for node in nodes:
                if isinstance(node, ast.Constant) and id(node) not in documents:
                    yield from ((file, piece) for piece in pieces(str(node.value)))


def shown_files() -> list[Path]:
    """The files that speak to people."""
    return [file for file in matching(SHOWN) if file.name not in NOT_SHOWN]


def matching(patterns: Iterable[str]) -> list[Path]:
    """The files of the repository that fit a pattern."""
    return [file for pattern in patterns for file in sorted(ROOT.glob(pattern))]


def missing(catalogue: Catalogue) -> dict[str, Path]:
    """Sentences without German, and where they are said."""
    raised = (pair for pair in sentences(matching(RAISED)) if pair[1].endswith("."))
    return {
        text: file.relative_to(ROOT)
        for file, text in (*sentences(shown_files()), *raised)
        if text not in ELSEWHERE and is_language(text) and not catalogue.knows_any(text)
    }


def left_over(catalogue: Catalogue, foreign: Iterable[str]) -> list[str]:
    """Keys that were not met, whose words nothing says in a row."""
    files = [*shown_files(), *matching((*RAISED, *SAID))]
    said = {text for _, text in sentences(files)} | {text for _, text in constants(files)}
    parts = {part for text in said for part in re.split(r" · |; |, |: ", text)}
    spoken = "\n".join(said)
    return [
        key
        for key in sorted(catalogue.keys - catalogue.met - set(foreign) - COMPOSED)
        if key not in said | parts and not (_is_made(key) and _runs_occur(key, spoken))
    ]


def _is_made(key: str) -> bool:
    """True for a sentence that is put together with a value."""
    return bool(PLACE.search(key)) or key.startswith("1 ")


def _runs_occur(key: str, spoken: str) -> bool:
    """True where every run of words between places and marks is said somewhere."""
    runs = (run.strip() for run in re.split(r"[.,:;()@%]|^1 ", PLACE.sub(".", key)))
    return all(run.removesuffix("s") in spoken for run in runs if run)


def read() -> dict[str, dict[str, str]]:
    """The groups of de.json."""
    groups: dict[str, dict[str, str]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return groups


def main() -> int:
    """Print what is wrong; 1 where anything is."""
    groups = read()
    catalogue = Catalogue({key for group in groups.values() for key in group})
    lacking = missing(catalogue)
    unused = left_over(catalogue, groups[FOREIGN])
    for text, file in lacking.items():
        print(f"{file}: no German in assets/language/de.json for {text!r}")
    for key in unused:
        print(f"assets/language/de.json: nothing says {key!r}")
    return 1 if lacking or unused else 0


if __name__ == "__main__":
    sys.exit(main())
