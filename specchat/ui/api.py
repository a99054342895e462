"""Named endpoints for programs (`gradio_client`): chat and race, streaming."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import gradio as gr

from specchat.chat.service import ChatService
from specchat.chat.types import AnswerUpdate, ChatError
from specchat.ui.race.events import RaceEvents
from specchat.ui.race.result import headline, pair_numbers
from specchat.ui.shared import alerts as say
from specchat.ui.shared.format import footer
from specchat.ui.shared.identity import is_owner, new_owner
from specchat.ui.shared.sampling_controls import EngineQueue, read_options
from specchat.ui.shared.sign_in import account_owner

KEPT = (
    "This conversation is stored because its customer agreed to that. Go on with consent=true, "
    "or begin a new one."
)
_SHOWN = 40  # characters of a wrong value in a message


def add_api(
    service: ChatService, races: RaceEvents, queue: EngineQueue, max_tokens: int, temperature: float
) -> None:
    """Add `/chat` and `/race` to the page that is being built; no answer is longer than
    `max_tokens`."""
    longest = max_tokens

    def chat(
        question: str,
        conversation: str = "",
        owner: str = "",
        speculate: bool = True,
        temperature: float = temperature,
        max_tokens: int = max_tokens,
        seed: int | None = None,
        consent: bool = False,
    ) -> Generator[dict[str, Any], None, None]:
        """Answer a question. Pass the `owner` and `conversation` of a reply to go on with it.

        With `consent` the customer has agreed that question and answer are stored, redacted; else
        no word of them is, only what the answer cost. A conversation that is kept goes on only
        with it.
        """
        try:
            who = _owner(owner)
            options = read_options(
                speculate=speculate, temperature=temperature, max_tokens=max_tokens, seed=seed
            )
            _require_within(options.max_tokens, longest)
            opened = _opened(service, conversation, who, consent)
            answers = service.answer(opened, question, owner=who, options=options)
            for update in answers:
                yield _reply(update, who, opened, options.mode)
        except say.EXPECTED as error:
            raise gr.Error(say.sentence(error), print_exception=False) from error

    def race(
        question: str,
        temperature: float = temperature,
        max_tokens: int = max_tokens,
        seed: int | None = None,
        owner: str = "",
        consent: bool = False,
    ) -> Generator[dict[str, Any], None, None]:
        """Answer a question plain and speculative; the last reply has the verdict.

        With `consent` the texts are stored, redacted, as the `owner`'s; else only measurements and
        which of five situations the question is about.
        """
        try:
            who = _owner(owner)
            options = read_options(temperature=temperature, max_tokens=max_tokens, seed=seed)
            _require_within(options.max_tokens, longest)
        except ChatError as error:
            raise gr.Error(say.sentence(error), print_exception=False) from error
        for screen in races.race(question, who, options, keeps=consent):
            if screen.error:
                raise gr.Error(screen.error, print_exception=False)
            pair = screen.finished
            if pair is None:
                yield {"done": False}
                continue
            said = headline(pair)
            yield {
                "done": True,
                "headline": said.text,
                "speedup": said.ratio,
                "identical": pair.identical,
                "first": pair.first,
                "numbers": pair_numbers(pair.plain.stats, pair.speculative.stats),
                "answer": screen.answer,
                "owner": who,
            }

    gr.api(chat, api_name="chat", **_shared(queue.answering()))
    gr.api(race, api_name="race", **_shared(queue.racing()))


def _owner(given: str) -> str:
    """The account that has signed in; else the owner that a call names, or a new one. Raises
    ChatError for an id of no reply."""
    account = account_owner()
    if account is not None:
        return account
    if given and not is_owner(given):
        shown = given if len(given) <= _SHOWN else given[:_SHOWN] + "…"
        raise ChatError(
            "owner must be the one of an earlier reply, 32 hexadecimal digits, or empty for a new "
            f"one, got {shown!r}"
        )
    return given or new_owner()


def _require_within(max_tokens: int, longest: int) -> None:
    """Raise ChatError unless an answer may be so long."""
    if not 1 <= max_tokens <= longest:
        raise ChatError(
            f"max_tokens must be from 1 to {longest}, the longest answer here, got {max_tokens}"
        )


def _opened(service: ChatService, conversation: str, owner: str, consent: bool) -> str:
    """The conversation to answer in, kept if and only if the customer agreed.

    Raises:
        LookupError: there is no such conversation of this owner.
        ChatError: it is kept, and this call does not say that the customer agrees.
    """
    if not conversation:
        return service.new_conversation(owner, keep=consent)
    if consent:
        service.keep(conversation, owner=owner)
    elif service.is_kept(conversation, owner=owner):
        raise ChatError(KEPT)
    return conversation


def _shared(group: dict[str, Any]) -> dict[str, Any]:
    return {**group, "api_visibility": "public"}


def _reply(update: AnswerUpdate, owner: str, conversation: str, mode: str) -> dict[str, Any]:
    done = update.done
    return {
        "text": update.text,
        "done": done,
        "status": update.status,
        "owner": owner,
        "conversation": conversation,
        "turn": update.turn_id,
        "seed": update.seed,
        "footer": footer(update.stats, mode, update.status) if done else "",
        "notes": list(update.notes),
    }
