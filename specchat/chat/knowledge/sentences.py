"""Where one sentence ends and the next begins."""

from __future__ import annotations

import re

_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[\"'“„«(\[]*[A-ZÄÖÜÀ-Þ0-9$€£+])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|e\.g|i\.e|etc|approx|incl|excl|max|min|no|nos|mr|mrs|ms|dr|st|vs|"
    r"z\.\s?B|d\.\s?h|u\.\s?a|bzw|ca|evtl|ggf|inkl|exkl|Nr|Str|Tel|vgl|zzgl|\d{1,2})\.$",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b[ap]\.m\.$", re.IGNORECASE)
_AFTER_CLOCK = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|[A-Z]{2,4}\b|\d)")


def sentences(text: str) -> list[str]:
    """The sentences of a text, line by line; a line without an end is one."""
    return [sentence for line in text.splitlines() for sentence in _of_line(line.strip())]


def _of_line(line: str) -> list[str]:
    found: list[str] = []
    start = 0
    for gap in _END.finditer(line):
        before = line[start : gap.start()]
        if not _goes_on(before, line[gap.end() :]):
            found.append(line[start : gap.end()].rstrip())
            start = gap.end()
    return [*found, line[start:]] if line[start:] else found


def _goes_on(before: str, after: str) -> bool:
    """True where a full stop ends no sentence: after "e.g.", and in "8 p.m. Monday"."""
    if _CLOCK.search(before):
        return _AFTER_CLOCK.match(after) is not None
    return _ABBREVIATION.search(before) is not None
