"""What the parts of redaction share: pieces of patterns, and a search with several of them.

All of them read text that `normal` has normalised: spaces are " ", dashes "-", digits ASCII and
apostrophes "'". Patterns have no unbounded repetition inside another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Place = tuple[int, int]
"""Start and end in the text."""

LONGEST_WORD = 80  # characters; without an end every place of a long run is a start to its end
_LATIN = "".join(map(chr, (*range(0x41, 0x250), *range(0x1E00, 0x1F00))))
UPPER = f"[{''.join(filter(str.isupper, _LATIN))}]"
LOWER = f"[{''.join(filter(str.islower, _LATIN))}]"
CAPITAL = rf"(?:{UPPER}\.|{UPPER}[\w'-]{{0,{LONGEST_WORD}}})"
SMALL = (
    r"(?:vande[rn]?|van|von|vom|de|der|den|des|di|da|das|do|du|del|della|dos|la|las|los|le|les"
    r"|bin|al|el|ten|ter|te|op|zu|zur|zum|y|'t|'s)"
)
GAP = r"[ \t.\-/]{0,2}(?:\n[ \t]?)?"
"""Between groups of a number: a line may end there."""


def matches(text: str, *patterns: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """The matches of the first pattern, then those of the next."""
    return (match for pattern in patterns for match in pattern.finditer(text))
