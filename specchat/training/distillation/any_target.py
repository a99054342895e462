"""From a target and conversations to a speculator's checkpoint, with a report of its acceptance.

```
WORK/own_answers.jsonl       the target's own answers (stage 2)
WORK/heldout_answers.jsonl   its greedy answers to prompts that no stage learns from
WORK/KIND/stage1, stage2     checkpoints of the trainings
OUT                          the speculator, as `--speculators KIND:OUT` loads it
```
"""

import gc
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from specchat.engine.model.pretrained import find_files, load_causal_lm, load_tokenizer
from specchat.loader import LoadOptions, load, resolve
from specchat.training.care_mlp.two_stages import Acceptance
from specchat.training.corpus.own_answers import OwnAnswer, generate_answers, read_answers
from specchat.training.corpus.packing import Sample
from specchat.training.corpus.training_tasks import Task
from specchat.training.distillation.draft_model import DraftDrafter
from specchat.training.distillation.drafter import Drafter, FrozenTarget
from specchat.training.distillation.eagle3 import Eagle3Drafter, default_layers
from specchat.training.distillation.medusa import MedusaDrafter
from specchat.training.distillation.mlp import MlpDrafter
from specchat.training.distillation.trainer import DistilSettings, DistilTrainer, measure_acceptance
from specchat.training.loop import Progress

KINDS = ("mlp", "medusa", "eagle3", "draft")
TEMPERATURES = (0.0, 0.8)
"""Of the target's own answers: both are asked for in use."""

HELD_OUT_PROMPTS = 60
DRAFTED_SHARE = 0.999
"""Of the tokens of all answers: EAGLE-3 drafts the fewest that make it up."""


@dataclass(frozen=True)
class Assignment:
    """What to train and how."""

    kind: str
    target: str  # as `--model` takes it
    out: Path
    work: Path
    stage: int = 2  # 1: the text's answers, 2: the target's own
    device: str = "cpu"
    start: str | None = None  # a draft model to go on from
    max_new_tokens: int = 256
    settings: DistilSettings = field(default_factory=DistilSettings)


def train_speculator(
    order: Assignment,
    tasks: Sequence[Task],
    max_steps: int | None = None,
    say: Callable[[str], None] = print,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Acceptance:
    """Trains, exports and measures; resumes what was interrupted.

    Raises `ValueError` for an unknown kind or too little text, `ModelLoadError` for a target that
    cannot be used.
    """
    if order.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {order.kind!r}")
    samples, heldout = _texts(order, tasks, say)
    directory = resolve(order.target)
    tokenizer = load_tokenizer(directory)
    device = torch.device(order.device)
    model = load_causal_lm(directory, torch.float32, device)
    layers = model.config.get_text_config().num_hidden_layers
    target = FrozenTarget(model, default_layers(layers) if order.kind == "eagle3" else ())
    torch.manual_seed(order.settings.seed)
    drafter = make_drafter(order, target, tokenizer, samples)
    trainer = DistilTrainer(
        drafter, target, order.work / order.kind / f"stage{order.stage}", order.settings
    )
    if trainer.resume():
        say(f"resumed at step {trainer.loop.step}")
    elif order.stage == 2:
        _start_from_stage_one(trainer, order, say)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    say(f"{len(samples)} texts, {len(heldout)} held out")
    trainer.train(
        samples, pad, max_steps, lambda _: drafter.export(order.out), say=say, watch=watch
    )
    acceptance = measure_acceptance(drafter, target, heldout, pad)
    (order.out / "acceptance.json").write_text(report(order, acceptance) + "\n")
    return acceptance


def make_drafter(
    order: Assignment, target: FrozenTarget, tokenizer: Any, samples: Sequence[Sample]
) -> Drafter:
    """A network of the kind asked for, as it is before its training."""
    if order.kind == "mlp":
        return MlpDrafter(target)
    if order.kind == "medusa":
        return MedusaDrafter(target)
    if order.kind == "eagle3":
        return Eagle3Drafter(target, frequent_tokens(samples))
    start = None
    if order.start is not None:
        files = find_files(order.start, "draft model")
        start = load_causal_lm(files, torch.float32, target.device)
    return DraftDrafter(target, tokenizer, start)


def frequent_tokens(samples: Sequence[Sample]) -> torch.Tensor:
    """The fewest tokens that make up `DRAFTED_SHARE` of all answers, ascending."""
    counts: Counter[int] = Counter()
    for sample in samples:
        counts.update(t for t, w in zip(sample.ids, sample.weights, strict=True) if w == 1)
    wanted, kept = DRAFTED_SHARE * counts.total(), []
    for token, count in counts.most_common():
        if wanted <= 0:
            break
        kept.append(token)
        wanted -= count
    return torch.tensor(sorted(kept))


def report(order: Assignment, acceptance: Acceptance) -> str:
    """The acceptance by depth, as JSON."""
    return json.dumps(
        {
            "kind": order.kind,
            "target": order.target,
            "stage": order.stage,
            "mean_acceptance_length": round(acceptance.mean_acceptance_length, 4),
            "rate_by_depth": [round(rate, 4) for rate in acceptance.rate_by_depth],
            "steps": acceptance.steps,
            "settings": asdict(order.settings),
        },
        indent=2,
    )


def _texts(
    order: Assignment, tasks: Sequence[Task], say: Callable[[str], None]
) -> tuple[list[Sample], list[OwnAnswer]]:
    """What to learn from, and held-out answers to measure on."""
    kept = [task for task in tasks if not task.held_out]
    heldout = [task for task in tasks if task.held_out][:HELD_OUT_PROMPTS]
    if not kept or not heldout:
        raise ValueError(
            f"{len(tasks)} questions are too few to learn from and to hold some out; "
            "a few hundred are a start"
        )
    own, measured = order.work / "own_answers.jsonl", order.work / "heldout_answers.jsonl"
    engine = load(LoadOptions(model=order.target, speculators=("ngram",), device=order.device))
    try:
        wanted = [(measured, 0.0, heldout)]
        if order.stage == 2:
            wanted += [(own, temperature, kept) for temperature in TEMPERATURES]
        for seed, (path, temperature, asked) in enumerate(wanted):
            say(f"the target answers {len(asked)} questions at temperature {temperature}")
            generate_answers(
                engine.engine,
                [task.prompt for task in asked],
                temperature,
                path,
                engine.tokenizer,
                max_new_tokens=order.max_new_tokens,
                seed=seed,
                say=say,
            )
    finally:
        engine.engine.close()
        del engine
        gc.collect()
    answers = list(read_answers(measured))
    if order.stage == 2:
        return [answer.sample() for answer in read_answers(own)], answers
    samples = [sample for sample in (task.sample() for task in kept) if sample]
    if not samples:
        raise ValueError("stage 1 learns from answers in the text, but there are none; use stage 2")
    return samples, answers


def _start_from_stage_one(
    trainer: DistilTrainer, order: Assignment, say: Callable[[str], None]
) -> None:
    path = order.work / order.kind / "stage1" / "checkpoint.pt"
    if not path.exists():
        return
    if trainer.start_from(path):
        say("going on from stage 1")
    else:
        say("stage 1 had another shape; beginning anew")
