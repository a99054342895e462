"""The sentences that made-up values are put into: of real customers where there are some, and a
small list of our own.

A real message gives a frame in two ways. Where its writer had told something personal, the value
takes its place in the writer's own sentence. Else the value comes before or behind the message,
said as the list says it.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("frames.txt")
_OTHER_TEXT = "spec_bench"  # exercises and articles, full of people in public life
_LONGEST = 2_000  # characters of a message that redaction has to do with


@dataclass(frozen=True, slots=True)
class Frame:
    """A text around a value."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RealMessages:
    """What real customers wrote, as far as it serves as frames."""

    clean: tuple[str, ...]  # nothing personal in them
    slots: Mapping[str, tuple[Frame, ...]]  # kind -> sentences around something personal
    left_out: int  # messages that hold something personal and are neither


@cache
def own_frames() -> Mapping[str, tuple[Frame, ...]]:
    """The list, by kind."""
    found: dict[str, list[Frame]] = defaultdict(list)
    for line in _LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, sentence = line.split("\t")
            found[kind].append(Frame(*sentence.split("{}")))
    return {kind: tuple(frames) for kind, frames in found.items()}


def frames(kind: str, real: RealMessages | None, dice: random.Random) -> Iterator[Frame]:
    """Frames for a kind, without end."""
    own = own_frames()[kind]
    slots = real.slots.get(kind, ()) if real else ()
    while True:
        if slots and dice.random() < 0.4:
            yield dice.choice(slots)
            continue
        frame = dice.choice(own)
        if real is not None:
            message = dice.choice(real.clean)
            if dice.random() < 0.5 and len(message) < _LONGEST - 200:
                frame = Frame(f"{_ended(message)} {frame.before}", frame.after)
            else:
                frame = Frame(frame.before, f"{_stop(frame.after)} {message}")
        yield frame


def _ended(message: str) -> str:
    return message if message[-1] in ".!?" else message + "."


def _stop(after: str) -> str:
    return after if after.endswith((".", "?", "!")) else after + "."


def real_messages(folder: Path) -> RealMessages | None:
    """The user messages of conversations in a folder's `*.jsonl.gz`; None without any. What is
    not of customers (`_OTHER_TEXT`) is left out."""
    texts: dict[str, None] = {}
    for file in sorted(folder.glob("*.jsonl.gz")):
        if file.name.startswith(_OTHER_TEXT):
            continue
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                for message in json.loads(line)["messages"]:
                    if message["role"] == "user":
                        texts[message["content"].strip()] = None
    return _sorted_out(text for text in texts if 0 < len(text) <= _LONGEST) if texts else None


_TOLD = {  # what a writer told about somebody, found without any part of redaction
    "email": re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\w"),
    "name": re.compile(
        r"(?:(?i:name is|name['’]s|name:|my name|this is|regards,|sincerely,|its|it['’]s)\s+)"
        r"([A-Z][a-z]+ [A-Z][a-z]+)(?=[.,!?\n]|$| and | here)|(\{\{Person Name\}\})"
    ),
    "phone": re.compile(
        r"(?i:(?<!order )(?<!tracking )(?<!reference )"
        r"\b(?:number|phone|mobile|call|cell|its|it['’]s)(?: \w+)?(?: is)?:?) "
        r"((?:\+?91[ -]?)?[6-9]\d{9})\b"
    ),
    "address": re.compile(
        r"\b(?:(?i:flat|house|plot)(?: no\.?)? )?\d+[A-Za-z]?(?:/\d+)?,? (?:[A-Z][\w.]*,? ){1,6}"
        r"(?:- )?\d{6}\b|\b123 Main Street, (?:[A-Z]\w+,? )*[A-Z]\w+(?: \d{5,6})?"
    ),
    "card": re.compile(r"(?<=number is )<redacted>|(?<=card is )<redacted>"),
    "cvv": re.compile(r"(?i:cvv|cvc)(?: is|:)? (\d{3})\b"),
    "code": re.compile(r"(?i:otp)(?: is|:) (\d{4,6})\b"),
}
_ADDRESS_BEGINS = re.compile(r"(?:^|[.:!?\n]|\b(?i:is|its|it's|to|at|address|in))\s*$")
_PERSONAL = re.compile(  # too much about somebody to serve as a text without
    r"@|<redacted>|\b\d{10}(?=\D|$)|\b[6-9]\d{9}|\b(?i:name is|my name|myself|name's|name:|naam"
    r"|regards,|sincerely,|mr\.?|mrs\.?|ms\.?|dr\.?)\s+[A-Za-z]|\*{3,} ?\d{4}"
    r"|\b(?i:cvv|otp|pin|pincode|cvc)\b\D{0,30}\d{3}|\b(?i:ending|last 4|last four)\b|\b\d{6}\b"
    r"|\b(?i:street|st|road|rd|nagar|apartments?|lane|layout|colony|society|avenue|towers?|marg"
    r"|heights|sector|villas?|phase|flat|house no|plot|block|apt|building)\b.{0,20}\d"
    r"|\d.{0,40}\b(?i:street|st|road|rd|nagar|apartments?|lane|layout|colony|society|avenue|towers?"
    r"|marg|heights|sector|villas?|phase|flat|house|plot|block|apt|building)\b"
    r"|\b(?:I am|I'm|i'm|i am|this is|This is|its|It's|it's|Its) [A-Z][a-z]+ ?[A-Z]?[a-z]*\b"
    r"(?=[.,]| here)"
    r"|\b(?i:aarav|aditi|aditya|aisha|ajay|akash|amit|anand|anil|anita|anjali|ankit|arjun|arun|asha"
    r"|ashok|deepa|deepak|deepika|divya|gupta|iyer|jain|joshi|kapoor|karan|kavita|khan|kiran|kumar"
    r"|lakshmi|manoj|meena|meera|mehta|menon|mishra|mohan|nair|neha|nikhil|pandey|patel|pooja"
    r"|prakash"
    r"|preeti|priya|radha|rahul|raj|rajesh|raju|rakesh|ram|ramesh|ravi|reddy|rekha|riya|rohan|rohit"
    r"|sandeep|sanjay|sarah|sharma|shreya|singh|sneha|suman|sunil|sunita|suresh|verma|vijay|vikram"
    r"|vivek|yadav|john|smith|jane|david|emily|michael|alex|maria|mary)\b"
)
"""Names are those that these writers and bots use most; what else is a name stays in, and counts
against redaction."""
_SLOT = re.compile(r"\{\{([^}]*)\}\}")
_FILLED = {
    "Order Number": ("4417", "#88213", "407-5678901-2345678", "ORD-10442", "00123842", "7719 203"),
    "Invoice Number": ("00108", "INV-2024-0117", "#12588", "37777"),
    "Account Type": ("Premium", "Gold", "Free", "Pro", "Platinum"),
    "Account Category": ("premium", "Freemium", "Standard", "gold"),
    "Currency Symbol": ("$", "€", "£"),
    "Refund Amount": ("50", "1,250.50", "29.90"),
    "Delivery City": ("Berlin", "Austin", "Leeds", "Kraków"),
    "Delivery Country": ("France", "Portugal", "Canada"),
}  # fmt: skip


def _sorted_out(texts: Iterator[str]) -> RealMessages:
    clean, left_out = [], 0
    slots: dict[str, list[Frame]] = defaultdict(list)
    for text in texts:
        told = [(kind, match) for kind, rule in _TOLD.items() for match in rule.finditer(text)]
        for kind, match in told if len(told) == 1 else ():
            start, end = match.span(match.lastindex or 0)
            around = text[:start] + text[end:]
            whole = kind != "address" or _ADDRESS_BEGINS.search(text[:start])
            if whole and not _PERSONAL.search(around):
                slots[kind].append(Frame(_filled(text[:start]), _filled(text[end:])))
        filled = _filled(text)
        if told or "{{" in filled or _PERSONAL.search(filled):
            left_out += 1
        else:
            clean.append(filled)
    return RealMessages(tuple(clean), {kind: tuple(all_) for kind, all_ in slots.items()}, left_out)


def _filled(text: str) -> str:
    """With the slots of a template filled, a person's name excepted."""

    def value(match: re.Match[str]) -> str:
        choices = _FILLED.get(match[1])
        return choices[match.start() % len(choices)] if choices else match[0]

    return _SLOT.sub(value, text)
