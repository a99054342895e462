"""Where a text names a person.

Patterns and lists of names and of ordinary words, no model. A name is found where a customer
introduces one, greets or signs with it, where somebody of that name does or is told something,
where a known given or family name stands, and where two words with a capital stand in a sentence
that are words of no language we list; a single rare name without any such sign is not.

English, German, French, Spanish, Dutch and Polish ways to say it are known, and how one introduces
oneself in Russian and Ukrainian.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from specchat.chat.redaction import introductions as said
from specchat.chat.redaction.name_words import (
    PARTICLE,
    WORD,
    are_unlike_words,
    bare,
    is_also_name,
    is_known,
    is_stop,
    is_word,
    may_be_name,
    name_words,
    person,
    titled,
    trimmed,
)
from specchat.chat.redaction.patterns import (
    LONGEST_WORD,
    LOWER,
    SMALL,
    UPPER,
    Place,
    matches,
)
from specchat.chat.redaction.word_lists.words import (
    CITIES,
    COUNTRIES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    SOFT_FAMILY_NAMES,
    SOFT_GIVEN_NAMES,
    is_brand,
    is_ordinary,
)

_GIVEN_SMALL = frozenset(name.lower() for name in GIVEN_NAMES if len(name) > 3)
_FAMILY_SMALL = frozenset(
    name.lower() for name in FAMILY_NAMES | SOFT_FAMILY_NAMES if len(name) > 2
)
_LONG = rf"{UPPER}[\w'-]{{1,{LONGEST_WORD}}}"
_LINE = re.compile(rf"^[ \t]*({said.FULL})[ \t]*(?:,[ \t]*)?$", re.MULTILINE)
_CONTACT = re.compile(r"\d{2}|@")
_RUN = re.compile(rf"(?<![\w@.#'])(?:{SMALL}[ \t]+)?{said.FULL}")
_INITIALS = re.compile(rf"(?<![\w.])((?:{UPPER}\.\s?){{1,2}}{UPPER}[\w'-]{{2,{LONGEST_WORD}}})")
_SMALL_NAME = re.compile(
    rf"(?<![\w@.'/:-])({LOWER}{{4,{LONGEST_WORD}}}(?:-{LOWER}{{3,{LONGEST_WORD}}})?)"
    rf"(?=(?:[ \t]+((?:{SMALL}[ \t]+){{0,2}}{LOWER}[\w'-]{{2,{LONGEST_WORD}}}))?(?![\w@'/-]|\.\w))"
)
_LEAST_SMALL = 5  # letters of a given name that is found in small letters without a family name
_IN_PLACE = re.compile(
    r"(?:\b(?i:in|near|around|at|between)\s+(?:the\s+)?|\b(?:San|Santa|Saint|St\.?|Bad|Port|Fort"
    r"|New|Los|Las|El"
    r"|Lake|Mount|Mt\.?|Sankt)\s)$"
)
_IN = re.compile(r"\b(?:in|near)\s\Z")
_REVERSED = re.compile(rf"(?<!\w)({_LONG}),[ \t]+({_LONG})")
_AND = re.compile(rf"\s*(?:&|\+|and|und|or|oder|y|et|en|i)\s+({said.FULL})")
_TITLE = re.compile(
    r"(?:(?:\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Univ|Herrn?|Frau|Dipl|Ing|Mag|M|Mme|Mlle|Sr|Sra|Don"
    r"|Doña|Señora?"
    r"|[Pp]ani?|dhr|mevr|mw|ir|drs)\b\.?|-Ing\.|Prof\.)[ \t]?){1,3}\Z"
)
_DEGREE = re.compile(
    r",? ?(?:B\.? ?Sc|M\.? ?Sc|B\.? ?A|M\.? ?A|B\.? ?Eng|M\.? ?Eng|MBA|Ph\.? ?D|MD|DDS|DVM|Jr|Sr"
    r"|Esq|II|III|IV)\b\.?"
)
_DEGREE_BEGUN = re.compile(r",? [BM]\.?\Z")  # "B." of "B.A." was taken for an initial
_ARTICLE = re.compile(
    r"(?:^|[\s(\"'])(?:the|an?|my|your|our|his|her|their|this|that|these|those|some|of|every|each"
    r"|any|no|in|at"
    r"|near|new|called|titled|brand|model|der|die|das|ein|eine[nmrs]?|den|dem|des|le|la|les|un"
    r"|une|el|los"
    r"|las|una|het|een|im|am|[a-z]+ed)[ \t]\Z",
    re.IGNORECASE,
)
_GERMAN = re.compile(
    r"\b(?:der|die|das|und|ist|nicht|ich|wir|sie|ein|eine|für|mit|auf|den|dem|im|haben|bei|von"
    r"|wie|oder)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(rf"['\"]?[ \t]*(?:{UPPER}|\d|&|[-/]\w)")


def names(text: str) -> Iterator[Place]:
    """Names of people with their titles, in no order; some may overlap."""
    found = [place for place in _found(text) if not _is_place(text, *place)]
    for start, end in found:
        yield _with_titles(text, start, end)
        more = _AND.match(text, end)
        if more is not None:
            yield from person(more)


def _found(text: str) -> Iterator[Place]:
    for match in said.TITLED.finditer(text):
        yield from trimmed(match[1], match.start(1))
    for match in said.NAMED.finditer(text):
        first = match[1].split()[0]
        if not (first.isupper() and is_word(bare(first))):
            yield from trimmed(match[1], match.start(1))
    for match in said.RENAMED.finditer(text):
        yield match.span(1)
        yield match.span(2)
    for match in said.NAMED_ELSEWHERE.finditer(text):
        yield match.span(1)
    for match in matches(text, said.NAMED_SMALL, said.SAID_SMALL):
        yield from _small_words(match, sure=match.re is said.NAMED_SMALL)
    for match in matches(text, said.RELATED, said.CUED, said.ASKED, said.GREETED, said.SIGNED):
        yield from person(match)
    for match in matches(text, said.LAST_LINE, _INITIALS):
        yield from person(match)
    for match in matches(text, said.DOES, said.OWNS):
        if name_words(match[1]) == match[1]:  # up to the verb, or to what is owned
            yield from person(match)
    for match in said.SIGNED_SMALL.finditer(text):
        words = match[1].split()
        listed = is_known(words[0]) and not is_ordinary(words[0])
        if listed or (len(words) > 1 and are_unlike_words(words)):
            yield match.span(1)
    for match in matches(text, said.SENT, said.WITH):  # one word alone may be a place or a thing
        yield from person(match, least=2)
    for match in matches(text, said.SAID, said.FROM):
        yield from person(match, least=2)
    yield from _contact_lines(text)
    yield from _listed(text)
    yield from _unlisted(text)


def _small_words(match: re.Match[str], *, sure: bool) -> Iterable[Place]:
    """One to three words in small letters that were said to be a name."""
    end = 0
    words: list[str] = []
    for word in WORD.finditer(match[1]):
        plain = bare(word[0])
        if not PARTICLE.fullmatch(plain):
            if is_stop(plain) or (is_word(plain) and not _may_follow(words, plain, sure=sure)):
                break
            end = word.start() + len(word[0].rstrip(".,!?;:"))
            words.append(plain)
        if word[0][-1] in ".,!?;:":
            break
    several = len(words) > 1 and (_are_names(words) or are_unlike_words(words))
    if words and (several or (sure and not is_word(words[0]))):
        yield match.start(1), match.start(1) + end


def _may_follow(words: list[str], word: str, *, sure: bool) -> bool:
    """Whether a word of the language may be the next of a name: the first or second, where it is a
    name too or stands behind one."""
    if len(words) > 1:
        return False
    return is_known(word) or is_also_name(word) or (bool(words) and (sure or is_known(words[0])))


def _are_names(words: list[str]) -> bool:
    """True where one of the words is a name of the lists and no other word, or one is a name too
    and the others are no other words."""
    if any(is_known(word) and not is_ordinary(word) for word in words):
        return True
    names = [is_known(word) or is_also_name(word) for word in words]
    return any(names) and all(
        name or (len(word) > 2 and not is_word(word))
        for name, word in zip(names, words, strict=True)
    )


def _contact_lines(text: str) -> Iterator[Place]:
    """Lines that are a name and nothing else, over or under a number, an address or an e-mail."""
    lines = text.split("\n")
    if len(lines) == 1:
        return
    numbers = [bool(_CONTACT.search(line)) for line in lines]
    row = last = 0
    for match in _LINE.finditer(text):
        row, last = row + text.count("\n", last, match.start(1)), match.start(1)
        if any(numbers[max(0, row - 1) : row + 2]):
            yield from person(match)


def _listed(text: str) -> Iterator[Place]:
    """Names of the lists: a given name with what follows it, any word before a family name."""
    for match in _RUN.finditer(text):
        words = list(WORD.finditer(match[0]))
        for index, word in enumerate(words):
            then = (each[0] for each in words[index + 1 :] if not PARTICLE.fullmatch(each[0]))
            if _begins(word[0], next(then, "")):
                rest = match[0][word.start() :]
                if not is_brand(match[0]) and not is_brand(rest):
                    yield from trimmed(name_words(rest), match.start() + word.start())
                break
    for match in _SMALL_NAME.finditer(text):
        given, family = match[1], match[2] or ""
        if not all(part in _GIVEN_SMALL for part in given.split("-")) or is_ordinary(given):
            continue
        last = family.split()[-1] if family else ""
        if last in _FAMILY_SMALL or (len(last) > 3 and not is_word(last) and not is_stop(last)):
            yield match.start(), match.end(2)
        elif len(given) >= _LEAST_SMALL and not is_brand(f"{given} {family}"):
            yield match.span(1)
    for match in _REVERSED.finditer(text):
        if match[1] in FAMILY_NAMES and match[2] in GIVEN_NAMES:
            yield match.span()


def _unlisted(text: str) -> Iterator[Place]:
    """Two to four words with a capital that are words of no language we list, in a sentence where
    no article says that they are a thing and no more capitals say that they are a title."""
    german = len(_GERMAN.findall(text)) > 1  # where every noun has a capital
    for match in _RUN.finditer(text):
        found = name_words(match[0])
        if german and not any(map(is_known, found.split())):
            continue
        plain = [bare(word) for word in found.split() if not PARTICLE.fullmatch(word)]
        if len(plain) < 2 or match[0][len(found) :].strip() or is_brand(found):
            continue
        if sum(len(word) < 3 for word in plain) > 1 or _GOES_ON.match(text, match.end()):
            continue
        before = text[max(0, match.start() - 24) : match.start()]
        if _ARTICLE.search(before) or (before[-1:] in "\"'“„«" and before):
            continue
        yield from trimmed(found, match.start())


def _begins(word: str, after: str) -> bool:
    """True when a name begins with this word: a given name, or any name before a family name."""
    plain, then = bare(word), bare(after)
    parts = titled(plain).split("-")
    if all(part in GIVEN_NAMES for part in parts):
        return not (plain.isupper() and len(plain) < 4)
    known = any(titled(part) in FAMILY_NAMES for part in (then, *then.split("-")))
    if titled(plain) in SOFT_GIVEN_NAMES:
        return known or titled(then) in SOFT_FAMILY_NAMES
    return known and may_be_name(word) and not plain.isupper()


def _is_place(text: str, start: int, end: int) -> bool:
    """True for a known place, and for a single word where a place is said: "in Charlotte"."""
    name = text[start:end].strip(".,").lower()
    if name in CITIES or name in COUNTRIES:
        return True
    before = text[max(0, start - 20) : start]
    return (_IN_PLACE if " " not in name else _IN).search(before) is not None


def _with_titles(text: str, start: int, end: int) -> Place:
    """With what stands before a name as its title, and behind it as a degree."""
    title = _TITLE.search(text[max(0, start - 24) : start])
    if title is not None:
        start -= len(title[0])
    initial = _DEGREE_BEGUN.search(text[start:end])
    if initial is not None and _DEGREE.match(text, start + initial.start()):
        end = start + initial.start()
    while (degree := _DEGREE.match(text, end)) is not None:
        end = degree.end()
    return start, end
