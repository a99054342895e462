"""Errors and notes as sentences on the page. Everything is escaped here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape
from typing import Any

from specchat.chat.types import ChatError
from specchat.chat.wording import REFUSED
from specchat.engine.errors import (
    EngineClosedError,
    QueueFullError,
    RefusedRequestError,
    RequestError,
    ServerError,
)
from storage import StoreError
from storage.text import storable

QUEUE_FULL = "Too many people are asking right now. Please send it again in a few seconds."
ENGINE_STOPPED = "The engine has stopped and cannot answer. Whoever runs this has to restart it."
SERVER_AWAY = "The model's server does not answer. Whoever runs this has to look after it."
GONE = "This conversation is no longer there. Start a new one."
FAULT = "Something went wrong on our side. Nothing you typed was lost; please try again."

log = logging.getLogger(__name__)

EXPECTED = (ChatError, RequestError, QueueFullError, EngineClosedError, StoreError, LookupError)
"""What a handler turns into a sentence; anything else is a fault and is logged."""


def sentence(error: BaseException) -> str:
    """What to tell the person about an error."""
    if isinstance(error, QueueFullError):
        return QUEUE_FULL
    if isinstance(error, ServerError):
        return SERVER_AWAY
    if isinstance(error, EngineClosedError):
        return ENGINE_STOPPED
    if isinstance(error, RefusedRequestError):
        return REFUSED
    if isinstance(error, StoreError):
        return f"The record could not be read or written: {error}"
    if isinstance(error, LookupError):
        return GONE
    if isinstance(error, (ChatError, RequestError)):
        return str(error)
    log.error("unexpected error in an event of the page", exc_info=error)
    return FAULT


def well_formed(values: Sequence[Any]) -> list[Any]:
    """What a browser sent, its lone surrogates replaced: nothing can be written or sent that has
    one."""
    return [storable(each) if isinstance(each, str) else each for each in values]


def alert(text: str) -> str:
    """An error for the page, announced by screen readers."""
    if not text:
        return ""
    mark = '<strong aria-hidden="true">!</strong>'
    return f'<div class="sc-alert" role="alert">{mark} {escape(text)}</div>'


def problem(error: BaseException) -> str:
    """An error as an alert."""
    return alert(sentence(error))


def notes(texts: Sequence[str]) -> str:
    """Remarks on an answer, such as turns that no longer fit."""
    if not texts:
        return ""
    return f'<div class="sc-note" role="status">{escape(" · ".join(texts))}</div>'


def hint(text: str) -> str:
    """A quiet remark, such as why a list is empty."""
    return f'<div class="sc-hint" role="status">{escape(text)}</div>' if text else ""
