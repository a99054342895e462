"""`specchat bench answers`: are the answers right?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specchat.commands import shared
from specchat.commands.measurement_options import Measured, measuring
from specchat.commands.shared import Limit

if TYPE_CHECKING:
    from specchat.bench.answers.mtrag import MtragTask
    from specchat.bench.answers.runner import Said
    from specchat.bench.answers.scoring import Answer
    from specchat.bench.prompts import Message as PromptMessage
    from specchat.bench.report import Report
    from specchat.chat.service import ChatService
    from specchat.chat.types import AnswerUpdate

OWNER = "bench"
MOST_PASSAGES = 3  # of an MTRAG task that are given


@measuring
def answers(
    measured: Measured,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="Conversations with what is right.")
    ],
    mtrag: Annotated[
        Path | None,
        typer.Option(help="Also MTRAG tasks, gzip or plain: ROUGE-L, and what is declined."),
    ] = None,
    limit: Limit = None,
) -> None:
    """Ask the chat of the configured company, and judge what it answers.

    Each line of the file is a conversation: {"id", "kind", "turns": [{"q", "must", "not"}]}. Every
    group of "must" needs one of its expressions in the answer, none of "not" may occur.
    """
    with shared.explained():
        from specchat.bench.answers.conversations import read_conversations
        from specchat.bench.answers.mtrag import read_mtrag
        from specchat.bench.answers.runner import hold_all
        from specchat.bench.answers.scoring import answers_report, answers_text
        from specchat.chat.company.profile import load_company
        from storage import open_store

        settings = measured.settings()
        conversations = read_conversations(file, limit)
        tasks = read_mtrag(mtrag, limit) if mtrag else []
        company = load_company(settings.company)
        with open_store(settings.database_url) as store, shared.loaded_engine(settings) as loaded:
            service = shared.chat_service(loaded, store, company)
            shared.warmed_up(loaded.engine)
            assistant = ChatAssistant(service, measured.max_tokens)
            with shared.progress("answers", len(conversations)) as advance:
                report = answers_report(hold_all(conversations, assistant, advance))
            if tasks:
                _add_mtrag(report, tasks, service, measured.max_tokens)
        measured.publish(report, answers_text)


def _add_mtrag(
    report: Report, tasks: list[MtragTask], service: ChatService, max_tokens: int
) -> None:
    from specchat.bench.answers.mtrag import mtrag_rows, mtrag_summary, read_all

    reader = PageReader(service, max_tokens, MOST_PASSAGES)
    with shared.progress("MTRAG", len(tasks)) as advance:
        results = read_all(tasks, reader, advance)
    report["summary"] |= mtrag_summary(results)
    report["mtrag"] = mtrag_rows(results)


class ChatAssistant:
    """Holds one conversation at a time with the chat service, nothing of which is stored."""

    def __init__(self, service: ChatService, max_tokens: int) -> None:
        self._service = service
        self._max_tokens = max_tokens
        self._conversation = ""

    def ask(self, question: str, earlier: Sequence[Said]) -> Answer:
        """The answer; a question without earlier ones begins a new conversation.

        Raises `ChatError` as the service does.
        """
        from specchat.bench.answers.scoring import Answer
        from specchat.chat.types import AnswerOptions

        if not earlier:
            self._conversation = self._service.new_conversation(OWNER, keep=False)
        options = AnswerOptions(max_tokens=self._max_tokens)
        updates = self._service.answer(self._conversation, question, owner=OWNER, options=options)
        last = list(updates)[-1]
        return Answer(last.text, _retrieved(last), self._left(question, earlier, last))

    def _left(self, question: str, earlier: Sequence[Said], last: AnswerUpdate) -> tuple[str, ...]:
        """The specifics of what is shown that nothing supports: checked anew, by the sources that
        the answer names."""
        from specchat.chat.answer.check import check
        from specchat.chat.company.orders import facts

        company = self._service.company
        said = [text for turn in earlier for text in (turn.question, turn.answer.text)]
        pages = [f"{source.title}\n{source.text}" for source in last.sources]
        orders = [facts(lookup) for lookup in last.lookups]
        known = [*pages, *said, question, *company.slot_values().values()]
        return check(last.text, known, [*orders, question, *said]).unsupported


def _retrieved(last: AnswerUpdate) -> tuple[str, ...]:
    """Ids of pages and orders: of a checked answer all that was found, the likeliest first."""
    checked = last.grounds.retrieved if last.grounds else ()
    pages = checked or [source.id for source in last.sources]
    return (*pages, *(f"order {lookup.number}" for lookup in last.lookups))


class PageReader:
    """Answers from given passages with the configured model, by the chat's own instructions: of
    each passage it reads what is nearest to the question by its words."""

    def __init__(self, service: ChatService, max_tokens: int, most: int) -> None:
        """Of the passages the first `most` are given."""
        from specchat.chat.answer.prompt import PromptBuilder

        self._loaded = service.loaded
        self._builder = PromptBuilder(service.loaded.tokenizer)
        self._max_tokens, self._most = max_tokens, most

    def read(self, messages: Sequence[PromptMessage], passages: Sequence[str]) -> str:
        """The answer to the last message."""
        from specchat.chat.answer.instructions import grounded_question, system_text
        from specchat.chat.knowledge.excerpt import FIRST_WORDS, excerpt, shared_words
        from specchat.chat.slots.message import Message
        from specchat.engine.request import Request, SamplingParams

        question = messages[-1].content
        pages = [
            ("Page", excerpt(text, shared_words(text, question), FIRST_WORDS))
            for text in passages[: self._most]
        ]
        asked = grounded_question(question, pages)
        conversation = [
            Message.of("system", system_text("the help desk", "")),
            *(Message.of(message.role, message.content) for message in messages[:-1]),
            Message.of("user", asked),
        ]
        engine = self._loaded.engine
        budget = engine.info.context_length - self._max_tokens
        prompt = self._builder.build(conversation, context_budget=budget)
        params = SamplingParams(max_tokens=self._max_tokens, temperature=0.0)
        return "".join(delta.text for delta in engine.submit(Request(prompt.ids, params))).strip()
