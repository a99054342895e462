"""The target's own answers: batched generation for the second stage of speculator training."""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import DynamicCache, LlamaForCausalLM, PreTrainedTokenizerFast

from specchat.training.corpus import Message
from specchat.training.packing import Sample
from specchat.training.tokenizer import ASSISTANT, encode_turns

COMPACT_EVERY = 16  # steps between removals of finished rows from the batch


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
    """Prompts cut at a random customer's turn, most often an early one, without repeats."""
    source = random.Random(seed)
    order = list(range(len(conversations)))
    source.shuffle(order)
    prompts: dict[tuple[int, ...], Prompt] = {}
    for number in order:
        messages = conversations[number]
        turns = [i for i, m in enumerate(messages) if m.role == "user"][:5]
        prompt = make_prompt(tokenizer, str(number), messages[: source.choice(turns) + 1])
        if len(prompt.ids) <= max_tokens:
            prompts.setdefault(tuple(prompt.ids), prompt)
        if len(prompts) == count:
            break
    return list(prompts.values())


@torch.inference_mode()
def generate_batch(
    model: LlamaForCausalLM,
    prompts: Sequence[Sequence[int]],
    temperature: float,
    max_new_tokens: int,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Answers to a batch of prompts; rows that have ended leave the batch while it runs."""
    end, pad = model.config.eos_token_id, model.config.pad_token_id
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    answers: list[list[int]] = [[] for _ in prompts]
    alive = list(range(len(prompts)))  # row of the batch -> prompt
    cache = DynamicCache(config=model.config)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    for step in range(max_new_tokens):
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        token = _choose(logits, temperature, generator)
        for row, value in enumerate(token.tolist()):
            answer = answers[alive[row]]
            if not answer or answer[-1] != end:
                answer.append(value)
        ended = [answers[prompt][-1] == end for prompt in alive]
        if all(ended):
            break
        ids = token[:, None]
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], 1)
        positions = positions[:, -1:] + 1
        if step % COMPACT_EVERY == 0 and any(ended):
            keep = torch.tensor([row for row, over in enumerate(ended) if not over])
            alive = [alive[row] for row in keep.tolist()]
            cache.batch_select_indices(keep)
            ids, mask, positions = ids[keep], mask[keep], positions[keep]
    return answers


def generate_answers(
    model: LlamaForCausalLM,
    prompts: Sequence[Prompt],
    temperature: float,
    path: Path,
    tokenizer: PreTrainedTokenizerFast,
    batch: int = 48,
    max_new_tokens: int = 256,
    minutes: float | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> int:
    """Appends answers to `path`, one JSON object a line, and returns how many it holds now.

    Prompts that the file already answers at this temperature are passed over, so that an
    interrupted run resumes. Stops early when `minutes` are used up.
    """
    done = {(a.id, a.temperature) for a in read_answers(path)}
    waiting = [p for p in prompts if (p.id, temperature) not in done]
    waiting.sort(key=lambda prompt: len(prompt.ids))
    chunks = [waiting[i : i + batch] for i in range(0, len(waiting), batch)]
    random.Random(seed).shuffle(chunks)
    generator = torch.Generator().manual_seed(seed)
    start, count, tokens = time.perf_counter(), len(done), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        for number, chunk in enumerate(chunks, start=1):
            answers = generate_batch(
                model, [p.ids for p in chunk], temperature, max_new_tokens, generator
            )
            for prompt, answer in zip(chunk, answers, strict=True):
                lines.write(json.dumps(_line(prompt, temperature, answer, tokenizer)) + "\n")
            lines.flush()
            count += len(chunk)
            tokens += sum(map(len, answers))
            seconds = time.perf_counter() - start
            if number % 5 == 0 or number == len(chunks):
                say(f"{count} answers, {tokens} new tokens, {tokens / seconds:.0f} tokens/s")
            if minutes is not None and seconds > 60 * minutes:
                break
    return count


def read_answers(path: Path) -> Iterator[OwnAnswer]:
    """The answers of a file written by `generate_answers`; nothing when there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield OwnAnswer(record["id"], record["temperature"], record["prompt"], record["answer"])


def _line(
    prompt: Prompt, temperature: float, answer: list[int], tokenizer: PreTrainedTokenizerFast
) -> dict:
    end = tokenizer.eos_token_id
    return {
        "id": prompt.id,
        "temperature": temperature,
        "prompt": prompt.ids,
        "answer": answer,
        "text": tokenizer.decode(answer[:-1] if answer[-1] == end else answer),
    }


def _choose(
    logits: torch.Tensor, temperature: float, generator: torch.Generator | None
) -> torch.Tensor:
    """One token of each row of logits [rows, vocabulary]."""
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits.float() / temperature).softmax(-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]
