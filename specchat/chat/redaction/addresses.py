"""Where a text says where somebody lives: postal addresses of several countries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from specchat.chat.redaction.patterns import CAPITAL, LONGEST_WORD, SMALL, Place, matches

_WORD = rf"[^\W\d_][\w'’.-]{{0,{LONGEST_WORD}}}"
_CITY = rf"{CAPITAL}(?:(?: |(?<=\.)-){CAPITAL}){{0,3}}"  # a hyphen is CAPITAL's own, but for "A.-"
_UNIT = r"(?:,?\s*(?:apt|apartment|unit|suite|ste|flat|floor|fl|room|#)\.?\s*#?\w{1,5})?"
_UK_CODE = r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}"
_STATE = (
    r"(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]"
    r"|T[NX]|UT|V[TA]|W[AVIY]|NSW|VIC|QLD|TAS|ON|QC|BC|AB|MB|SK|NS)"
)
_US_CODE = rf"{_STATE}\.?,?\s+(?:\d{{5}}(?:-\d{{4}})?|\d{{4}}|[A-Z]\d[A-Z]\s?\d[A-Z]\d)"
_TAIL = (
    rf"{_UNIT}(?:,?\s+(?:{_CITY},?\s+)?(?:{_US_CODE}|{_UK_CODE}|\d{{4,6}}(?:\s?[A-Z]{{2}})?\s+{_CITY})"
    rf"|,\s*{_CITY})?"
)
_CLEAR = (
    r"(?i:street|avenue|road|lane|boulevard|blvd|ave|rd|parkway|pkwy|highway|hwy|terrace|crescent)"
)
_VAGUE = (
    r"(?:St|Dr|Drive|Ln|Ct|Court|Way|Pl|Place|Square|Sq|Close|Circle|Row|Mews|Gardens|Grove|Hill"
    r"|Walk|Park|Parade|Quay|Wharf|Rise|Meadows?|View|Green|Gate|Esplanade|Loop|Trail|Alley|Yard)"
)
_INDIAN = (
    r"(?i:apartments?|residency|nagar|vihar|colony|enclave|society|layout|salai|marg|towers|heights"
    r"|sector\s\d{1,3})"
)
_FLAT = r"(?:\b(?i:flat|apt|apartment|unit|suite|room)\.?\s+#?\w{1,5},?\s+)?"
_NUMBER = _FLAT + r"\b\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?"
_ADDRESSES = (
    re.compile(rf"{_NUMBER}\s+(?:[NSEW]\.?\s+)?(?:\w[\w'’.-]*\s+){{1,3}}?{_CLEAR}\b\.?{_TAIL}"),
    re.compile(rf"{_NUMBER}\s+(?:[NSEW]\.?\s+)?(?:{CAPITAL}\s+){{1,3}}?{_VAGUE}\b\.?{_TAIL}"),
    re.compile(
        rf"\b{_WORD}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|laan|straat|gracht"
        rf"|plein|kade|gatan|gata|vej|gade|veien|katu|gass?e)\s+\d{{1,4}}\s?[a-zA-Z]?\b{_TAIL}"
    ),
    re.compile(
        rf"\b(?:{CAPITAL}\s+)?(?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Markt)\s+\d{{1,4}}\s?[a-z]?\b{_TAIL}"
    ),
    re.compile(
        rf"{_NUMBER}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|place|chemin|allée|quai|impasse"
        rf"|cours|route)\s+(?:(?:des?|du|la|les?)\s+|[ld]['’]){{0,3}}{CAPITAL}(?:\s+{CAPITAL}){{0,3}}{_TAIL}"
    ),
    re.compile(
        rf"\b(?:Calle|C/|Avenida|Av\.|Avda\.|Plaza|Paseo|Via|Viale|Piazza|Corso|Rua|Travessa|ul\.|ulica)\s+"
        rf"(?:(?:de|del|la|las|los|da|do|dos|di|dei|della)\s+)*{CAPITAL}(?:\s+{CAPITAL}){{0,3}},?\s+\d{{1,4}}\b{_TAIL}"
    ),
    re.compile(
        rf"\b(?:{CAPITAL}\s+){{1,3}}(?:Mah(?:\.|allesi)|Cad(?:\.|desi)|Sok(?:\.|ak|ağı)|Bulvarı)"
        rf"(?:,?\s+(?:{CAPITAL}\s+){{0,3}}(?:Cad(?:\.|desi)|Sok(?:\.|ak|ağı)))?"
        rf"(?:,?\s*No\s*(?:[:.]\s*)?\d{{1,4}}(?:/\d{{1,3}})?)?{_TAIL}"
    ),
    re.compile(
        rf"\b(?:(?i:house|flat|plot|door)\s*(?:(?i:no|number)\b\.?\s*)?)?(?:[A-Z]-?)?\d{{1,4}}[A-Z]?"
        rf"(?:/\w{{1,3}})?,?\s+[^\n.!?;\d]{{0,40}}?\b{_INDIAN}\b(?:,?\s+(?:{_CITY}|(?i:sector|phase"
        rf"|block)\s\w{{1,4}})){{0,4}}(?:,?\s*(?:[-–]\s*)?\d{{6}})?"
    ),
    re.compile(
        rf"\b(?:Am|An der|Auf dem|Auf der|Im|In der|Zum|Zur|Hinter der|Unter den)\s+"
        rf"(?:[Aa]lten\s+)?{CAPITAL}\s+\d{{1,3}}\s?[a-z]?\b(?:,?\s+\d{{5}}\s+{_CITY}|(?=,\s*{_CITY}))"
    ),
    re.compile(  # Rosenallee 4, 1130 Wien
        rf"\b(?:{CAPITAL}[ \t]+(?:{SMALL}[ \t]+){{0,2}}){{1,3}}\d{{1,4}}\s?[a-z]?,"
        rf"\s*\d{{4,5}}(?:\s[A-Z]{{2}})?[ \t]+{_CITY}"
    ),
    re.compile(  # 9 The Lawn, York YO1 7LX
        rf"{_NUMBER}[ \t]+(?:{CAPITAL}[ \t]+){{0,3}}{CAPITAL},[ \t]+{_CITY},?[ \t]+"
        rf"(?:{_US_CODE}|{_UK_CODE})"
    ),
    re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d{1,6}" + _TAIL, re.IGNORECASE),
    re.compile(rf"\b{_CITY},?\s+{_US_CODE}\b"),
    re.compile(rf"\b{_UK_CODE}\b"),
    re.compile(
        r"\b(?i:zip|post(?:al)?)\s*(?:-\s*)?(?:(?i:code)\s*)?(?:(?i:is|:)\s*)?(?<=\s)"
        r"(?=[A-Z\d -]{0,40}\d)[A-Z\d]{2,5}(?:[ -]?[A-Z\d]{2,4})?\b"
    ),
)
_SAID_ADDRESS = re.compile(
    r"\b(?:my |our |new |home |delivery |shipping |billing ){1,4}address(?: is| was|:)[ \t]+"
    r"([^\n;?!]{6,120}?)(?=$|[\n;?!]|\.\s|\.$|,? (?:and|but|please|not|instead)\b)",
    re.IGNORECASE,
)


def addresses(text: str) -> Iterator[Place]:
    """Postal addresses of several countries, PO boxes, postal codes with a sign that they are."""
    for match in matches(text, *_ADDRESSES):
        yield match.start(), match.start() + len(match[0].rstrip(" ,"))
    for match in _SAID_ADDRESS.finditer(text):
        if any(character.isdigit() for character in match[1]):
            yield match.start(1), match.end(1)
