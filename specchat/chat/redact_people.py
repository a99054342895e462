"""Where a text names a person or says where somebody lives.

Patterns and a list of given names, no model: what a customer writes about themselves in the usual
ways is found; a name without any sign that it is one is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from specchat.chat.given_names import GIVEN_NAMES
from specchat.chat.places import CITIES, COUNTRIES

Place = tuple[int, int]
"""Start and end in the text."""

_UPPER = r"[^\W\d_a-zß-öø-ÿ]"
_CAPITAL = rf"(?:{_UPPER}\.|{_UPPER}[\w'’-]*)"
_SMALL = r"(?:van|von|de|der|den|di|da|del|della|dos|la|le|bin|al|el|ten|zu|zur|y)"
_FULL = rf"{_CAPITAL}(?:[ \t]+(?:{_SMALL}[ \t]+){{0,2}}{_CAPITAL}){{0,3}}"
_ANY = r"[^\W\d_][\w'’-]+(?:[ \t]+[^\W\d_][\w'’-]+){0,2}"
_STOP_TEXT = """
i my the this that and but you your please january february march april may june july august
september october november december monday tuesday wednesday thursday friday saturday sunday order
orders invoice refund account premium standard business free hello hi dear thanks thank regards
support customer service team sir madam all everyone not on in a an no now wrong missing misspelled
incorrect different still also spelled it is was with for from to at or as of card visa mastercard
paypal street road avenue hey where when what why how can could do does
"""
_STOP = frozenset(_STOP_TEXT.split())

# -- names -------------------------------------------------------------------------------------

_INTRODUCED = re.compile(
    rf"\b(?i:my (?:full |first |last )?name(?:['’]s| is)|(?:full |customer )?name\s*:|i am called"
    rf"|the name (?:is|on the (?:order|account|card|parcel) is)|(?:in|under) the name(?: of)?"
    rf"|on behalf of|account holder(?: is|:)?|cardholder(?: is|:)?|recipient(?: is|:)?"
    rf"|addressed to|signed for by|signed by|registered to|belongs to|attn:?|c/o"
    rf"|my (?:wife|husband|son|daughter|mother|father|mom|mum|dad|sister|brother|partner|friend"
    rf"|neighbou?r|colleague|boss)(?:,| is| called)?"
    rf"|(?:parcel|package|delivery|order|gift|present) (?:for|to)"
    rf"|(?:hello|hi|hey|good (?:morning|day|afternoon|evening)),? (?:this is|it['’]s|i am|i['’]m)"
    rf"|i am|i['’]m)\s+({_FULL})"
)
_SENT_TO = re.compile(
    rf"\b(?i:send|sent|deliver|delivered|ship|shipped)(?i: it| them| this| that)?\s+(?i:to)\s+"
    rf"({_FULL})"
)
_INTRODUCED_SMALL = re.compile(
    rf"\bmy (?:full )?name(?:['’]s| is)\s+({_ANY})(?=\s*(?:$|[.,;!\n]|\s(?:and|but)\b))",
    re.IGNORECASE,
)
_SAID = re.compile(rf"\b(?i:this is|it['’]s|here is|here['’]s)\s+({_FULL})")
_TITLED = re.compile(
    rf"\b((?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Monsieur|Madame|Señora?|Sr|Sra|Bay|Bayan)\.?"
    rf"\s+(?:{_SMALL}\s+){{0,2}}{_FULL})"
)
_SIGNED = re.compile(
    rf"(?i:\b(?:regards|best|thanks|thank you|thx|cheers|sincerely|yours(?: truly)?|greetings"
    rf"|many thanks|love))[,.!\s-]+({_FULL})\s*[.!]?\s*$"
)
_GIVEN = re.compile(
    rf"(?<![\w@.])(?:{'|'.join(sorted(GIVEN_NAMES))})\b"
    rf"(?:[ \t]+(?:{_SMALL}[ \t]+){{0,2}}{_CAPITAL}){{0,2}}"
)


def names(text: str) -> Iterator[Place]:
    """Names of people: introduced, titled, signed with, or begun by a known given name."""
    for pattern in (_INTRODUCED, _TITLED, _SIGNED):
        for match in pattern.finditer(text):
            if not _is_place(match[1]):
                yield from _trimmed(match[1], match.start(1))
    for match in _INTRODUCED_SMALL.finditer(text):
        yield from _trimmed(match[1], match.start(1))
    for pattern in (_SAID, _SENT_TO):  # "this is Ada Byron"; one word alone may be anything
        for match in pattern.finditer(text):
            if len(match[1].split()) > 1 and not _is_place(match[1]):
                yield from _trimmed(match[1], match.start(1))
    for match in _GIVEN.finditer(text):
        if not _is_place(match[0]):
            yield from _trimmed(match[0], match.start())


def _is_place(words: str) -> bool:
    name = words.strip(".,").lower()
    return name in CITIES or name in COUNTRIES


def _trimmed(found: str, start: int) -> Iterable[Place]:
    """Without what follows the name: a sentence's end, or a capital that starts something else."""
    end = 0
    for word in re.finditer(r"\S+", found):
        bare = re.sub(r"['’]s$", "", word[0].strip(".,'’-"))
        if bare.lower() in _STOP or bare.lower() in COUNTRIES:
            break
        end = word.start() + len(bare)
        if len(bare) > 3 and word[0].endswith("."):
            break
    if end > 1:
        yield start, start + end


# -- addresses ---------------------------------------------------------------------------------

_WORD = r"[^\W\d_][\w'’.-]*"
_CITY = rf"{_CAPITAL}(?:[ -]{_CAPITAL}){{0,3}}"
_UNIT = r"(?:,?\s*(?:apt|apartment|unit|suite|ste|flat|floor|fl|room|#)\.?\s*#?\w{1,5})?"
_UK_CODE = r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}"
_STATE = (
    r"(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]"
    r"|T[NX]|UT|V[TA]|W[AVIY]|ON|QC|BC|AB|MB|SK|NS)"
)
_US_CODE = rf"{_STATE}\.?,?\s+(?:\d{{5}}(?:-\d{{4}})?|[A-Z]\d[A-Z]\s?\d[A-Z]\d)"
_TAIL = (
    rf"{_UNIT}(?:,?\s+(?:{_CITY},?\s+)?(?:{_US_CODE}|{_UK_CODE}|\d{{4,6}}(?:\s?[A-Z]{{2}})?\s+{_CITY})"
    rf"|,\s*{_CITY})?"
)
_CLEAR = (
    r"(?i:street|avenue|road|lane|boulevard|blvd|ave|rd|parkway|pkwy|highway|hwy|terrace|crescent)"
)
_VAGUE = (
    r"(?:St|Dr|Drive|Ln|Ct|Court|Way|Pl|Place|Square|Sq|Close|Circle|Row|Mews|Gardens|Grove|Hill"
    r"|Walk|Park)"
)
_FLAT = r"(?:\b(?i:flat|apt|apartment|unit|suite|room)\.?\s+#?\w{1,5},?\s+)?"
_NUMBER = _FLAT + r"\b\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?"
_ADDRESSES = (
    re.compile(rf"{_NUMBER}\s+(?:[NSEW]\.?\s+)?(?:\w[\w'’.-]*\s+){{1,3}}?{_CLEAR}\b\.?{_TAIL}"),
    re.compile(rf"{_NUMBER}\s+(?:[NSEW]\.?\s+)?(?:{_CAPITAL}\s+){{1,3}}?{_VAGUE}\b\.?{_TAIL}"),
    re.compile(
        rf"\b{_WORD}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|laan|straat|gracht"
        rf"|plein|kade|gatan|vej|gade|veien|katu)\s+\d{{1,4}}\s?[a-zA-Z]?\b{_TAIL}"
    ),
    re.compile(
        rf"\b(?:{_CAPITAL}\s+)?(?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Markt)\s+\d{{1,4}}\s?[a-z]?\b{_TAIL}"
    ),
    re.compile(
        rf"{_NUMBER}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|place|chemin|allée|quai|impasse"
        rf"|cours|route)\s+(?:(?:des?|du|la|les?)\s+|[ld]['’]){{0,3}}{_CAPITAL}(?:\s+{_CAPITAL}){{0,3}}{_TAIL}"
    ),
    re.compile(
        rf"\b(?:Calle|C/|Avenida|Av\.|Avda\.|Plaza|Paseo|Via|Viale|Piazza|Corso|Rua|Travessa|ul\.|ulica)\s+"
        rf"(?:(?:de|del|la|las|los|da|do|dos|di|dei|della)\s+)*{_CAPITAL}(?:\s+{_CAPITAL}){{0,3}},?\s+\d{{1,4}}\b{_TAIL}"
    ),
    re.compile(
        rf"\b(?:{_CAPITAL}\s+){{1,3}}(?:Mah(?:\.|allesi)|Cad(?:\.|desi)|Sok(?:\.|ak|ağı)|Bulvarı)"
        rf"(?:,?\s+(?:{_CAPITAL}\s+){{0,3}}(?:Cad(?:\.|desi)|Sok(?:\.|ak|ağı)))?"
        rf"(?:,?\s*No\s*[:.]?\s*\d{{1,4}}(?:/\d{{1,3}})?)?{_TAIL}"
    ),
    re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d{1,6}" + _TAIL, re.IGNORECASE),
    re.compile(rf"\b{_CITY},?\s+{_US_CODE}\b"),
    re.compile(rf"\b{_UK_CODE}\b"),
    re.compile(
        r"\b(?i:zip|post(?:al)?)\s*-?\s*(?i:code)?\s*(?i:is|:)?\s+(?=[A-Z\d -]*\d)"
        r"[A-Z\d]{2,5}(?:[ -]?[A-Z\d]{2,4})?\b"
    ),
)
_SAID_ADDRESS = re.compile(
    r"\b(?:my |our |new |home |delivery |shipping |billing ){1,4}address(?: is| was|:)\s+"
    r"([^\n;?!]{6,120}?)(?=$|[\n;?!]|\.\s|\.$|,? (?:and|but|please|not|instead)\b)",
    re.IGNORECASE,
)


def addresses(text: str) -> Iterator[Place]:
    """Postal addresses of several countries, PO boxes, postal codes with a sign that they are."""
    for pattern in _ADDRESSES:
        for match in pattern.finditer(text):
            yield match.start(), match.start() + len(match[0].rstrip(" ,"))
    for match in _SAID_ADDRESS.finditer(text):
        if any(character.isdigit() for character in match[1]):
            yield match.start(1), match.end(1)
