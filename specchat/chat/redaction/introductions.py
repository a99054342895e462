"""How texts say that a word is somebody's name: the patterns, by how sure they are."""

from __future__ import annotations

import re

from specchat.chat.redaction.patterns import CAPITAL, LONGEST_WORD, SMALL

FULL = rf"{CAPITAL}(?:[ \t]+(?:{SMALL}[ \t]+){{0,3}}{CAPITAL}){{0,4}}"
_ANY = (
    rf"[^\W\d_][\w'-]{{0,{LONGEST_WORD}}}"
    rf"(?:[ \t]+(?:{SMALL}[ \t]+){{0,2}}[^\W\d_][\w'-]{{0,{LONGEST_WORD}}}){{0,2}}"
)

# -- somebody says that it is a name -----------------------------------------------------------

_MY_NAME = (
    r"(?:my (?:full |first |last )?name(?:'s| is)|(?:full |customer )?name\s*:|i am called"
    r"|the name (?:is|on (?:the|my) \w{1,12} (?:is|says|reads|was))|(?:in|under) the name(?: of)?"
    r"|on behalf of|account holder(?: is|:)?|cardholder(?: is|:)?|recipient(?: is|:)?"
    r"|addressed to|signed for by|signed by|registered to|belongs to|attn:?|c/o"
    r"|(?:first|last|middle|full|family|sur|account|user|billing|contact) ?name\s*[:=]"
    r"|change (?:the|my|his|her) name (?:to|into)|name (?:to|should be|must be|reads)|call"
    r"(?:ed)? me"
    r"|ich hei(?:ß|ss)e|mein name (?:ist|lautet)|(?:auf|unter) (?:den|dem) namen|im namen von"
    r"|namens|je (?:m'appelle|suis)|mon nom est|au nom de|me llamo|mi nombre es|a nombre de|soy"
    r"|mi chiamo|mijn naam is|ik heet|ik ben|op naam van|op de naam|nazywam się|mam na imię"
    r"|na nazwisko|z tej strony|benim adım|adım)"
)
NAMED = re.compile(rf"\b(?i:{_MY_NAME})\s+[\"'“„]?({FULL})")
RENAMED = re.compile(rf"(?i:name from)\s+({FULL})\s+(?i:to|into)\s+({FULL})")
NAMED_ELSEWHERE = re.compile(  # Russian, Ukrainian
    r"(?i:меня зовут|мене звати|мо[её] имя|мене звуть|имя:|з повагою,?|с уважением,?)\s+"
    r"((?-i:[А-ЯЁІЇЄҐ])[\w'-]{1,40}(?:[ \t](?-i:[А-ЯЁІЇЄҐ])[\w'-]{1,40}){0,2})"
)
NAMED_SMALL = re.compile(
    rf"\b(?:my (?:full )?name(?:'s| is)|(?<!user)name\s*[:=]|ich hei(?:ß|ss)e|mein name ist"
    rf"|je m'appelle"
    rf"|me llamo|mi nombre es|mijn naam is|ik heet|nazywam się)\s+({_ANY})"
    rf"(?=\s*(?:$|[.,;!\n]|\s(?:and|but|und|aber|et|y|en|i|from|order)\b))",
    re.IGNORECASE,
)
SAID_SMALL = re.compile(
    rf"\b(?:this is|it's|its|i am|i'm|should (?:say|be|read)|name is|ich bin|hier ist|je suis|soy"
    rf"|ik ben)\s+"
    rf"({_ANY})",
    re.IGNORECASE,
)
TITLED = re.compile(
    rf"\b((?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Familie|Monsieur|Madame|Mme|Mlle|Señora?|Sr"
    rf"|Sra|Bay|Bayan"
    rf"|[Pp]ani?|[Mm]evrouw|[Dd]e heer|[Mm]evr|[Dd]hr)"
    rf"\.?\s+(?:{SMALL}\s+){{0,2}}{FULL})"
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
_FAMILLE = (
    r"(?:m(?:on|a)|mi|mijn|mój|moja) (?:mari|femme|fils|fille|frère|sœur|père|mère|ami|amie"
    r"|voisin|voisine"
    r"|marido|esposa|mujer|hijo|hija|hermano|hermana|padre|madre|amigo|amiga|vecino|vecina|man"
    r"|vrouw"
    r"|zoon|dochter|broer|zus|vader|moeder|vriend|vriendin|buurman|buurvrouw|mąż|żona|syn|córka"
    r"|brat"
    r"|siostra|ojciec|matka)"
)
RELATED = re.compile(
    rf"\b(?i:(?:my|his|her|our|their) (?:\w+ )?{_RELATIVE}(?:,| is| called| named)?"
    rf"|meine?[rmn]? {_VERWANDT},?|{_FAMILLE},?)\s+({FULL})"
)

# -- somebody who does something, or is spoken to ----------------------------------------------

_ROLE = (
    r"(?:agent|manager|supervisor|representative|rep|advis[oe]r|technician|driver|courier|operator"
    r"|employee|clerk|consultant|specialist|receptionist|lady|gentleman|guy|man|woman|person"
    r"|someone|somebody|customer|buyer|seller|owner|tenant|guest)"
)
CUED = re.compile(
    rf"\b(?i:i am|i'm"
    rf"|(?:hello|hi|hey|good (?:morning|day|afternoon|evening)),? (?:this is|it's)"
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
    rf"|ich bin|hier spricht|(?:mit|von) (?:ihrem|ihrer|eurem|eurer) \w+)\s+({FULL})"
)
DOES = re.compile(
    rf"(?<![\w@])({FULL})(?i:,?\s+(?:here|speaking|and (?:i|me|my)|said|says|told|tells"
    rf"|promised|assured|wrote|confirmed"
    rf"|replied|explained|mentioned|claimed|insisted|apologi[sz]ed|agreed|helped|phoned|emailed"
    rf"|signed for|picked (?:it )?up|lives|works|moved|paid|never (?:got|received)|has not received"
    rf"|ordered|bought|placed|cancell?ed|returned it|collected it|accepted it|opened it"
    rf"|sagte|meinte|hat mir|wohnt|schrieb|hat (?:es )?(?:bestellt|bezahlt)))\b"
)
OWNS = re.compile(
    rf"(?<![\w@])({CAPITAL}(?:[ \t]+{CAPITAL})?)(?:(?<='s)|(?<=s)')\s+"
    rf"(?:[a-z]+\s+){{0,2}}?(?:parcel|package|order"
    rf"|account|address|birthday|wedding|card|house|flat|phone|number|e-?mail|gift|present|delivery"
    rf"|invoice|refund|profile|subscription|apartment|place|door|room|desk|signature|name)\b"
)
SAID = re.compile(rf"\b(?i:this is|it's|its|here is|here's|hier ist)\s+['\"]?({FULL})")
SENT = re.compile(
    rf"\b(?i:send|sent|deliver|delivered|ship|shipped|forward|forwarded)(?i: it| them| this| that)?"
    rf"\s+(?i:to)\s+({FULL})"
)
WITH = re.compile(rf"\b(?i:with|by|mit|avec|con|met|z)\s+({FULL})")
FROM = re.compile(rf"\b(?i:for|from|to|an|für|von|bei|de|pour|para|voor|dla|od)\s+({FULL})")
ASKED = re.compile(
    rf"\b(?i:can|could|may|should|did|has|let|kann|könnte|soll|hat)\s+({FULL})(?=\s+[a-z]{{2,}})"
)

# -- where a letter begins and ends ------------------------------------------------------------

GREETED = re.compile(
    rf"(?:^|(?<=[\n.!?]))[^\S\n]{{0,9}}(?i:hi|hello|hey|dear|good (?:morning|day|afternoon"
    rf"|evening)|hallo"
    rf"|liebe[rs]?|guten (?:tag|morgen|abend)|bonjour|hola|merhaba|beste|dzień dobry|buenos días)"
    rf"[ ,]{{1,3}}({FULL})\s{{0,9}}(?=[,!.\n-])"
)
_CLOSING = (
    r"(?:(?:best |kind(?:est)? |warm(?:est)? |with )?regards|best(?: wishes)?|thanks(?: again"
    r"| a lot| in advance| so much)?|thank you|many thanks|thx|ty|cheers|sincerely|yours"
    r"(?: truly| sincerely| faithfully)?|respectfully|cordially|greetings|love|take care|lg|mfg|vg"
    r"|signed"
    r"|(?:mit )?(?:freundlichen?|vielen?|viele|besten?|lieben?|liebe|herzlichen?|schönen?|beste)"
    r" gr(?:ü|ue)(?:ß|ss)en?|gru(?:ß|ss)|danke|vielen dank|cordialement|bien à vous|merci"
    r"|saludos|un saludo|atentamente|gracias|groeten|met vriendelijke groet(?:en)?|mvg|pozdrawiam"
    r"|z poważaniem|saygılarımla|teşekkürler)"
)
SIGNED = re.compile(
    rf"\b(?i:{_CLOSING})[,.!\s~-]{{1,6}}({FULL})\s{{0,9}}(?=[.!]|$|\n)", re.MULTILINE
)
SIGNED_SMALL = re.compile(
    rf"\b{_CLOSING}(?:[,.!~-]{{1,4}}\s{{0,4}}|\s{{1,4}})([^\W\d_]{{3,{LONGEST_WORD}}}"
    rf"(?: [^\W\d_][\w'-]{{2,{LONGEST_WORD}}})?)"
    r"\s{0,9}(?:[.!]\s{0,4})?$",
    re.IGNORECASE | re.MULTILINE,
)
LAST_LINE = re.compile(
    rf"(?:(?<=\n)|(?<=[.!?]\s)|(?<=\s[~-]))[^\S\n]{{0,9}}(?:[~-][^\S\n]{{0,9}})?"
    rf"({FULL})\s{{0,99}}\Z"
)
