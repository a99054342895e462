"""Where a text names a person.

Patterns and lists of names and of ordinary words, no model. A name is found where a customer
introduces one, greets or signs with it, where somebody of that name does or is told something, and
where a known given or family name stands; a rare name without any such sign is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from specchat.chat.redaction.family_names import FAMILY_NAMES, SOFT_FAMILY_NAMES
from specchat.chat.redaction.given_names import GIVEN_NAMES, SOFT_GIVEN_NAMES
from specchat.chat.redaction.ordinary_words import is_brand, is_ordinary
from specchat.chat.redaction.patterns import CAPITAL, LONGEST_WORD, SMALL, UPPER, Place, matches
from specchat.chat.redaction.place_names import CITIES, COUNTRIES

_LONG = rf"{UPPER}[\w'’-]{{1,{LONGEST_WORD}}}"
_FULL = rf"{CAPITAL}(?:[ \t]+(?:{SMALL}[ \t]+){{0,2}}{CAPITAL}){{0,3}}"
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
_KNOWN = frozenset(name.lower() for name in GIVEN_NAMES | FAMILY_NAMES)
_SOFT = frozenset(name.lower() for name in SOFT_GIVEN_NAMES | SOFT_FAMILY_NAMES)
_GIVEN_SMALL = frozenset(name.lower() for name in GIVEN_NAMES if len(name) > 3)
_FAMILY_SMALL = frozenset(
    name.lower() for name in FAMILY_NAMES | SOFT_FAMILY_NAMES if len(name) > 2
)

# -- somebody says that it is a name -----------------------------------------------------------

_NAMED = re.compile(
    rf"\b(?:i:my (?:full |first |last )?name(?:['’]s| is)|(?:full |customer )?name\s*:|i am called"
    rf"|the name (?:is|on the (?:order|account|card|parcel) is)|(?:in|under) the name(?: of)?"
    rf"|on behalf of|account holder(?: is|:)?|cardholder(?: is|:)?|recipient(?: is|:)?"
    rf"|addressed to|signed for by|signed by|registered to|belongs to|attn:?|c/o"
    rf"|(?:first|last|middle|full|family|sur|account|user|billing|contact) ?name\s*[:=]"
    rf"|ich hei(?:ß|ss)e|mein name (?:ist|lautet)|(?:auf|unter) (?:den|dem) namen|im namen von"
    rf"|namens|je m['’]appelle|mon nom est|me llamo|mi nombre es|mi chiamo|mijn naam is|ik heet"
    rf"|benim adım|adım)\s+({_FULL})"
)
_NAMED_SMALL = re.compile(
    rf"\b(?:my (?:full )?name(?:['’]s| is)|ich hei(?:ß|ss)e|mein name ist)\s+({_ANY})"
    rf"(?=\s*(?:$|[.,;!\n]|\s(?:and|but|und|aber)\b))",
    re.IGNORECASE,
)
_TITLED = re.compile(
    rf"\b((?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Familie|Monsieur|Madame|Señora?|Sr|Sra|Bay|Bayan)"
    rf"\.?\s+(?:{SMALL}\s+){{0,2}}{_FULL})"
)
_RELATIVE = (
    r"(?:wife|husband|spouse|son|daughter|mother|father|mom|mum|dad|sister|brother|partner|friend"
    r"|neighbou?r|colleague|coworker|boss|fiancée?|girlfriend|boyfriend|grand(?:ma|pa|son|mother"
    r"|father|daughter)|uncle|aunt|cousin|niece|nephew|roommate|flatmate|housemate|landlord"
    r"|assistant|secretary|baby)"
)
_VERWANDT = (
    r"(?:mann|frau|sohn|tochter|freundin|freund|mutter|vater|bruder|schwester|nachbarin|nachbar"
    r"|kollegin|kollege|chefin|chef|partnerin|partner|oma|opa|tante|onkel)"
)
_RELATED = re.compile(
    rf"\b(?i:(?:my|his|her|our|their) (?:\w+ )?{_RELATIVE}(?:,| is| called| named)?"
    rf"|meine?[rmn]? {_VERWANDT},?)\s+({_FULL})"
)

# -- somebody who does something, or is spoken to ----------------------------------------------

_ROLE = (
    r"(?:agent|manager|supervisor|representative|rep|advis[oe]r|technician|driver|courier|operator"
    r"|employee|clerk|consultant|specialist|receptionist|lady|gentleman|guy|man|woman|person"
    r"|someone|somebody|customer|buyer|seller|owner|tenant|guest)"
)
_CUED = re.compile(
    rf"\b(?i:i am|i['’]m"
    rf"|(?:hello|hi|hey|good (?:morning|day|afternoon|evening)),? (?:this is|it['’]s)"
    rf"|(?:parcel|package|delivery|order|gift|present|letter|box) (?:for|to)"
    rf"|(?:order(?:ed)?|buy|bought|got|booked|meant|intended|reserved) (?:it |this |one |them )?for"
    rf"|(?:speak|spoke|spoken|speaking|talk|talked|talking|chat|chatted|dealt|dealing|met|meet|live"
    rf"|work) (?:to|with)|(?:ask|asked|asking|waiting) for"
    rf"|(?:told|informed|helped|assured|promised|advised|served|assisted|contacted|called|phoned"
    rf"|received|accepted|collected|sent|written|handled|answered|ordered|placed|paid) by"
    rf"|(?:contact|call|phone|ring|text|email|message|tell|told|ask|asked|inform|informed|notify"
    rf"|invite|remind|thank|thanks to|give (?:it )?to|hand (?:it )?to|instead of|care of)"
    rf"|(?:your |the |an |a |another )?(?:\w+ )?{_ROLE}(?:,| named| called| by the name of)?"
    rf"|(?:named|called|by the name of|(?:name|recipient|addressee|contact|holder)"
    rf" (?:is|was|reads|should be|must be|has to be))"
    rf"|(?:recipient|customer|contact|buyer|attention|(?:ship|bill|deliver|sold) to|cc)\s*:"
    rf"|ich bin|hier spricht|(?:mit|von) (?:ihrem|ihrer|eurem|eurer) \w+)\s+({_FULL})"
)
_DOES = re.compile(
    rf"(?<![\w@])({_FULL})(?i:,?\s+(?:here|speaking|and (?:i|me|my)|said|says|told|tells"
    rf"|promised|assured|wrote|confirmed"
    rf"|replied|explained|mentioned|claimed|insisted|apologi[sz]ed|agreed|helped|phoned|emailed"
    rf"|signed for|picked (?:it )?up|lives|works|moved|paid|never (?:got|received)|has not received"
    rf"|sagte|meinte|hat mir|wohnt|schrieb))\b"
)
_OWNS = re.compile(
    rf"(?<![\w@])({CAPITAL}(?:[ \t]+{CAPITAL})?)(?:(?<=['’]s)|(?<=s)['’])\s+"
    rf"(?:[a-z]+\s+){{0,2}}?(?:parcel|package|order"
    rf"|account|address|birthday|wedding|card|house|flat|phone|number|e-?mail|gift|present|delivery"
    rf"|invoice|refund|profile|subscription|apartment|place|door|room|desk|signature|name)\b"
)
_SAID = re.compile(rf"\b(?i:this is|it['’]s|its|here is|here['’]s|hier ist)\s+['\"]?({_FULL})")
_SENT = re.compile(
    rf"\b(?i:send|sent|deliver|delivered|ship|shipped|forward|forwarded)(?i: it| them| this| that)?"
    rf"\s+(?i:to)\s+({_FULL})"
)
_WITH = re.compile(rf"\b(?i:with|by|mit)\s+({_FULL})")
_FROM = re.compile(rf"\b(?i:for|from|to|an|für|von|bei)\s+({_FULL})")
_ASKED = re.compile(
    rf"\b(?i:can|could|may|should|did|has|let|kann|könnte|soll|hat)\s+({_FULL})(?=\s+[a-z]{{2,}})"
)

# -- where a letter begins and ends ------------------------------------------------------------

_GREETED = re.compile(
    rf"(?:^|(?<=[\n.!?]))[^\S\n]*(?i:hi|hello|hey|dear|good (?:morning|day|afternoon|evening)|hallo"
    rf"|liebe[rs]?|guten (?:tag|morgen|abend)|bonjour|hola|merhaba)[ ,]+({_FULL})\s*(?=[,!.\n–-])"
)
_CLOSING = (
    r"(?:(?:best |kind(?:est)? |warm(?:est)? |with )?regards|best(?: wishes)?|thanks(?: again"
    r"| a lot| in advance| so much)?|thank you|many thanks|thx|ty|cheers|sincerely|yours"
    r"(?: truly| sincerely| faithfully)?|respectfully|cordially|greetings|love|take care|lg|mfg|vg"
    r"|(?:mit )?(?:freundlichen?|vielen?|besten?|lieben?|herzlichen?|schönen?)"
    r" gr(?:ü|ue)(?:ß|ss)en?|gru(?:ß|ss)|danke|vielen dank|cordialement|merci"
    r"|saludos|gracias|saygılarımla|teşekkürler)"
)
_SIGNED = re.compile(rf"\b(?i:{_CLOSING})[,.!\s–—~-]+({_FULL})\s*(?:[.!]\s*)?$", re.MULTILINE)
_SIGNED_SMALL = re.compile(
    rf"\b{_CLOSING}(?:[,.!–—~-]+\s*|\s+)([^\W\d_]{{3,}}(?: [^\W\d_][\w'’-]{{2,}})?)"
    r"\s*(?:[.!]\s*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_LAST_LINE = re.compile(
    rf"(?:(?<=\n)|(?<=[.!?]\s)|(?<=\s[–—~-]))[^\S\n]*(?:[–—~-][^\S\n]*)?({_FULL})\s*$"
)
_LINE = re.compile(rf"^[ \t]*({_FULL})[ \t]*(?:,[ \t]*)?$", re.MULTILINE)
_CONTACT = re.compile(r"\d{2}|@")

# -- known names -------------------------------------------------------------------------------

_RUN = re.compile(rf"(?<![\w@.#])(?:{SMALL}[ \t]+)?{_FULL}")
_INITIALS = re.compile(rf"(?<![\w.])((?:{UPPER}\.\s?){{1,2}}{UPPER}[\w'’-]{{2,}})")
_SMALL_NAME = re.compile(r"(?<![\w@.'’/-])([a-z]{4,})(?:[ \t]+([a-z]['’]?[a-z]{2,}))?(?![\w@'’/-])")
_LEAST_SMALL = 5  # letters of a given name that is found in small letters without a family name
_IN_PLACE = re.compile(
    r"(?:\b(?i:in|near|around|at|between)\s+(?:the\s+)?|\b(?:San|Santa|Saint|St\.?|Bad|Port|Fort|New|Los|Las|El"
    r"|Lake|Mount|Mt\.?|Sankt)\s)$"
)
_REVERSED = re.compile(rf"(?<!\w)({_LONG}),[ \t]+({_LONG})")
_AND = re.compile(rf"\s*(?:&|\+|and|und|or|oder|y|et)\s+({_FULL})")
_WORD = re.compile(r"\S+")
_SPELLED = re.compile(
    rf"(?:Mc|Mac|De|Di|La|Le|Van|[DO]['’]|{UPPER}\w+-)?{UPPER}[^\W\dA-Z_'’]+['’]?"
)
_PARTICLE = re.compile(SMALL)
_INITIAL = re.compile(rf"{UPPER}\.?")


def names(text: str) -> Iterator[Place]:
    """Names of people, in no order; some may overlap."""
    found = [place for place in _found(text) if not _is_place(text, *place)]
    yield from found
    for _, end in found:
        more = _AND.match(text, end)
        if more is not None:
            yield from _person(more)


def _found(text: str) -> Iterator[Place]:
    for match in matches(text, _NAMED, _TITLED, _RELATED):
        yield from _trimmed(match[1], match.start(1))
    for match in _NAMED_SMALL.finditer(text):
        if match[1][0].isupper() or not is_ordinary(match[1].split()[0]):
            yield from _trimmed(match[1], match.start(1))
    for match in matches(text, _CUED, _ASKED, _GREETED, _SIGNED, _LAST_LINE, _INITIALS):
        yield from _person(match)
    for match in matches(text, _DOES, _OWNS):
        if _name_words(match[1]) == match[1]:  # up to the verb, or to what is owned
            yield from _person(match)
    for match in _SIGNED_SMALL.finditer(text):
        if match[1].split()[0].lower() in _KNOWN and not is_ordinary(match[1].split()[0]):
            yield match.span(1)
    for match in matches(text, _SENT, _WITH):  # one word alone may be a place or a thing
        yield from _person(match, least=2)
    for match in matches(text, _SAID, _FROM):  # and two unknown ones too
        yield from _person(match, least=2, known=True)
    yield from _contact_lines(text)
    yield from _listed(text)


def _contact_lines(text: str) -> Iterator[Place]:
    """Lines that are a name and nothing else, over or under a number, an address or an e-mail."""
    lines = text.split("\n")
    if len(lines) == 1:
        return
    numbers = [bool(_CONTACT.search(line)) for line in lines]
    for match in _LINE.finditer(text):
        row = text.count("\n", 0, match.start(1))
        if any(numbers[max(0, row - 1) : row + 2]):
            yield from _person(match)


def _listed(text: str) -> Iterator[Place]:
    """Names of the lists: a given name with what follows it, any word before a family name."""
    for match in _RUN.finditer(text):
        words = list(_WORD.finditer(match[0]))
        for index, word in enumerate(words):
            then = (each[0] for each in words[index + 1 :] if not _PARTICLE.fullmatch(each[0]))
            if _begins(word[0], next(then, "")):
                rest = match[0][word.start() :]
                if not is_brand(match[0]) and not is_brand(rest):
                    yield from _trimmed(_name_words(rest), match.start() + word.start())
                break
    for match in _SMALL_NAME.finditer(text):
        given, family = match[1], match[2] or ""
        if given in _GIVEN_SMALL and not is_ordinary(given):
            if family in _FAMILY_SMALL:
                yield match.span()
            elif len(given) >= _LEAST_SMALL and not is_brand(match[0]):
                yield match.span(1)
    for match in _REVERSED.finditer(text):
        if match[1] in FAMILY_NAMES and match[2] in GIVEN_NAMES:
            yield match.span()


def _begins(word: str, after: str) -> bool:
    """True when a name begins with this word: a given name, or any name before a family name."""
    bare, then = _bare(word), _bare(after)
    if _titled(bare) in GIVEN_NAMES:
        return not (bare.isupper() and len(bare) < 4)
    known = any(_titled(part) in FAMILY_NAMES for part in (then, *then.split("-")))
    if _titled(bare) in SOFT_GIVEN_NAMES:
        return known or _titled(then) in SOFT_FAMILY_NAMES
    return known and _may_be_name(word) and not bare.isupper()


def _person(match: re.Match[str], *, least: int = 1, known: bool = False) -> Iterable[Place]:
    """The words of the match's group that are a name: at least `least`, and with `known` one of
    the lists among them."""
    words = _name_words(match[1])
    count = len(words.split())
    if count < least or is_brand(match[1]):
        return ()
    if known and not any(_bare(word).lower() in _KNOWN for word in words.split()):
        return ()
    return _trimmed(words, match.start(1))


def _name_words(found: str) -> str:
    """The beginning of `found` up to the first word that is in no name."""
    end = 0
    for word in _WORD.finditer(found):
        if _PARTICLE.fullmatch(word[0]):
            continue
        if not _may_be_name(word[0]):
            break
        end = word.end()
        if word[0][-1] in ".,!?" and len(_bare(word[0])) > 3:
            break
    return found[:end]


def _may_be_name(word: str) -> bool:
    """True for a known name, and for a word that is neither ordinary nor a place nor a brand."""
    bare = _bare(word)
    lower = bare.lower()
    if _INITIAL.fullmatch(word):
        return word != "I"
    if any(part in _KNOWN or part in _SOFT for part in (lower, *lower.split("-"))):
        return True
    if bare.isupper() or not _SPELLED.fullmatch(bare):
        return False
    plain = bare.replace("’", "").replace("'", "")
    return not (is_ordinary(plain) or lower in _STOP or lower in CITIES or lower in COUNTRIES)


def _bare(word: str) -> str:
    return re.sub(r"['’]s$", "", word.strip(".,!?:;\"'’-–()"))


def _titled(word: str) -> str:
    """As the lists spell it: "MARIA" is "Maria"."""
    return word.capitalize() if word.isupper() else word


def _is_place(text: str, start: int, end: int) -> bool:
    """True for a known place, and for a single word where a place is said: "in Charlotte"."""
    name = text[start:end].strip(".,").lower()
    if name in CITIES or name in COUNTRIES:
        return True
    return " " not in name and _IN_PLACE.search(text[max(0, start - 20) : start]) is not None


def _trimmed(found: str, start: int) -> Iterable[Place]:
    """Without what follows the name: a sentence's end, or a capital that starts something else."""
    end = 0
    for word in _WORD.finditer(found):
        bare = re.sub(r"['’]s$", "", word[0].strip(".,'’-"))
        if bare.lower() in _STOP or bare.lower() in COUNTRIES:
            break
        end = word.start() + len(bare)
        if len(bare) > 3 and word[0].endswith("."):
            break
    if end > 1:
        yield start, start + end
