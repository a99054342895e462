"""How good an adapter is on what training never had: a quick look, and answers in full."""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from specchat.chat.answer.prompt import PromptBuilder
from specchat.engine.engine import Engine
from specchat.engine.request import SamplingParams
from specchat.training.assistant.adapter import AdapterModel
from specchat.training.assistant.examples.business import Split
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.example import Example
from specchat.training.assistant.examples.sheets import draw_sheets
from specchat.training.assistant.judging import Verdict, judge
from specchat.training.assistant.rows import LONGEST_PROMPT, Row, RowEncoder
from specchat.training.corpus.own_answers import complete

EVALUATION_SEED = 1234
LONGEST_ANSWER = 120  # tokens
TOGETHER = 4  # questions answered at the same time
SPLITS: tuple[Split, ...] = ("seen", "unseen")


@dataclass(frozen=True)
class QuickLook:
    """Answers as training sees them: each token after the right ones before it."""

    loss: float
    tokens_right: float  # share of tokens that are the first choice
    answers_right: float  # share of answers all of whose tokens are: greedily, the answer itself


@dataclass(frozen=True)
class Score:
    """Of the answers to one kind of question."""

    answers: int
    right: float  # shares from here on
    quoted: float  # of answers with something to quote
    declined: float
    unsupported: float  # of answers with a specific that nothing holds


def quick_rows(
    world: World, encoder: RowEncoder, split: Split, count: int, longest: int
) -> list[Row]:
    """The same held-out rows every time."""
    rows = encoder.rows(draw_sheets(world, split, EVALUATION_SEED), longest)
    return list(itertools.islice(rows, count))


def quick_look(model: AdapterModel, rows: Sequence[Row]) -> QuickLook:
    """The model's choices on rows of `quick_rows`."""
    loss, tokens, right, answers, whole = 0.0, 0, 0, 0, 0
    for row in rows:
        with torch.no_grad():
            found = model.losses(row)
        loss += found.losses.sum().item()
        tokens += found.losses.numel()
        right += int(found.chosen.sum())
        by_answer = found.chosen.split([len(branch.answer) for branch in row.branches])
        answers += len(by_answer)
        whole += sum(bool(chosen.all()) for chosen in by_answer)
    return QuickLook(loss / tokens, right / tokens, whole / answers)


def held_out(world: World, split: Split, count: int) -> list[Example]:
    """`count` examples of a split, the same every time; of each sheet at most two."""
    rng = random.Random(EVALUATION_SEED)
    drawn = (
        example
        for sheet in draw_sheets(world, split, EVALUATION_SEED)
        for example in rng.sample(sheet, min(2, len(sheet)))
    )
    return list(itertools.islice(drawn, count))


def answers(engine: Engine, tokenizer: Any, examples: Sequence[Example]) -> Iterator[str]:
    """What the engine answers, greedily, in the order of the examples."""
    for _, ids in answer_ids(engine, tokenizer, examples):
        yield str(tokenizer.decode(ids, skip_special_tokens=True)).strip()


def answer_ids(
    engine: Engine, tokenizer: Any, examples: Sequence[Example]
) -> Iterator[tuple[list[int], list[int]]]:
    """The token ids of each example's prompt and of what the engine answers, greedily."""
    builder = PromptBuilder(tokenizer)
    params = SamplingParams(max_tokens=LONGEST_ANSWER, temperature=0.0)

    def answer(example: Example) -> tuple[list[int], list[int]]:
        prompt = list(builder.build(example.messages(), context_budget=LONGEST_PROMPT).ids)
        return prompt, complete(engine, prompt, params, tokenizer.eos_token_id)

    with ThreadPoolExecutor(TOGETHER) as pool:
        yield from pool.map(answer, examples)


def evaluate(
    engine: Engine,
    tokenizer: Any,
    world: World,
    count: int,
    out: Path | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, dict[str, Score]]:
    """Scores by split and kind of question, "all" among them; every answer goes to `out`, one JSON
    object a line, if given. `count` examples of each split that has companies."""
    scores: dict[str, dict[str, Score]] = {}
    lines: list[str] = []
    for split in SPLITS:
        examples = held_out(world, split, count)
        verdicts: list[Verdict] = []
        for example, text in zip(examples, answers(engine, tokenizer, examples), strict=True):
            verdict = judge(example, text, world.talk)
            verdicts.append(verdict)
            lines.append(_line(split, example, text, verdict))
            if len(verdicts) % 25 == 0:
                right = sum(v.right for v in verdicts) / len(verdicts)
                say(f"{split}: {len(verdicts)} of {len(examples)}, right {right:.0%}")
        scores[split] = by_kind(verdicts)
    if out is not None:
        out.write_text("".join(lines), encoding="utf-8")
    return scores


def by_kind(verdicts: Sequence[Verdict]) -> dict[str, Score]:
    """Scores of each kind, of all, of what was given a page or an order, and of what was not."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[verdict.kind].append(verdict)
        groups["given" if verdict.grounded else "nothing given"].append(verdict)
        groups["all"].append(verdict)
    return {kind: _score(group) for kind, group in sorted(groups.items())}


def table(scores: dict[str, dict[str, Score]]) -> str:
    """The scores as lines of text."""
    lines = [f"{'':22}{'answers':>8}{'right':>8}{'quoted':>8}{'declined':>10}{'unsupported':>13}"]
    for split, kinds in scores.items():
        lines.append(split)
        lines += [
            f"  {kind:20}{s.answers:8}{s.right:8.0%}{s.quoted:8.0%}{s.declined:10.0%}"
            f"{s.unsupported:13.0%}"
            for kind, s in kinds.items()
        ]
    return "\n".join(lines)


def as_dict(scores: dict[str, dict[str, Score]]) -> dict[str, dict[str, dict[str, float]]]:
    """The scores as plain values, for JSON."""
    return {
        split: {kind: asdict(s) for kind, s in kinds.items()} for split, kinds in scores.items()
    }


def _score(group: Sequence[Verdict]) -> Score:
    count = len(group)
    return Score(
        count,
        sum(v.right for v in group) / count,
        sum(v.quoted for v in group) / count,
        sum(v.declined for v in group) / count,
        sum(bool(v.unsupported) for v in group) / count,
    )


def _line(split: Split, example: Example, answer: str, verdict: Verdict) -> str:
    record = {
        "split": split, "kind": example.kind, "company": example.given.name,
        "question": example.question, "expected": example.answer, "answer": answer,
        "right": verdict.right, "declined": verdict.declined,
        "unsupported": list(verdict.unsupported),
        "passages": [list(passage) for passage in example.given.passages],
        "orders": list(example.given.orders),
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False) + "\n"
