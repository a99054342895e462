"""Where a text says where somebody lives: postal addresses of several countries.

Two things tell an address: what streets are called beside a house number, and the line with the
postal code, whatever stands in the lines before it. Lines end with a comma or a line's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from specchat.chat.redaction.patterns import (
    CAPITAL,
    LONGEST_WORD,
    LOWER,
    SMALL,
    UPPER,
    Place,
    matches,
)
from specchat.chat.redaction.word_lists.words import STREETS, is_ordinary

# -- pieces ------------------------------------------------------------------------------------

_SEP = r"(?:[ \t]?[,;][ \t]{0,2}\n?[ \t]{0,2}|[ \t]?\n[ \t]{0,2}|[ \t]+-[ \t]+)"  # ends a line
_GAP = rf"(?:{_SEP}|[ \t]{{1,2}})"
_NAMES = rf"{CAPITAL}(?:[ \t](?:{SMALL}[ \t]){{0,2}}{CAPITAL}){{0,3}}"
_CITY = (
    rf"(?:'[st][ -])?{CAPITAL}(?:(?:[ \t]|(?<=\.)-)(?:{SMALL}[ \t]){{0,2}}{CAPITAL}){{0,3}}"
    rf"(?:[ \t](?:a\.d\.|am|an der|ob der|bei|v\.d\.|im|in) {CAPITAL})?"
    rf"(?:[ \t]?\([A-Za-z.]{{1,12}}\))?"
)
_NUMBER = r"\d{1,5}[A-Za-z]?(?:[-/]\d{1,4}[a-z]?){0,2}"
_UNIT_WORD = (
    r"(?i:apartment|apt|unit|suite|ste|flat|studio|floor|fl|room|rm|bldg|building|block|piso|puerta"
    r"|portal|esc(?:alera)?|planta|bajo|étage|appt?|appartement|bât(?:iment)?|whg|wohnung|top"
    r"|stiege"
    r"|m\.|lok\.|bus|box|#)"
)
_UNIT = (
    rf"(?:(?:{_SEP}|[ \t]{{1,2}})(?:{_UNIT_WORD}\.?[ \t]?#?\w{{1,5}}|\d{{1,2}}[oa]\.? ?[A-Z](?!\w)"
    r"|-?[IVX]{1,4}(?!\w))){0,3}"
)
_UK_CODE = r"[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}\b"
_STATE = (
    r"(?:A[LKZRASEP]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[DLNA]|K[SY]|LA|M[EDAINSOTHP]|N[EVHJMYCD]|O[HKR]"
    r"|P[ARW]|RI|S[CD]|T[NX]|UT|V[TAI]|W[AVIY]|NSW|VIC|QLD|TAS|ACT|ON|QC|BC|AB|MB|SK|NS|NB|NL|PE)"
)
_US_CODE = rf"{_STATE}\.?,?[ ]{{1,2}}(?:\d{{5}}(?:-\d{{4}})?(?!\d)|[A-Z]\d[A-Z] ?\d[A-Z]\d\b)"
_AU_CODE = r"(?:NSW|VIC|QLD|TAS|ACT|SA|WA|NT)\.?,? \d{4}(?!\d)"
_EU_CODE = (
    r"(?:[A-Z]{1,2}-)?(?:\d{5}|\d{4}(?: ?[A-Z]{2}\b)?|\d{2}-\d{3}|\d{5}-\d{3}|\d{3} \d{2})(?!\d)"
)
_EU_LINE = rf"(?:{_EU_CODE}{_GAP}{_CITY}|{_CITY},?[ ]{{1,2}}(?:\d{{5}}|\d{{2}}-\d{{3}})(?![\d-]))"
_POST = rf"(?:(?:{_CITY}{_GAP})?(?:{_US_CODE}|{_AU_CODE}|{_UK_CODE})|{_EU_LINE})"
_TAIL = (
    rf"{_UNIT}(?:{_GAP}{_POST}"
    rf"|{_SEP}{_CITY}(?:{_SEP}{_CITY})?(?:{_GAP}(?:{_POST}|\d{{5,6}}(?!\d)))?)?"
)

# -- streets -----------------------------------------------------------------------------------

_SURE_STREETS = (
    r"(?i:street|avenue|road|lane|boulevard|blvd|ave|rd|parkway|pkwy|highway|hwy|terrace|crescent"
    r"|turnpike|expressway)"
)
_CALLED = "|".join(sorted((word.capitalize() for word in STREETS), key=len, reverse=True))
_FLAT = (
    r"(?:\b(?i:flat|apt|apartment|unit|suite|room|studio)\.?[ \t]#?\w{1,5}(?:/\w{1,3})?"
    r",?[ \t\n]{1,2})?"
)
_COMPOUND = (  # in the end of a word; with "pad" a word could be a device, with "hof" a town
    r"(?i:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|steig|stieg|pfad|chaussee|graben"
    r"|laan|straat|gracht|plein|baan|singel|steeg|dreef|dijk|boulevard|gatan|vägen|vej|gade|veien"
    r"|katu)"
)
_FRENCH = (
    r"(?i:rue|avenue|av\.|boulevard|bd|place|chemin|allée|quai|impasse|cours|route|square|passage"
    r"|voie|sentier)"
)
_SPANISH = (
    r"(?i:calle|c/|c\.|avenida|av\.|avda\.?|plaza|pza\.|paseo|pº|ronda|rambla|camino|cañada"
    r"|cuesta|glorieta"
    r"|pasaje|callejón|vial|vía|acceso|alameda|urbanización|urb\.|carretera|ctra\.|travesía|via"
    r"|viale"
    r"|piazza|corso|largo|vicolo|rua|travessa|praça|pasadizo|carrera|apartadero)"
)
_POLISH = r"(?i:ul\.|ulica|ulicy|al\.|aleja|aleje|alei|pl\.|plac|placu|os\.|osiedle)"
_INDIAN = (
    r"(?i:apartments?|residency|nagar|vihar|colony|enclave|society|layout|salai|marg|towers|heights"
    r"|sector\s\d{1,3})"
)
_NUMBERED = rf"(?<![\w.,#-]){_NUMBER}"
_WHOLE = (
    re.compile(
        rf"{_FLAT}{_NUMBERED}[ \t]+(?:[NS]?[EW]?\.?[ \t]+)?(?:{CAPITAL}[ \t]+){{1,3}}?"
        rf"(?:{_CALLED})\b\.?"
        rf"(?:(?=[ \t,\n]{{1,3}}{_UNIT_WORD}\b){_TAIL}|{_SEP}(?:{_CITY}{_GAP})?{_POST})"
    ),
    re.compile(
        rf"\b(?:PSC|CMR|Unit|Box|US[SN][SV]?[A-Z]?|USCGC)[ ]\w{{1,12}}(?:[ ,]{{1,2}}"
        rf"(?:Box )?\w{{1,12}}){{0,2}}"
        rf"{_GAP}(?:APO|FPO|DPO) A[AEP] \d{{5}}"
    ),
    re.compile(
        rf"\b(?:{CAPITAL}[ \t](?:{SMALL}[ \t]){{0,2}}){{0,3}}{CAPITAL}[ \t]{_NUMBER}{_UNIT}"
        rf"{_SEP}{_EU_LINE}"
    ),
    # French, Spanish, Italian, Portuguese, Polish: what a street is called comes first
    re.compile(
        rf"(?:{_NUMBERED}(?:[ ]?(?:bis|ter))?,?[ ])?(?<![\w'-]){_FRENCH}[ ](?:(?:des?|du|la"
        rf"|les?)[ ]|[ld]'){{0,3}}"
        rf"{_NAMES}{_UNIT}{_GAP}{_EU_LINE}"
    ),
    re.compile(
        rf"\b(?:(?i:house|flat|plot|door)\s*(?:(?i:no|number)\b\.?\s*)?)?"
        rf"(?:[A-Z]-?)?\d{{1,4}}[A-Z]?"
        rf"(?:/\w{{1,3}})?,?\s+[^\n.!?;\d]{{0,40}}?\b{_INDIAN}\b(?:,?\s+(?:{_CITY}|(?i:sector|phase"
        rf"|block)\s\w{{1,4}})){{0,4}}(?:,?\s*(?:[-]\s*)?\d{{6}})?"
    ),
    re.compile(
        r"\b(?i:zip|post(?:al)?|postleitzahl|plz|code postal|código postal|postcode)\s*(?:-\s*)?"
        r"(?:(?i:code)\s*)?(?:(?i:is|:|ist)\s*)?(?<=\s)"
        r"(?=[A-Z\d -]{0,40}\d)[A-Z\d]{2,5}(?:[ -]?[A-Z\d]{2,4})?\b"
    ),
)
_BEGUN = (  # an end follows, see `_REST`
    # English: 12 Elm Street; 7 Kangaroo Ct; with a line of a postal code, whatever it is called
    re.compile(
        rf"{_FLAT}{_NUMBERED}[ \t]+(?:[NS]?[EW]?\.?[ \t]+)?"
        rf"(?:\w[\w'.-]{{0,{LONGEST_WORD}}}[ \t]+){{1,3}}?"
        rf"{_SURE_STREETS}\b\.?"
    ),
    re.compile(rf"(?<!\w){_UNIT_WORD}\.? ?\w{{1,5}}{_SEP}(?:{CAPITAL}[ \t]){{1,3}}(?:{_CALLED})\b"),
    re.compile(  # 10 Downing St; 1234 NW 5th St, Miami FL 33125
        rf"{_FLAT}{_NUMBERED}[ \t]+(?:[NS]?[EW]?\.?[ \t]+)?(?:(?:{CAPITAL}|\d{{1,3}}(?:st|nd|rd"
        rf"|th))[ \t]+)"
        rf"{{1,3}}?(?:St|Ave|Dr|Drive|Ln|Ct|Court|Close|Mews|Grove|Gardens|Pl|Cres)\b\.?"
    ),
    # German, Dutch, Nordic: Hauptstraße 5; An der Alten Mühle 5, 04109 Leipzig
    re.compile(
        rf"\b(?:{CAPITAL}(?:[ \t]|(?<=\.)-)){{0,3}}(?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Markt"
        rf"|Ring|Gasse|Damm|Ufer|Chaussee)[ \t]+{_NUMBER}"
        rf"(?!\w)"
    ),
    re.compile(
        rf"\b(?:Am|An der|An den|Auf dem|Auf der|Im|In der|In den|Zum|Zur|Beim|Hinter der"
        rf"|Unter den|Vor dem|Bei der)[ \t]"
        rf"(?:[Aa]lten[ \t]|[Gg]roßen[ \t]|[Kk]leinen[ \t])?{CAPITAL}[ \t]{_NUMBER}(?!\w)(?!\.\d)"
    ),
    re.compile(
        rf"{_NUMBERED}(?:[ ]?(?:bis|ter))?,?[ ]{_FRENCH}[ ](?:(?:des?|du|la|les?)[ ]|[ld]'){{0,3}}"
        rf"{_NAMES}"
    ),
    re.compile(
        rf"(?<![\w'-])(?:{_SPANISH}|{_POLISH})[ \t]?(?:(?:de|del|la|las|los|da|do|dos|di|dei"
        rf"|della|e)[ ]){{0,3}}"
        rf"{_NAMES}(?:[ ]\d{{1,2}}[ ]{CAPITAL})?,?[ ](?:n[º°o]\.?[ ]?)?\d{{1,4}}[a-zA-Z]?"
        rf"(?:/\d{{1,4}}[a-z]?)?(?!\w)"
    ),
    # Turkish, Indian
    re.compile(
        rf"\b(?:{CAPITAL}\s+){{1,3}}(?:Mah(?:\.|allesi)|Cad(?:\.|desi)|Sok(?:\.|ak|ağı)|Bulvarı)"
        rf"(?:,?\s+(?:{CAPITAL}\s+){{0,3}}(?:Cad(?:\.|desi)|Sok(?:\.|ak|ağı)))?"
        rf"(?:,?\s*No\s*(?:[:.]\s*)?\d{{1,4}}(?:/\d{{1,3}})?)?"
    ),
    # without a street
    re.compile(
        r"\b(?i:P\.?\s?O\.?\s?Box|postfach|apartado|boîte postale"
        r"|skrytka pocztowa)\s+\d{1,6}"
    ),
)
_REST = re.compile(_TAIL)

_CODE = re.compile(rf"\b(?:{_US_CODE}|{_AU_CODE}|{_UK_CODE})")
_CODED = (  # all of it before such a code, whatever the street is called
    re.compile(
        rf"(?<!\w)(?:{_UNIT_WORD}\.? ?\w{{1,5}}{_GAP})?(?:{_NUMBERED}[ \t]+)?{_NAMES}{_UNIT}{_SEP}"
        rf"(?:{_NAMES}{_SEP}){{0,2}}(?:{_CITY}{_GAP})?(?:{_US_CODE}|{_AU_CODE}|{_UK_CODE})"
    ),
    re.compile(
        rf"(?<!\w)(?:{_NUMBERED}[ \t]+|{_UNIT_WORD}\.? ?\w{{1,5}}{_GAP}){_NAMES}{_UNIT}{_GAP}"
        rf"(?:{_US_CODE}|{_AU_CODE}|{_UK_CODE})"
    ),
    re.compile(rf"\b{_CITY}(?:,[ ]?|[ ]){_US_CODE}"),
    re.compile(rf"\b{_UK_CODE}"),
)
_COMPOUNDS = re.compile(
    rf"\b(?P<street>(?:{CAPITAL}[ \t])?[^\W\d_][\w'.-]{{0,{LONGEST_WORD}}}?{_COMPOUND})[ \t]{{1,2}}"
    rf"\d{{1,4}}(?:[ ]?[a-zA-Z](?!\w))?(?:[-/](?:\d{{1,4}}[a-z]?|[IVX]{{1,4}}(?!\w))){{0,2}}"
    rf"(?!\w)"
)

# -- said to be one ----------------------------------------------------------------------------

_SAID_ADDRESS = re.compile(
    r"\b(?:my |our |new |home |delivery |shipping |billing |the |correct |right |full ){1,4}"
    r"address(?: is(?: now)?| was|:)[ \t]+"
    r"([^\n;?!]{6,120}?)(?=$|[\n;?!]|\.\s|\.$|,? (?:and|but|please|not|instead)\b)",
    re.IGNORECASE,
)
_HOUSE_NUMBER = re.compile(r"(?<!\w)\d")
_LIVES = re.compile(  # where an English street needs no more than its name to be one
    r"(?i:\b(?:live|lives|living|reside|stay|moved?|moving|deliver(?:ed|y)?|sen[dt]|ship(?:ped)?"
    r"|go|goes|went"
    r"|bring|drop(?:ped)?|pick(?:ed)?|left|address|house|home|located|courier|driver|come|it is"
    r"|it's|its)"
    r"\b[^.!?\n\d]{0,25}?(?<!\w))"
    rf"({_FLAT}{_NUMBERED}[ \t]+(?:{CAPITAL}[ \t]+){{1,3}}?(?:{_CALLED})\b"
    rf"(?![ \t]{CAPITAL}))"
)
_LEADING = re.compile(
    rf"(?:{UPPER}{LOWER}*'s|Its|It|Is|My|I|At|To|The|Address|Adresse|Order|From|For|Hi|Hello"
    rf"|Ship)[ :]{{1,2}}(?=\S)"
)


def addresses(text: str) -> Iterator[Place]:
    """Postal addresses of several countries, PO boxes, postal codes with a sign that they are."""
    for match in matches(text, *(_CODED if _CODE.search(text) else ()), *_WHOLE):
        yield _without_lead(match[0], match.start())
    for match, end in (found for pattern in _BEGUN for found in _ended(pattern, text)):
        yield _without_lead(text[match.start() : end], match.start())
    for match, end in _ended(_COMPOUNDS, text):
        if not is_ordinary(match["street"].split()[-1]):  # "ordering 3 lamps"
            yield _without_lead(text[match.start() : end], match.start())
    for match, end in _ended(_LIVES, text):
        yield _without_lead(text[match.start(1) : end], match.start(1))
    for match in _SAID_ADDRESS.finditer(text):
        if _HOUSE_NUMBER.search(match[1]):
            yield match.span(1)


def _ended(begun: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Each beginning of an address with where the address ends: a pattern of both, as often as
    there are beginnings, would take half a second to compile."""
    end = 0
    while match := begun.search(text, end):
        rest = _REST.match(text, match.end())
        end = rest.end() if rest else match.end()
        yield match, end


def _without_lead(found: str, start: int) -> Place:
    """Without a capital that begins the sentence: "Its Hauptstraße 5"."""
    lead = _LEADING.match(found)
    skipped = lead.end() if lead and any(map(str.isdigit, found[lead.end() :])) else 0
    return start + skipped, start + len(found.rstrip(" ,\n"))
