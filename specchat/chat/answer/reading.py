"""Which page a question would be asked of: the target reads each page and says how likely the
question is behind it.

Sachan et al. 2022, "Improving Passage Retrieval with Zero-Shot Question Generation". The text that
is read begins as the answer's prompt does, so the page that is chosen need not be read again, and
pages that were read for anybody are in the prefix cache for everybody.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from specchat.chat.answer.instructions import grounded_question
from specchat.chat.answer.prompt import PromptBuilder
from specchat.chat.knowledge import Passage
from specchat.chat.slots.message import Message
from specchat.chat.types import ChatError
from specchat.engine.errors import EngineError
from specchat.engine.request import KnownText

if TYPE_CHECKING:
    from specchat.engine.interface import Judges

log = logging.getLogger(__name__)


class PageReader:
    """Reads pages for one company's customers. Safe to use from any thread."""

    def __init__(
        self, engine: Judges, context: int, prompts: PromptBuilder, system: Message
    ) -> None:
        """`context` is how many tokens the engine reads at once."""
        self._engine = engine
        self._context = context
        self._prompts = prompts
        self._system = system

    def likelihoods(self, question: str, pages: Sequence[Passage], salt: str) -> list[float]:
        """Of each page, the mean log-probability of the question's tokens behind it; none at all
        where the engine cannot tell. `salt` is the customer's."""
        try:
            texts = [self._text(question, page, salt) for page in pages]
            return self._engine.log_likelihoods(texts)
        except (ChatError, EngineError) as error:
            log.info("pages are not read: %s", error)
            return []

    def _text(self, question: str, page: Passage, salt: str) -> KnownText:
        pages = [(page.title, page.text)]
        asked, unasked = (self._ids(grounded_question(words, pages)) for words in (question, ""))
        first = alike(asked, unasked)
        end = alike(asked[::-1], unasked[::-1])  # the template's
        return KnownText(asked[: len(asked) - end], first, first, salt)

    def _ids(self, content: str) -> tuple[int, ...]:
        messages = [self._system, Message.of("user", content)]
        return self._prompts.build(messages, context_budget=self._context).ids


def alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common from the start."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
