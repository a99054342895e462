"""Which words may be a person's name, by the lists and by how they are spelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from specchat.chat.redaction.patterns import LOWER, SMALL, UPPER, Place
from specchat.chat.redaction.word_lists.words import (
    CITIES,
    COUNTRIES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    SOFT_FAMILY_NAMES,
    SOFT_GIVEN_NAMES,
    is_brand,
    is_near_word,
    is_ordinary,
)

_STOP_TEXT = """
i my the this that and but you your please january february march april may june july august
september october november december monday tuesday wednesday thursday friday saturday sunday order
orders invoice refund account premium standard business free hello hi dear thanks thank regards
support customer service team sir madam all everyone not on in a an no now wrong missing misspelled
incorrect different still also spelled it is was with for from to at or as of card visa mastercard
paypal street road avenue hey where when what why how can could do does januar februar märz mai
juni juli oktober dezember montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi
mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
"""
_STOP = frozenset(_STOP_TEXT.split())
_KNOWN = frozenset(name.lower() for name in GIVEN_NAMES | FAMILY_NAMES)
_SOFT = frozenset(name.lower() for name in SOFT_GIVEN_NAMES | SOFT_FAMILY_NAMES)
WORD = re.compile(r"\S+")
PARTICLE = re.compile(SMALL)
_ENDS_AS_A_WORD = re.compile(r"(?:ing|ed|ly|ble|ous|less|ful|ive)$|(.)\1\1", re.IGNORECASE)
_INITIAL = re.compile(rf"{UPPER}\.?")
_SPELLED = re.compile(
    rf"(?:Mc|Mac|De|Di|La|Le|Van|[DOL]'|Fitz|{UPPER}\w+-)?{UPPER}{LOWER}[^\W\dA-Z_']*"
    rf"(?:-{UPPER}?{LOWER}+)?'?"
)


def is_known(word: str) -> bool:
    """True when a name, or a part of it between hyphens, is on a list."""
    lower = bare(word).lower()
    return any(part in _KNOWN for part in (lower, *lower.split("-")))


def is_also_name(word: str) -> bool:
    """True when a word of the language is a name too: "grace", "hunter"."""
    return bare(word).lower() in _SOFT


def are_unlike_words(words: Sequence[str]) -> bool:
    """True when none is a word of the language, with a slip of the pen or with an ending that says
    how something is, so that where a name may stand they are one, though on no list."""
    return not any(
        len(word) < 4 or _ENDS_AS_A_WORD.search(word) or is_word(word) or is_near_word(word)
        for word in words
    )


def is_stop(word: str) -> bool:
    """True for a word that no name goes on with."""
    return word.lower() in _STOP


def person(match: re.Match[str], *, least: int = 1, known: bool = False) -> Iterable[Place]:
    """The words of the match's group that are a name: at least `least`, and with `known` one of
    the lists among them."""
    words = name_words(match[1])
    count = len(words.split())
    if count < least or is_brand(match[1]):
        return ()
    if known and not any(bare(word).lower() in _KNOWN for word in words.split()):
        return ()
    return trimmed(words, match.start(1))


def name_words(found: str) -> str:
    """The beginning of `found` up to the first word that is in no name."""
    end = 0
    words = list(WORD.finditer(found))
    for index, word in enumerate(words):
        if PARTICLE.fullmatch(word[0]):
            continue
        if not may_be_name(word[0]):
            if index == len(words) - 1 == 1 and _is_family(words[0][0], word[0]):
                end = word.end()  # "Michelle Green"
            break
        end = word.end()
        if word[0][-1] in ".,!?" and len(bare(word[0])) > 3:
            break
    return found[:end]


def _is_family(given: str, word: str) -> bool:
    """True for a word that can only be the family name of the given name before it."""
    plain = bare(word)
    return (
        bare(given) in GIVEN_NAMES
        and given[-1] not in ".,!?"
        and _SPELLED.fullmatch(plain) is not None
        and plain.lower() not in _STOP
    )


def may_be_name(word: str) -> bool:
    """True for a known name, and for a word that is neither ordinary nor a place nor a brand."""
    plain = bare(word)
    lower = plain.lower()
    if _INITIAL.fullmatch(word):
        return word != "I"
    if any(part in _KNOWN or part in _SOFT for part in (lower, *lower.split("-"))):
        return not (plain.isupper() and (len(plain) < 4 or is_ordinary(plain)))
    if plain.isupper() or not _SPELLED.fullmatch(plain):
        return False
    return not is_word(plain)


def is_word(plain: str) -> bool:
    """True for a word of the language, a brand or a place."""
    lower = plain.lower()
    return (
        is_ordinary(plain.replace("'", ""))
        or lower in _STOP
        or lower in CITIES
        or lower in COUNTRIES
    )


def bare(word: str) -> str:
    """A word without what stands around it and without its genitive."""
    return re.sub(r"'s$", "", word.strip(".,!?:;\"'-()“”„«»"))


def titled(word: str) -> str:
    """As the lists spell it: "MARIA" is "Maria"."""
    return word.capitalize() if word.isupper() else word


def trimmed(found: str, start: int) -> Iterable[Place]:
    """Without what follows the name: a sentence's end, or a capital that starts something else."""
    end = 0
    for word in WORD.finditer(found):
        plain = re.sub(r"'s$", "", word[0].strip(".,'-"))
        if plain.lower() in _STOP or plain.lower() in COUNTRIES:
            break
        end = word.start() + len(plain)
        if len(plain) > 3 and word[0].endswith("."):
            break
    if end > 1:
        yield start, start + end
