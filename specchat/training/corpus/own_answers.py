"""The target's own answers, made by the engine, for the second stage of speculator training."""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from specchat.engine.engine import Engine
from specchat.engine.request import FinishReason, Request, SamplingParams
from specchat.training.corpus.care_corpus import Message
from specchat.training.corpus.packing import Sample
from specchat.training.tokenizer import ASSISTANT, encode_turns


@dataclass(frozen=True)
class Prompt:
    """A conversation up to and with the token that opens the agent's turn."""

    id: str
    ids: list[int]


@dataclass(frozen=True)
class OwnAnswer:
    """What the target itself answered."""

    id: str
    temperature: float  # 0 is greedy
    prompt: list[int]  # token ids
    answer: list[int]  # token ids, `<|end|>` last unless the length limit came first

    def sample(self) -> Sample:
        """The conversation as a training sample whose weights are 1 on the answer only."""
        return Sample(
            self.prompt + self.answer, [0.0] * len(self.prompt) + [1.0] * len(self.answer)
        )


def make_prompt(
    tokenizer: PreTrainedTokenizerFast, name: str, messages: Sequence[Message]
) -> Prompt:
    """The prompt of a conversation whose last message is the customer's."""
    ids = [tokenizer.bos_token_id]
    for _, turn in encode_turns(tokenizer, messages):
        ids += turn
    return Prompt(name, [*ids, tokenizer.convert_tokens_to_ids(ASSISTANT)])


def draw_prompts(
    tokenizer: PreTrainedTokenizerFast,
    conversations: Sequence[tuple[Message, ...]],
    count: int,
    max_tokens: int,
    seed: int,
) -> list[Prompt]:
    """Prompts cut at a random customer's turn, most often an early one, without repeats; once every
    conversation has been cut, the same at another turn of those that have one."""
    source = random.Random(seed)
    order = list(range(len(conversations)))
    source.shuffle(order)
    left = [[i for i, m in enumerate(c) if m.role == "user"][:5] for c in conversations]
    prompts: dict[tuple[int, ...], Prompt] = {}
    for again in range(max(map(len, left), default=0)):
        for number in order:
            if len(prompts) == count:
                break
            if not left[number]:
                continue
            turn = source.choice(left[number])
            left[number].remove(turn)
            name = f"{number}-{turn}" if again else str(number)
            prompt = make_prompt(tokenizer, name, conversations[number][: turn + 1])
            if len(prompt.ids) <= max_tokens:
                prompts.setdefault(tuple(prompt.ids), prompt)
    return list(prompts.values())


def generate_answers(
    engine: Engine,
    prompts: Sequence[Prompt],
    temperature: float,
    path: Path,
    tokenizer: PreTrainedTokenizerFast,
    together: int = 32,
    max_new_tokens: int = 256,
    minutes: float | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> int:
    """Appends answers to `path`, one JSON object a line, and returns how many it holds now.

    Prompts that the file already answers at this temperature are passed over, so that an
    interrupted run resumes; a last line that it left unfinished is dropped. Answers `together`
    prompts at a time; starts no further one when `minutes` are used up.
    """
    drop_cut_line(path)
    done = {(a.id, a.temperature) for a in read_answers(path)}
    waiting = [p for p in prompts if (p.id, temperature) not in done]
    start, count, tokens = time.perf_counter(), len(done), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines, ThreadPoolExecutor(together) as pool:

        def answer(place: int) -> list[int] | None:
            if minutes is not None and time.perf_counter() - start > 60 * minutes:
                return None
            params = SamplingParams(
                max_tokens=max_new_tokens, temperature=temperature, seed=seed + place
            )
            return complete(engine, waiting[place].ids, params, tokenizer.eos_token_id)

        answers = pool.map(answer, range(len(waiting)))
        for place, (prompt, ids) in enumerate(zip(waiting, answers, strict=True), start=1):
            if ids is None:
                break
            made = OwnAnswer(prompt.id, temperature, prompt.ids, ids)
            lines.write(answer_line(made, tokenizer))
            count += 1
            tokens += len(ids)
            if place % 250 == 0 or place == len(waiting):
                lines.flush()
                speed = tokens / (time.perf_counter() - start)
                say(f"{count} answers, {tokens} new tokens, {speed:.0f} tokens/s")
    return count


def read_answers(path: Path) -> Iterator[OwnAnswer]:
    """The answers of a file written by `generate_answers`; nothing when there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield OwnAnswer(record["id"], record["temperature"], record["prompt"], record["answer"])


def drop_cut_line(path: Path) -> None:
    """Leave the file's whole lines."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def answer_line(made: OwnAnswer, tokenizer: PreTrainedTokenizerFast) -> str:
    """An answer as a line of the file, its text added for people."""
    answer = made.answer
    text = tokenizer.decode(answer[:-1] if answer[-1] == tokenizer.eos_token_id else answer)
    return json.dumps({**asdict(made), "text": text}) + "\n"


def complete(engine: Engine, ids: Sequence[int], params: SamplingParams, end: int) -> list[int]:
    """What the target writes behind `ids`, with `end` last when it came to its end."""
    written: list[int] = []
    for delta in engine.submit(Request(tuple(ids), params, interactive=False)):
        written += [token.token_id for token in delta.tokens]
        if delta.finish is FinishReason.STOP:
            written.append(end)
    return written
