"""How customers type: no capitals, no marks, slips of the finger, short forms, a greeting before
and thanks after. Numbers, names and addresses are left as they are."""

from __future__ import annotations

import random
import re

PLAIN_SHARE = 0.45  # of questions that stay as they are
TYPO_SHARE = 0.35  # of the others: with slips of the finger

_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w",
    "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu",
    "z": "x",
}  # fmt: skip
_SHORT = {
    "you": "u", "your": "ur", "please": "pls", "are": "r", "because": "cause", "and": "n",
    "thanks": "thx", "tomorrow": "tmrw", "something": "sth", "with": "w/", "before": "b4",
    "for": "4", "I am": "im", "do not": "dont", "what is": "whats", "cannot": "cant",
}  # fmt: skip
_BEFORE = (
    "hi,", "hello,", "hey,", "Hi there!", "Good morning,", "quick question:", "sorry to bother,",
    "hello, one question:", "so,", "ok and", "pls help:", "Hi team,",
)  # fmt: skip
_AFTER = (
    "thanks", "thx", "thank you", "please", "asap", "pls", "thanks in advance!", "??", "...", "ty",
    "Kind regards",
)  # fmt: skip
_SAFE_WORD = re.compile(r"[a-z']{4,}")


def as_typed(question: str, rng: random.Random) -> str:
    """The question as some customer types it."""
    if rng.random() < PLAIN_SHARE:
        return question
    text = question
    if rng.random() < TYPO_SHARE:
        text = _slips(text, rng)
    if rng.random() < 0.25:
        text = _short_forms(text, rng)
    if rng.random() < 0.4:
        text = _careless(text, rng)
    if rng.random() < 0.2:
        text = f"{rng.choice(_BEFORE)} {text}"
    if rng.random() < 0.15:
        text = f"{text} {rng.choice(_AFTER)}"
    return text


def _slips(text: str, rng: random.Random) -> str:
    """One or two slips of the finger, in words of small letters."""
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if _SAFE_WORD.fullmatch(word)]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
        words[place] = _slip(words[place], rng)
    return " ".join(words)


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + rng.choice(_NEAR.get(word[at], word[at])) + word[at + 1 :]


def _short_forms(text: str, rng: random.Random) -> str:
    for long, short in _SHORT.items():
        if rng.random() < 0.5:
            text = re.sub(rf"\b{long}\b", short, text, count=1, flags=re.IGNORECASE)
    return text


def _careless(text: str, rng: random.Random) -> str:
    """Without capitals where no name or code is lost, without apostrophes or the last mark."""
    if rng.random() < 0.6:
        text = text[:1].lower() + text[1:]
    if rng.random() < 0.5:
        text = text.replace("'", "").replace("’", "")
    return text.rstrip(" ?.!") if rng.random() < 0.6 else text
