"""Whether an answer says that it does not know."""

from __future__ import annotations

import re

_NOT = r"(?:do not|don['’]?t|does not|cannot|can ?not|can['’]?t|could not|couldn['’]?t)"
_DECLINES = re.compile(
    rf"\b{_NOT} (?:know|find|answer|have (?:\w+ ){{0,2}}(?:information|answers?|details?))"
    r"|\b(?:no|not have|without) (?:any )?(?:information|details) (?:about|on|regarding|for)"
    r"|\b(?:am|['’]m) not (?:sure|able to (?:answer|help with|find))"
    r"|\bunable to (?:answer|find|provide)"
    r"|\b(?:is|are) not (?:mentioned|provided|specified|stated|covered) (?:in|on|by)"
    r"|\bI have no (?:information|answer|idea)",
    re.IGNORECASE,
)


def declines(answer: str) -> bool:
    """Whether the answer says that the assistant does not know, in any of the usual ways."""
    return bool(_DECLINES.search(answer))
