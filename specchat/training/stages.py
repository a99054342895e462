"""Each stage of making the `care` models, from files to files under one work folder.

```
WORK/tokenizer           the tokenizer
WORK/target              checkpoint of the target's training
WORK/own_answers.jsonl   the target's own answers, to questions of the corpus and to its own
WORK/mlp, WORK/draft     checkpoints of the speculators' trainings
OUT/{target,mlp_speculator,draft}   the models, as `--model` and `--speculators` load them
```
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from specchat.engine.engine import Engine
from specchat.loader import LoadOptions, load
from specchat.training.care_mlp.features import Features, extract_features, join_features
from specchat.training.care_mlp.module import (
    MLPSpeculator,
    bundled_config,
    load_speculator,
    save_speculator,
)
from specchat.training.care_mlp.two_stages import (
    Acceptance,
    SpeculatorSettings,
    SpeculatorTrainer,
    draft_acceptance,
    greedy_acceptance,
)
from specchat.training.corpus.care_corpus import (
    Conversation,
    in_split,
    join_turns,
    load_corpus,
    question_key,
)
from specchat.training.corpus.own_answers import draw_prompts, generate_answers, read_answers
from specchat.training.corpus.packing import Sample, make_samples
from specchat.training.corpus.self_talk import generate_conversations
from specchat.training.target import (
    TargetSettings,
    Trainer,
    export,
    heldout_loss,
    target_config,
)
from specchat.training.tokenizer import corpus_texts, load_tokenizer, train_tokenizer

JOINED_SHARE = 0.3  # of single questions that are joined to conversations of 2 or 3
DRAFT_DEPTH = 5  # tokens a chain of the draft model is measured with
STAGE_ONE_MINUTES = 2.0  # of the bundled speculator
DRAFT_SETTINGS = TargetSettings(
    minutes=5.0, warmup=0.03, muon_lr=5e-3, adam_lr=4e-3, long_share=0.0
)  # of the bundled draft model
DRAFT_SHAPE = {
    "hidden_size": 160,
    "intermediate_size": 448,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@dataclass(frozen=True)
class Workplace:
    """Where the stages read and write."""

    work: Path
    out: Path
    data: Path | None = None  # None: SPECCHAT_DATA or ../shared/data
    from_hub: bool = False
    say: Callable[[str], None] = print

    def corpus(self) -> list[Conversation]:
        """The cleaned corpus."""
        self.say("reading and cleaning the corpus")
        conversations = load_corpus(self.data, self.from_hub)
        self.say(f"{len(conversations)} conversations")
        return conversations


def run_tokenizer(place: Workplace) -> None:
    """Trains the tokenizer on the training split and saves it."""
    tokenizer = train_tokenizer(corpus_texts(in_split(place.corpus(), "train")))
    tokenizer.save_pretrained(place.work / "tokenizer")
    place.say(f"{len(tokenizer)} tokens in {place.work / 'tokenizer'}")


def run_target(place: Workplace, settings: TargetSettings, max_steps: int | None = None) -> None:
    """Trains the target, resuming if it was interrupted; exports it at every checkpoint."""
    tokenizer = load_tokenizer(place.work / "tokenizer")
    corpus = place.corpus()
    conversations = join_turns(in_split(corpus, "train"), JOINED_SHARE, seed=1)
    short = make_samples(tokenizer, conversations, settings.length)
    long = make_samples(tokenizer, conversations, 2 * settings.length)
    heldout = _heldout(tokenizer, corpus, settings.length)
    torch.manual_seed(settings.seed)
    model = LlamaForCausalLM(target_config(tokenizer))
    trainer = Trainer(model, tokenizer, place.work / "target", settings)
    if trainer.resume():
        place.say(f"resumed at step {trainer.step}")

    def checkpoint(trainer: Trainer) -> None:
        export(model, tokenizer, place.out / "target")
        if trainer.progress < 1 - settings.long_share:
            losses = heldout_loss(
                model, heldout, tokenizer.pad_token_id, settings.length, settings.rows, 5
            )
            place.say(f"held-out loss {losses['assistant']:.3f} (all {losses['all']:.3f})")

    trainer.train(short, long, max_steps, on_checkpoint=checkpoint, say=place.say)


def run_evaluate(place: Workplace) -> dict[str, float]:
    """The exported target's loss on the whole test split, in conversations of 1,024 tokens."""
    tokenizer = load_tokenizer(place.out / "target")
    model = load_target(place.out / "target")
    samples = make_samples(tokenizer, [c.messages for c in in_split(place.corpus(), "test")], 1024)
    with torch.no_grad():
        losses = heldout_loss(model, samples, tokenizer.pad_token_id, length=1024, rows=4)
    place.say(json.dumps(losses))
    return losses


def run_generate(
    place: Workplace, count: int, temperatures: Sequence[float], minutes: float | None
) -> None:
    """The target's own answers to questions of the training split, at each temperature.

    Speculators that are in place already speed it up; the answers are the same.
    """
    tokenizer = load_tokenizer(place.out / "target")
    conversations = [c.messages for c in in_split(place.corpus(), "train")]
    engine = _answering(place)
    try:
        for number, temperature in enumerate(temperatures):
            prompts = draw_prompts(tokenizer, conversations, count, max_tokens=384, seed=number)
            generate_answers(
                engine,
                prompts,
                temperature,
                place.work / "own_answers.jsonl",
                tokenizer,
                minutes=minutes,
                seed=number,
                say=place.say,
            )
    finally:
        engine.close()


def run_self_talk(place: Workplace, count: int, minutes: float | None = None) -> None:
    """The target's own answers to questions that it asks itself, none of them a held-out one.

    Speculators that are in place already speed it up; the answers are the same.
    """
    tokenizer = load_tokenizer(place.out / "target")
    held_out = held_out_questions(place)
    engine = _answering(place)
    try:
        generate_conversations(
            engine,
            tokenizer,
            count,
            place.work / "own_answers.jsonl",
            skip=held_out,
            minutes=minutes,
            say=place.say,
        )
    finally:
        engine.close()


def _answering(place: Workplace) -> Engine:
    """The exported target with the speculators beside it."""
    return load(LoadOptions(model=str(place.out / "target"), skip_what_fails=True)).engine


def held_out_questions(place: Workplace) -> set[str]:
    """Keys of what the conversations of the validation and test splits begin with.

    Without a corpus there are none, which is said. Raises `FileNotFoundError` when one was asked
    for but is missing.
    """
    try:
        corpus = place.corpus()
    except FileNotFoundError as error:
        if place.data or place.from_hub:
            raise
        place.say(f"the target may ask held-out questions too: {error}")
        return set()
    return {question_key(c.messages[0].content) for c in corpus if c.split != "train"}


def run_speculator(
    place: Workplace,
    stage: int,
    settings: SpeculatorSettings,
    stage_one_conversations: int = 1500,
    max_steps: int | None = None,
) -> None:
    """One stage of the MLP speculator: 1 on ground-truth text, 2 on the target's own answers."""
    tokenizer = load_tokenizer(place.out / "target")
    target = load_target(place.out / "target")
    width = target.config.hidden_size
    speculator = MLPSpeculator(bundled_config(len(tokenizer), width, min(256, width)))
    speculator.start_from_target(target.model.embed_tokens.weight, target.lm_head.weight)
    if stage == 2 and (place.out / "mlp_speculator/model.safetensors").exists():
        speculator.load_state_dict(load_speculator(place.out / "mlp_speculator").state_dict())
    trainer = SpeculatorTrainer(
        speculator, target.lm_head.weight.detach(), place.work / f"mlp/stage{stage}", settings
    )
    if trainer.resume():
        place.say(f"resumed at step {trainer.step}")
    depth = speculator.config.n_predict
    if stage == 1:
        conversations = join_turns(in_split(place.corpus(), "train"), JOINED_SHARE, seed=2)
        samples = make_samples(tokenizer, conversations[:stage_one_conversations], 512)
    else:
        samples = own_samples(place)
    if settings.compile:
        target.model.compile(dynamic=False)
    features = features_of(target, samples, depth, place)
    place.say(f"{len(features)} positions")
    trainer.train(
        features,
        max_steps,
        on_checkpoint=lambda t: save_speculator(t.model, place.out / "mlp_speculator"),
        say=place.say,
    )


def features_of(
    target: LlamaForCausalLM, samples: Sequence[Sample], depth: int, place: Workplace
) -> Features:
    """The target's features of samples, longer ones (up to 1,024 tokens) in rows of their own."""
    short = [sample for sample in samples if len(sample.ids) <= 512]
    long = [sample for sample in samples if 512 < len(sample.ids) <= 1024]
    parts = [extract_features(target, short, depth, 512, 8, place.say)]
    if long:
        parts.append(extract_features(target, long, depth, 1024, 4, place.say))
    return join_features(parts)


def own_samples(place: Workplace) -> list[Sample]:
    """The target's own answers as samples. Raises `FileNotFoundError` when there are none."""
    samples = [answer.sample() for answer in read_answers(place.work / "own_answers.jsonl")]
    if not samples:
        raise FileNotFoundError(
            f"no answers in {place.work / 'own_answers.jsonl'}; run `specchat train generate`"
        )
    return samples


def run_draft(place: Workplace, settings: TargetSettings, max_steps: int | None = None) -> None:
    """The draft model: half of what it sees is ground truth, half the target's own answers."""
    tokenizer = load_tokenizer(place.out / "target")
    conversations = join_turns(in_split(place.corpus(), "train"), JOINED_SHARE, seed=3)
    own = [sample for sample in own_samples(place) if len(sample.ids) <= settings.length]
    samples = own * 2 + make_samples(tokenizer, conversations, settings.length)[: 2 * len(own)]
    torch.manual_seed(settings.seed)
    model = LlamaForCausalLM(target_config(tokenizer, **DRAFT_SHAPE))
    trainer = Trainer(model, tokenizer, place.work / "draft", settings)
    if trainer.resume():
        place.say(f"resumed at step {trainer.step}")
    trainer.train(
        samples,
        samples,
        max_steps,
        on_checkpoint=lambda _: export(model, None, place.out / "draft"),
        say=place.say,
    )


def run_acceptance(place: Workplace, answers: Path) -> Acceptance:
    """The exported speculators' greedy acceptance over the greedy answers of a file.

    Returns the MLP speculator's; the draft model's is said too where there is one.
    """
    target = load_target(place.out / "target")
    speculator = load_speculator(place.out / "mlp_speculator").eval()
    greedy = [answer for answer in read_answers(answers) if answer.temperature == 0]
    acceptance = greedy_acceptance(speculator, target, greedy)
    _say_acceptance(place, "MLP speculator", acceptance)
    if (place.out / "draft/config.json").exists():
        draft = load_target(place.out / "draft")
        _say_acceptance(place, "draft model", draft_acceptance(draft, greedy, DRAFT_DEPTH))
    return acceptance


def load_target(path: Path) -> LlamaForCausalLM:
    """An exported model in float32, ready to run."""
    model = LlamaForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model.eval()


def _say_acceptance(place: Workplace, what: str, acceptance: Acceptance) -> None:
    rates = " ".join(f"{rate:.3f}" for rate in acceptance.rate_by_depth)
    place.say(
        f"{what}: mean acceptance length {acceptance.mean_acceptance_length:.3f} "
        f"over {acceptance.steps} steps; by depth {rates}"
    )


def _heldout(
    tokenizer: PreTrainedTokenizerFast, corpus: Sequence[Conversation], length: int
) -> list[Sample]:
    return make_samples(tokenizer, [c.messages for c in in_split(corpus, "validation")], length)
