"""Conversations in which the target plays both sides: it asks as a customer, then answers.

It learned from customers' turns as well, so behind `<|user|>` it writes questions of the kind it
was trained on (Magpie, Xu et al. 2024, arXiv 2406.08464). That gives more of its own answers than
the corpus has questions for.
"""

import random
import re
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from specchat.engine.engine import Engine
from specchat.engine.request import SamplingParams
from specchat.training.corpus.care_corpus import Message, question_key
from specchat.training.corpus.own_answers import (
    OwnAnswer,
    answer_line,
    complete,
    drop_cut_line,
    read_answers,
)
from specchat.training.tokenizer import ASSISTANT, CHAT_TOKENS, USER, encode_turns

ONE_TURN_SHARE = 0.6  # of the conversations; the others have 2 to `MOST_TURNS` turns
MOST_TURNS = 4
MOST_QUESTION_TOKENS = 96
MOST_SECONDS_UNTIL_READY = 600.0


def generate_conversations(
    engine: Engine,
    tokenizer: PreTrainedTokenizerFast,
    count: int,
    path: Path,
    skip: Collection[str] = (),
    together: int = 48,
    max_prompt_tokens: int = 512,
    max_new_tokens: int = 256,
    minutes: float | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> int:
    """Appends the answers of `count` conversations to `path`, as lines that `read_answers` reads,
    and returns how many it holds now.

    Questions are drawn at temperature 1 and answered greedily. A conversation ends in front of a
    question whose `question_key` is in `skip`. A prompt that the file answers already is left out.
    What conversation `number` says depends on `seed` and `number` alone, where the engine's steps
    have the same bits in company as alone (its native ones do), and they are written in order: an
    interrupted run goes on at the last one in the file, and gives the same file as one without a
    break. Holds `together` conversations at a time; starts no further one when `minutes` are used
    up.
    """
    _wait_until_ready(engine)
    drop_cut_line(path)
    before = list(read_answers(path))
    written = {answer.id for answer in before}
    asked = {tuple(answer.prompt) for answer in before if answer.temperature == 0}
    first = max((_number(answer.id) for answer in before), default=0)
    talk = SelfTalk(engine, tokenizer, skip, max_prompt_tokens, max_new_tokens, seed)
    start, total, tokens = time.perf_counter(), len(before), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines, ThreadPoolExecutor(together) as pool:

        def hold(number: int) -> list[OwnAnswer] | None:
            if minutes is not None and time.perf_counter() - start > 60 * minutes:
                return None
            return talk.hold(number)

        conversations = pool.map(hold, range(first, count))
        for done, answers in enumerate(conversations, start=first + 1):
            if answers is None:
                break
            for answer in answers:
                prompt = tuple(answer.prompt)
                if answer.id not in written and prompt not in asked:
                    asked.add(prompt)
                    lines.write(answer_line(answer, tokenizer))
                    total += 1
                    tokens += len(answer.answer)
            if done % 250 == 0 or done == count:
                lines.flush()
                speed = tokens / (time.perf_counter() - start)
                say(
                    f"{done} conversations, {total} answers, {tokens} new tokens, "
                    f"{speed:.0f} tokens/s"
                )
    return total


@dataclass(frozen=True)
class SelfTalk:
    """A target that talks to itself."""

    engine: Engine
    tokenizer: PreTrainedTokenizerFast
    skip: Collection[str]  # keys of questions it must not answer
    max_prompt_tokens: int
    max_new_tokens: int  # of an answer
    seed: int

    def hold(self, number: int) -> list[OwnAnswer]:
        """The answers of one conversation, always the same for a number; there may be none.

        It ends early at a question or an answer that the target does not finish, or that says
        nothing.
        """
        dice = random.Random(f"{self.seed} {number}")
        turns = 1 if dice.random() < ONE_TURN_SHARE else dice.randint(2, MOST_TURNS)
        ids: list[int] = [self.tokenizer.bos_token_id]
        answers: list[OwnAnswer] = []
        for turn in range(turns):
            question = self._ask(ids, seed=dice.getrandbits(63))
            if question is None:
                break
            prompt = [*ids, *question, self._id(ASSISTANT)]
            if len(prompt) > self.max_prompt_tokens:
                break
            answer = self._write(prompt, SamplingParams(max_tokens=self.max_new_tokens))
            if answer is None:
                break
            answers.append(OwnAnswer(f"own-{number}-{turn}", 0.0, prompt, answer))
            ids = prompt + answer
        return answers

    def _ask(self, ids: list[int], seed: int) -> list[int] | None:
        """The customer's next turn, tokenized as the chat would if a person had typed it; None for
        one that is no question to answer."""
        params = SamplingParams(
            max_tokens=MOST_QUESTION_TOKENS, temperature=1.0, seed=seed, speculate=False
        )
        drawn = self._write([*ids, self._id(USER)], params)
        if drawn is None:
            return None
        text = self.tokenizer.decode(drawn[:-1]).strip()
        if question_key(text) in self.skip:
            return None
        [(_, turn)] = encode_turns(self.tokenizer, [Message("user", text)])
        return turn

    def _write(self, ids: list[int], params: SamplingParams) -> list[int] | None:
        """What the target writes, `<|end|>` last; None for what does not end or says nothing."""
        written = complete(self.engine, ids, params, self.tokenizer.eos_token_id)
        ended = written[-1:] == [self.tokenizer.eos_token_id]
        return written if ended and self._says_something(written[:-1]) else None

    def _says_something(self, words: list[int]) -> bool:
        opens_a_turn = any(self._id(token) in words for token in CHAT_TOKENS)
        return not opens_a_turn and bool(self.tokenizer.decode(words).strip())

    def _id(self, token: str) -> int:
        return self.tokenizer.convert_tokens_to_ids(token)


def _wait_until_ready(engine: Engine) -> None:
    """Wait for the compiled steps: eager ones round otherwise, and draw other questions."""
    deadline = time.perf_counter() + MOST_SECONDS_UNTIL_READY
    while not engine.snapshot().ready and time.perf_counter() < deadline:
        time.sleep(0.1)


def _number(name: str) -> int:
    """Of the conversation that an answer is from; 0 for one to a question of the corpus."""
    match = re.fullmatch(r"own-(\d+)-\d+", name)
    return int(match[1]) if match else 0
