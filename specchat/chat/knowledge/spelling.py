"""Words as the pages write them: what a customer mistyped is searched for as it was meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA

from specchat.chat.knowledge.language import language_of

SHORTEST = 4  # letters of a word that is looked at, and of what it may become
TWO_FROM = 8  # letters from which two slips are allowed; one below
NAMES_BELOW = 6  # letters under which a word with another letter is taken for a name
MOST_WORDS = 24  # of a message

_WORD = re.compile(r"[^\W\d_]+")
_CONTRACTED = re.compile(
    r"(?:(?:ca|wo|ai|do|does|did|is|was|are|were|has|have|had|could|would|should)nt)"
)


class Spelling:
    """The words of a collection of pages. Never changed once built; safe to use from any thread.

    A word is changed only where neither the pages nor the vector model's vocabulary have it, into
    the word of the pages that is one slip away (two in long words): a letter too many, missing,
    wrong, or two that changed places (optimal string alignment, `rapidfuzz`). Of several the one
    with the same letters is taken, then that with the same first letter, then a longer one, then
    the most frequent. Where no word of the pages is near, an English message's word becomes a
    common one that is one slip away: "smok" is found by a page that says "smoking". A short word
    with another letter in it is no slip then but a name: "amex" is not "alex".
    """

    def __init__(
        self, texts: Iterable[str], knows: Callable[[str], bool], common: Sequence[str] = ()
    ) -> None:
        """`knows` says whether a word, in lower case, is a word without being in `texts`; `common`
        are English words, the most frequent first."""
        counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
        self._counts = counts
        self._long = [word for word in counts if len(word) >= SHORTEST]
        self._knows = knows
        ranked = [word for word in dict.fromkeys(common) if len(word) >= SHORTEST]
        self._common = ranked
        self._rank = {word: -place for place, word in enumerate(ranked)}

    def corrected(self, text: str) -> str:
        """The text with its mistyped words replaced; all else stays as it is."""
        left = MOST_WORDS
        english = language_of(text) != "de"

        def word(found: re.Match[str]) -> str:
            nonlocal left
            left -= 1
            return found[0] if left < 0 else self._meant(found[0], english)

        return _WORD.sub(word, text)

    def _is_word(self, word: str) -> bool:
        return word in self._counts or self._knows(word)

    def _meant(self, written: str, english: bool) -> str:
        word = written.lower()
        if (
            len(word) < SHORTEST
            or _CONTRACTED.fullmatch(word)
            or any(map(self._is_word, _forms(word)))
        ):
            return written
        slips = 2 if len(word) >= TWO_FROM else 1
        of_pages = _nearest(word, self._long, slips, self._counts)
        if of_pages is None and english:
            common = _nearest(word, self._common, 1, self._rank) or written
            return written if len(word) < NAMES_BELOW and _other_letter(word, common) else common
        return of_pages or written


def _nearest(word: str, words: Sequence[str], slips: int, weight: Mapping[str, int]) -> str | None:
    """The likeliest of what is at most so many slips away; None where nothing is."""
    near = process.extract(word, words, scorer=OSA.distance, score_cutoff=slips, limit=None)
    letters = sorted(word)

    def likelihood(one: tuple[str, float, int]) -> tuple[bool, float, bool, bool, int]:
        other, distance, _ = one
        swapped = sorted(other) == letters
        left_out = len(other) > len(word)  # the commonest slip
        return swapped, -distance, other[0] == word[0], left_out, weight[other]

    return max(near, key=likelihood)[0] if near else None


def _other_letter(word: str, other: str) -> bool:
    """True where one letter stands for another."""
    return len(word) == len(other) and sorted(word) != sorted(other)


def _forms(word: str) -> tuple[str, ...]:
    """A word, as one and as several: "pram" is no slip where a page says "prams"."""
    fewer = word[:-1] if word.endswith("s") else word
    return word, fewer, f"{word}s"
