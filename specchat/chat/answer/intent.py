"""What a customer's message is, before anything is looked for: a question, small talk, a wish for a
person, or no words at all. Rules over whole messages, in English and German."""

from __future__ import annotations

import re
from typing import Literal

from specchat.chat.knowledge.language import language_of

Intent = Literal["question", "talk", "person", "wordless"]
Talk = Literal["greeting", "thanks", "goodbye", "robot"]

_LONGEST_TALK = 120  # characters
_LOOK_BACK = 80  # characters in which a "not" is looked for


def intent_of(message: str) -> Intent:
    """What the message is; what is small talk and a question too is a question."""
    if not any(character.isalnum() for character in _FACES.sub(" ", message)):
        return "wordless"
    if wants_person(message):
        return "person"
    short = len(message) <= _LONGEST_TALK
    talk = short and (_TALK.fullmatch(message.strip()) or _only_thanks(message))
    return "talk" if talk else "question"


_FACES = re.compile(
    r"[0-9#*]\ufe0f?\u20e3"  # keycaps
    r"|(?<!\w)(?:[:;=][-'o^]?[)(DPpdOo3sS/|*]+|[xX]D+|<3+|[oOT^>-]_+[oOT^<-]|\\?_\(ツ\)_/?|\^{2})(?!\w)"
)
"""Faces and hearts that are typed with letters and digits, and keys that are pictures."""


def talk_of(message: str) -> Talk:
    """What kind of small talk a message is."""
    for kind, pattern in _KINDS:
        if re.search(rf"(?<!\w){pattern}(?!\w)", message, re.IGNORECASE):
            return kind
    return "greeting"


def asks_in_german(message: str) -> bool:
    """True for a question in German, a wish for a person in German, and German small talk."""
    return (
        language_of(message) == "de"
        or _WILL_MENSCH.search(message) is not None
        or _GERMAN_TALK.search(message) is not None
    )


# -- a person ----------------------------------------------------------------------------------

_PERSON = (
    r"(?:(?:an?|the|some|your|one of your)\s+)?(?:(?:real|live|actual|human|support|customer"
    r"|service)\s+)*(?:person|people|human(?: being)?|agents?|operator|representative|colleague"
    r"|someone|somebody|staff|advis[eo]r|supervisor|manager)\b"
)
_DESK = r"(?:your |the )?customer (?:support|service|care)\b|(?:your |the )?support team\b"
_WANTS_PERSON = re.compile(
    rf"\b(?:talk|speak|chat|(?:put|pass|hand|switch|transfer|connect|forward) me"
    rf"(?: through| on| over| along)?)\s+(?:directly\s+)?(?:to|with)\s+(?:{_PERSON}|{_DESK})"
    rf"|{_PERSON}\s+(?:that |who )?i (?:can|could|may) (?:talk|speak|chat|write)"
    r"|\bescalate (?:this|it|me|my \w+)\b"
    r"|\bwho (?:can|could|do|should|may) i (?:speak|talk|complain) (?:to|with)\b"
    r"|\b(?:can|could)\s+(?:someone|somebody|anyone)\s+(?:please\s+)?(?:call|contact|ring)\s+me\b"
    r"|\b(?<!you )(?:want|need|prefer|get me|give me)\s+(?:to (?:see|reach|call|contact)\s+)?"
    rf"{_PERSON}"
    rf"|^\W*{_PERSON}\W*(?:please)?\W*$",
    re.IGNORECASE,
)
_MENSCH = (
    r"(?:(?:einem|einer|einen|ein|eine|dem|der|den|jemand|euren|ihren|eurem|ihrem)\s+)*"
    r"(?:(?:echten|echter|echtem|richtigen|richtiger|richtigem|lebenden|menschlichen)\s+)*"
    r"(?:mensch(?:en)?|mitarbeiter(?:in|n)?|person|kollegen?|kollegin|berater(?:in)?|jemande[mn]"
    r"|kundenberater(?:in)?|kundendienst|support|vorgesetzten?)\b"
)
_WILL_MENSCH = re.compile(
    rf"\bmit\s+{_MENSCH}[^.!?]{{0,30}}\b(?:sprechen|reden|schreiben|chatten|verbinden|telefonieren"
    rf"|verbunden)\b"
    rf"|\b(?:sprechen|reden|verbinden sie mich|verbinde mich)\b[^.!?]{{0,20}}\bmit\s+{_MENSCH}"
    r"|\bkann mich (?:bitte )?(?:jemand|wer|einer) (?:bitte )?(?:an|zurück)rufen\b"
    rf"|\bgibt es (?:hier |da |auch |bei euch |bei ihnen )*(?:echte|richtige|lebende|menschliche)"
    rf"[nr]?\s+{_MENSCH}"
    rf"|\b(?:will|möchte|brauche|gib mir|geben sie mir|hätte gern)\s+(?:bitte\s+)?{_MENSCH}"
    rf"|^\W*(?:bitte\W+)?{_MENSCH}\W*(?:bitte)?\W*$",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:don['’]?t|do not|didn['’]?t|did not|not|never|no(?! (?:offen[cs]e|idea|worries|problem))"
    r"|without|rather than|instead of|nicht|kein(?:e[nmrs]?)?|ohne|statt)\b"
    r"(?:(?!\b(?:but|aber|sondern)\b)[^.,;:!?])*\Z",
    re.IGNORECASE,
)
_WHETHER = re.compile(r"\b(?:do i (?:need|have) to|must i|muss ich)\s+(?:\w+\s+)?\Z", re.IGNORECASE)
"""Asks whether one has to; no wish."""

_REFUSED_BOT = re.compile(
    r"\b(?:don['’]?t|do not|not|nicht)\b[^.!?]*\b(?:bot|robot|machine|computer|ai|ki|roboter|"
    r"maschine)\b",
    re.IGNORECASE,
)


def wants_person(question: str) -> bool:
    """True when a customer asks for a human being; not where the wish is negated."""
    if _REFUSED_BOT.search(question) and re.search(r"\b(?:want|like|will|möchte)\b", question):
        return True
    for pattern in (_WANTS_PERSON, _WILL_MENSCH):
        for found in pattern.finditer(question):
            before = question[: found.start()][-_LOOK_BACK:]
            unwanted = _NEGATED.search(before) or _WHETHER.search(before)
            if not unwanted and not _negates(found[0]):
                return True
    return False


def _negates(wish: str) -> bool:
    """ "Mit einem Menschen will ich nicht reden": the word stands inside."""
    return re.search(r"\b(?:nicht|kein\w*)\b", wish, re.IGNORECASE) is not None


# -- small talk --------------------------------------------------------------------------------

_FILLER = (
    r"(?:[\s,.!?:;)(-]|\b(?:so|very|much|a lot|ok|okay|oh|well|then|all|there|again|and|mate|man|"
    r"guys|folks|buddy|pal|dear|sir|madam|ma'am|friend|team|everyone|alle|zusammen)\b)*"
)
_GREETING = (
    r"(?:hi+|hello+|hey+|hiya|howdy|good (?:morning|afternoon|evening|day)|morning|hallo|guten "
    r"(?:tag|morgen|abend)|moin|servus|grüß gott|(?:hi|hello|hey) (?:there|team|all|everyone)"
    r"|(?:is )?any(?:one|body) (?:here|there)|are you there)"
)
_THANKS = (
    r"(?:thank(?:s| you)(?: for (?:your|the) (?:help|answer|time|info(?:rmation)?))?|thx|ty|cheers"
    r"|many thanks|great|perfect|awesome|wonderful|brilliant|cool|nice|super|good|fine|got it"
    r"|that(?:['’]s| is| was) (?:all|it|everything|great|perfect|good|fine|helpful)(?: i needed)?"
    r"|that helps|"
    r"that was (?:quick|helpful|easy|great|perfect)"
    r"|(?:you(?:['’]?re| are|['’]?ve been| have been| were)|u r|ur|what)"
    r" (?:(?:an?|the|so|very|really|such|too|absolute(?:ly)?|total|real|true)\s+)*"
    r"(?:great|best|star|legend|life ?saver|angel|gem|hero|awesome|amazing|wonderful|brilliant"
    r"|helpful|kind|sweet|help|lovely|fantastic|quick|fast)(?: (?:help|service|support))?"
    r"|(?:much|very much|really|greatly) appreciated|appreciated"
    r"|(?:i )?(?:(?:really|truly|very much|do) )?appreciate"
    r" (?:it|that|this|(?:your|the) (?:help|time|answer))"
    r"|(?:great|good|nice|excellent|amazing|top) (?:job|work|service|stuff|help|answer)|well done"
    r"|lovely|excellent|amazing|fantastic|love (?:it|that)|sorted|solved"
    r"|(?:das war|sehr|super|echt|sie sind|du bist)\s+(?:sehr\s+)?(?:nett|hilfreich|toll|spitze"
    r"|klasse)"
    r"|danke(?:schön| schön| sehr)?|vielen dank)"
)
_GOODBYE = (
    r"(?:bye+(?: bye)?|good ?bye|see (?:you|ya)|cya|good night|take care|have a (?:nice|good|great)"
    r" (?:day|evening|one|weekend)|tschüss|auf wiedersehen|ciao|no,? (?:that['’]?s|that was|thats) "
    r"(?:all|everything|it)|nothing else|nope|never ?mind"
    r"(?:[\s,]+(?:i(?:['’]?ve)? )?(?:found|got|sorted|solved|figured) (?:it|that)(?: out)?)?)"
)
_ROBOT = (
    r"(?:(?:so )?(?:are|r) (?:you|u) (?:an? )?(?:real(?: person| human)?|robot|bot|chat ?bot|human"
    r"(?: being)?|ai|machine|person|computer|program)(?: or (?:an? )?(?:real )?(?:robot|bot|human"
    r"|person|machine|ai))?|am i (?:talking|speaking|chatting) (?:to|with) (?:an? )?(?:real )?"
    r"(?:person|human|bot|robot|machine|ai)|is (?:this|that) (?:an? )?(?:bot|robot|real person|ai|"
    r"chat automated|human)|who are you|what are you|what(?:['’]s| is) your name|"
    r"(?:sind sie|bist du) (?:ein )?(?:roboter|bot|mensch|echt|computer))"
)
_FEELINGS = (
    r"(?:how are you(?: doing)?(?: today)?|how(?:['’]?s| is) it going|what['’]?s up|"
    r"how(?:['’]?s| is) your day|wie geht(?:['’]?s| es)(?: (?:dir|ihnen))?)"
)
_HELP = (
    r"(?:(?:can|could) (?:you|u|anyone|someone) help(?: me)?(?: please)?|help(?: me)?(?: please)?|"
    r"i (?:have a|need (?:some )?help|want to ask)(?: (?:question|something))?(?: please)?|"
    r"what can (?:you do|i ask(?: you)?)|how (?:can|does) (?:you help(?: me)?|this work))"
)
_KINDS: tuple[tuple[Talk, str], ...] = (
    ("robot", _ROBOT),
    ("goodbye", _GOODBYE),
    ("thanks", _THANKS),
)
_ANY = rf"(?:{_GREETING}|{_THANKS}|{_GOODBYE}|{_ROBOT}|{_FEELINGS}|{_HELP})"
_GERMAN_TALK = re.compile(
    r"^\W*(?:hallo|guten (?:tag|morgen|abend)|moin|servus|grüß gott|danke|vielen dank|tschüss|"
    r"auf wiedersehen|wie geht|sind sie|bist du)\b",
    re.IGNORECASE,
)
_TALK = re.compile(rf"{_FILLER}(?:{_ANY}{_FILLER}){{1,3}}[^\w]*", re.IGNORECASE)
_THANKS_TEXT = "thanks thank thx ty cheers appreciated appreciate danke dankeschön"
_AROUND_TEXT = """
a absolute absolutely actually again ah all already am and answer answered answering answers anyway
are as at away bunch bye clarified clarifies clarifying clear cleared clearing clears day did do
does done easy effort enough everything exactly explained explaining explains fast feel fine for
friendly gave glad go going good got great happy have heaps heard help helped helpful helping helps
i i'll i'm i've if im in info information is it it's its ive just kindly kindness know knowing
later life ll loads look lot lots love luck made makes many mate me million mind much my needed
nice no now of oh ok okay on one patience perfect perfectly pleased prompt quick quickly really
relief relieved reply respond responding response right saved saves sense service so solved solves
soon sorted sorts sounds super support sure team that that's thats the then think this time to
today too took truly try u understand understood up ur use useful ve very wait wanted was well were
will wonderful worked works would ya yeah yep yes you you're you've your
alles antwort auskunft das die dir du für geholfen gut habe haben hat hilfe ich ihnen ihre ist mir
nun schnelle sehr sie verstanden vielen werde
"""
_THANKED = frozenset(_THANKS_TEXT.split())
_TALKED = _THANKED | frozenset(_AROUND_TEXT.split())
"""Thanks, and what stands around them where they ask for nothing."""


def _only_thanks(message: str) -> bool:
    """ "thanks, that helped": thanks, and no word that could be about anything else."""
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", message.lower().replace("’", "'"))
    return "?" not in message and not _THANKED.isdisjoint(words) and _TALKED.issuperset(words)
