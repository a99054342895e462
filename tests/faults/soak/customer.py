"""A customer who does what people do on the page, in an order that a seed decides, over the page's
own endpoints."""

from __future__ import annotations

import json
import random
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from specchat.ui.shared.identity import new_owner
from tests.faults.soak.wire import Wire

_WORDS = random.SystemRandom()


class Reply(NamedTuple):
    """An answer that a customer has seen to its end, on a page that lists it as kept."""

    turn: str  # "" where the page does not tell
    conversation: str
    question: str
    status: str  # "" where the page does not tell
    seconds: float


@dataclass
class Seen:
    """What customers know, all of them together."""

    replies: list[Reply] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)  # words of whom the app said they are gone
    answers: list[tuple[float, float]] = field(default_factory=list)  # when, how long; seconds
    counts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Customer(threading.Thread):
    """Comes, asks and leaves until told to stop, or until nobody answers any more."""

    def __init__(self, url: str, seed: str, seen: Seen, began: float, leaves: bool = False) -> None:
        super().__init__(daemon=True)
        self._wire = Wire(url)
        self._random = random.Random(seed)
        self._seen = seen
        self._began = began  # monotonic seconds; the answers' times count from there
        self._leaves = leaves  # erases everything at the end
        self._done = threading.Event()
        self._fresh()

    def finish(self) -> None:
        """End after what is being done."""
        self._done.set()

    def run(self) -> None:
        try:
            self._wire.open()
            self._ask()
            while not self._done.is_set():
                self._act(self._random.choices(list(_ACTIONS), _ACTIONS.values())[0])
                self._done.wait(self._random.uniform(0.0, 0.3))
            if self._leaves:
                self._act(Customer._erase)
        except (httpx.HTTPError, ConnectionError) as error:
            if not self._done.is_set():
                self._note(f"{type(error).__name__}: {error}")
        except Exception as error:  # a thread's fault is otherwise seen by nobody
            self._note(f"{type(error).__name__}: {error}")
        finally:
            self._wire.close()

    # -- what customers do ---------------------------------------------------------------------

    def _ask(self, stops: bool = False) -> None:
        question, began = self._question(), time.monotonic()

        def stop() -> None:
            self._wire.press("handle sc-stop.click", self._identity())

        shown = self._wire.press(
            "ask sc-question.submit", self._identity(), {"sc-question": question},
            meanwhile=stop if stops and self._conversation else None,
        )  # fmt: skip
        self._conversation = _identity_in(shown).get("conversation", self._conversation)
        self._saw(shown, "", question, "", time.monotonic() - began)

    def _ask_and_stop(self) -> None:
        self._ask(stops=True)

    def _ask_as_program(self) -> None:
        """The endpoint for programs tells the turn; the page, opened then, that it is kept."""
        question, began = self._question(), time.monotonic()
        data = [question, self._conversation, self._owner, True, 0.8, 24, None, True]
        (told,) = self._wire.send("chat program", data) or [{}]
        seconds = time.monotonic() - began
        if told.get("done"):
            self._conversation = told["conversation"]
            shown = self._wire.press("handle page.load", self._identity())
            self._saw(shown, told["turn"], question, told["status"], seconds)

    def _retry(self) -> None:
        if not self._mine:
            return
        last, began = self._mine[-1], time.monotonic()
        self._unsee(self._mine[-1:])  # from now on there is the one or the other
        shown = self._wire.press("retry sc-chat.retry", self._identity())
        self._saw(shown, "", last.question, "", time.monotonic() - began)

    def _undo(self) -> None:
        self._unsee(self._mine[-1:])
        self._wire.press("handle sc-chat.undo", self._identity())

    def _rate(self) -> None:
        values = {
            "sc-score": str(self._random.randint(1, 5)),
            "sc-comment": f"it is {self._word()}",
        }
        self._wire.press("handle sc-rate.click", self._identity(), values)
        self._new_conversation()

    def _like(self) -> None:
        self._wire.press("like sc-chat.like", self._identity())

    def _hand_over(self) -> None:
        self._wire.press("handle sc-person.click", self._identity())
        self._wire.press("handle sc-back.click", self._identity())

    def _erase(self) -> None:
        self._unsee([*self._earlier, *self._mine])
        shown = self._wire.press("handle sc-forget-yes.click", self._identity())
        if _identity_in(shown).get("replaces") != self._owner:
            self._note("an erasure was refused")
            return
        with self._seen.lock:
            self._seen.erased += self._words
        self._fresh()

    # -- what they know ------------------------------------------------------------------------

    def _act(self, action: Callable[[Customer], None]) -> None:
        action(self)
        name = action.__name__.strip("_")
        with self._seen.lock:
            self._seen.counts[name] = self._seen.counts.get(name, 0) + 1

    def _fresh(self) -> None:
        self._owner, self._conversation = new_owner(), ""
        self._words: list[str] = []
        self._mine: list[Reply] = []  # of the open conversation
        self._earlier: list[Reply] = []

    def _new_conversation(self) -> None:
        self._earlier, self._mine, self._conversation = [*self._earlier, *self._mine], [], ""

    def _word(self) -> str:
        """A word that is nowhere else."""
        self._words.append("".join(_WORDS.choices(string.ascii_lowercase, k=14)))
        return self._words[-1]

    def _question(self) -> str:
        return f"where is my {self._word()} please"

    def _identity(self) -> str:
        who = {"owner": self._owner, "conversation": self._conversation, "keeps": True}
        return json.dumps(who)

    def _saw(self, shown: list[Any], turn: str, question: str, status: str, took_s: float) -> None:
        """Count a reply if the page shows its question among what was said."""
        if not shown or question not in json.dumps(shown[0]):
            return
        reply = Reply(turn, self._conversation, question, status, took_s)
        with self._seen.lock:
            self._mine.append(reply)
            self._seen.replies.append(reply)
            self._seen.answers.append((time.monotonic() - self._began, took_s))

    def _unsee(self, replies: list[Reply]) -> None:
        with self._seen.lock:
            for reply in replies:
                self._seen.replies.remove(reply)
        self._earlier = [reply for reply in self._earlier if reply not in replies]
        self._mine = [reply for reply in self._mine if reply not in replies]

    def _note(self, error: str) -> None:
        with self._seen.lock:
            self._seen.errors.append(error)


def _identity_in(shown: list[Any]) -> dict[str, Any]:
    """Who the page says is at it; empty where it does not."""
    for value in shown:
        if isinstance(value, str) and value.startswith('{"owner"'):
            return dict(json.loads(value))
    return {}


_ACTIONS: dict[Callable[[Customer], None], int] = {
    Customer._ask: 30, Customer._ask_as_program: 15, Customer._ask_and_stop: 10,
    Customer._retry: 8, Customer._undo: 6, Customer._like: 8, Customer._rate: 8,
    Customer._hand_over: 6, Customer._erase: 5,
}  # fmt: skip
"""What customers do, and how often of a hundred."""
