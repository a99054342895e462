"""What the parts of redaction share: pieces of patterns, and a search with several of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

Place = tuple[int, int]
"""Start and end in the text."""

LONGEST_WORD = 80  # characters; without an end every place of a long run is a start to its end
UPPER = r"[^\W\d_a-zß-öø-ÿ]"
CAPITAL = rf"(?:{UPPER}\.|{UPPER}[\w'’-]{{0,{LONGEST_WORD}}})"
SMALL = r"(?:van|von|de|der|den|di|da|del|della|dos|la|le|bin|al|el|ten|zu|zur|y)"


def matches(text: str, *patterns: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """The matches of the first pattern, then those of the next."""
    return (match for pattern in patterns for match in pattern.finditer(text))
