"""Packing, the target's training loop, generation, and the stages end to end at toy size."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as Tokenizer

from specchat.engine.engine import Engine
from specchat.loader import LoadOptions, load
from specchat.training.corpus.care_corpus import Conversation, Message, join_turns
from specchat.training.corpus.own_answers import (
    draw_prompts,
    generate_answers,
    make_prompt,
    read_answers,
)
from specchat.training.corpus.packing import (
    USER_WEIGHT,
    Sample,
    batches,
    collate,
    make_sample,
    make_samples,
    pack,
)
from specchat.training.target import (
    TargetSettings,
    Trainer,
    export,
    heldout_loss,
    learning_rate_factor,
    target_config,
)

TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
SETTINGS = TargetSettings(minutes=1000, length=96, rows=4, compile=False, warmup=0.0, muon_lr=1e-2)


def tiny_model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(target_config(tokenizer, **TINY))


@pytest.fixture(scope="module")
def samples(corpus: list[Conversation], tokenizer: Tokenizer) -> list[Sample]:
    return make_samples(tokenizer, join_turns(corpus, 0.3, seed=0), 96)


def test_only_the_agents_tokens_weigh_fully(tokenizer: Tokenizer) -> None:
    sample = make_sample(tokenizer, [Message("user", "hi"), Message("assistant", "ok")], 50)
    assert sample is not None
    opened = sample.ids.index(tokenizer.convert_tokens_to_ids("<|assistant|>"))
    assert set(sample.weights[opened + 1 :]) == {1.0}
    assert sample.weights[opened] == 0
    assert set(sample.weights[2:opened]) == {USER_WEIGHT}
    assert sample.ids[-1] == tokenizer.eos_token_id


def test_a_conversation_that_is_too_long_keeps_whole_turns(tokenizer: Tokenizer) -> None:
    turns = [Message("user", "hi"), Message("assistant", "ok")] * 30
    sample = make_sample(tokenizer, turns, 40)
    assert sample is not None
    assert len(sample.ids) <= 40
    assert sample.ids[-1] == tokenizer.eos_token_id
    assert make_sample(tokenizer, [Message("user", "hi " * 60)], 40) is None


def test_packing_keeps_every_sample_once(samples: list[Sample]) -> None:
    rows = pack(samples, 96, seed=3)
    assert all(sum(len(s.ids) for s in row) <= 96 for row in rows)
    assert sorted(id(s) for row in rows for s in row) == sorted(id(s) for s in samples)


def test_packed_conversations_do_not_see_each_other(
    tokenizer: Tokenizer, samples: list[Sample]
) -> None:
    model = tiny_model(tokenizer).eval()
    row = next(row for row in pack(samples, 96, seed=0) if len(row) > 1)
    batch = collate([row], 96, tokenizer.pad_token_id)
    packed = model(
        input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask
    ).logits[0]
    at = len(row[0].ids)
    alone = model(input_ids=torch.tensor([row[1].ids])).logits[0]
    torch.testing.assert_close(packed[at : at + len(alone)], alone, atol=1e-4, rtol=1e-4)


def test_targets_are_the_next_tokens_and_never_of_another_conversation() -> None:
    row = [Sample([1, 2, 3], [0, 1, 1]), Sample([1, 5], [0, 1])]
    batch = collate([row], 6, pad=0)
    assert batch.targets[0, :2].tolist() == [2, 3]
    assert batch.targets[0, 3] == 5
    assert batch.weights[0].tolist() == [1, 1, 0, 1, 0, 0]
    assert batch.positions[0].tolist() == [0, 1, 2, 0, 1, 0]


def test_batches_are_smaller_where_fewer_rows_are_filled() -> None:
    few = [Sample([1] * 40, [0.0] + [1.0] * 39)] * 5  # two to a row of 96
    stream = batches(few, 96, rows=12, pad=0, seed=0, skip=2)
    assert [next(stream).ids.shape for _ in range(2)] == [(3, 96), (3, 96)]


def test_texts_that_are_all_too_long_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="none of the 1 texts fits into 2 tokens"):
        batches([Sample([1, 2, 3], [0.0, 1.0, 1.0])], 2, rows=4, pad=0, seed=0)


def test_twenty_steps_lower_the_loss_and_a_resumed_run_continues(
    tokenizer: Tokenizer, samples: list[Sample], tmp_path: Path
) -> None:
    model = tiny_model(tokenizer)
    before = heldout_loss(model, samples, tokenizer.pad_token_id, length=96, rows=4)
    trainer = Trainer(model, tokenizer, tmp_path, SETTINGS)
    trainer.train(samples, samples, max_steps=20, say=lambda line: None)
    after = heldout_loss(model, samples, tokenizer.pad_token_id, length=96, rows=4)
    assert after["all"] < before["all"] - 0.5

    other = Trainer(tiny_model(tokenizer), tokenizer, tmp_path, SETTINGS)
    assert other.resume()
    assert other.step == 20
    assert other.loop.counts == trainer.loop.counts
    resumed = heldout_loss(other.model, samples, tokenizer.pad_token_id, length=96, rows=4)
    assert resumed == after
    other.train(samples, samples, max_steps=25, say=lambda line: None)
    assert other.step == 25
    assert other.loop.seconds > trainer.loop.seconds


def test_a_fresh_folder_has_nothing_to_resume(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert not Trainer(tiny_model(tokenizer), tokenizer, tmp_path / "new", SETTINGS).resume()


def test_the_learning_rate_warms_up_stays_and_ends_at_zero() -> None:
    settings = TargetSettings(warmup=0.1, flat=0.5)
    factors = [learning_rate_factor(p, settings) for p in (0.0, 0.05, 0.3, 0.75, 1.0)]
    assert factors == pytest.approx([0.02, 0.5, 1.0, 0.5, 0.0])


def test_the_last_share_of_the_time_uses_long_rows(
    tokenizer: Tokenizer, samples: list[Sample], tmp_path: Path
) -> None:
    trainer = Trainer(tiny_model(tokenizer), tokenizer, tmp_path, replace(SETTINGS, long_share=0.5))
    stream = trainer._stream(samples, samples)
    assert next(stream).ids.shape == (4, 96)
    trainer.loop.seconds = 45_000.0
    assert next(stream).ids.shape == (2, 192)


def test_an_exported_model_loads_with_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = tiny_model(tokenizer)
    export(model, tokenizer, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.dtype == torch.bfloat16
    assert loaded.config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path))
    assert loaded.generation_config.eos_token_id == tokenizer.eos_token_id
    expected = model.lm_head.weight.to(torch.bfloat16)
    assert torch.equal(loaded.lm_head.weight, expected)


def test_prompts_are_cut_at_every_turn_before_any_comes_again(tokenizer: Tokenizer) -> None:
    single = (Message("user", "one"), Message("assistant", "1"))
    dialogue = tuple(Message(role, text) for text in "abc" for role in ("user", "assistant"))
    few = draw_prompts(tokenizer, [single, dialogue], 2, 384, seed=0)
    assert sorted(prompt.id for prompt in few) == ["0", "1"]
    prompts = draw_prompts(tokenizer, [single, dialogue], 9, 384, seed=0)
    assert prompts[:2] == few
    turns = [make_prompt(tokenizer, "", dialogue[:n]).ids for n in (1, 3, 5)]
    expected = sorted([make_prompt(tokenizer, "", single[:1]).ids, *turns])
    assert sorted(prompt.ids for prompt in prompts) == expected
    assert len({prompt.id for prompt in prompts}) == 4


@pytest.fixture
def engine(tokenizer: Tokenizer, tmp_path: Path) -> Iterator[Engine]:
    export(tiny_model(tokenizer), tokenizer, tmp_path / "target")
    options = LoadOptions(model=str(tmp_path / "target"), speculators=(), compile=False)
    loaded = load(options)
    yield loaded.engine
    loaded.engine.close()


def test_answers_made_together_are_those_of_each_prompt_alone(
    engine: Engine, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    prompts = [make_prompt(tokenizer, str(n), [Message("user", "a" * n)]) for n in (1, 7, 20)]
    found = []
    for together in (1, 3):
        path = tmp_path / f"{together}.jsonl"
        generate_answers(engine, prompts, 0.0, path, tokenizer, together, 40, say=lambda line: None)
        found.append([a.answer for a in read_answers(path)])
    assert found[0] == found[1]
    assert len(found[0]) == 3


def test_an_answer_ends_with_the_end_token_or_at_its_limit(
    engine: Engine, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    prompts = [make_prompt(tokenizer, str(n), [Message("user", "b" * n)]) for n in range(1, 25)]
    path, end = tmp_path / "answers.jsonl", tokenizer.eos_token_id
    generate_answers(engine, prompts, 4.0, path, tokenizer, 8, 400, say=lambda line: None)
    answers = [a.answer for a in read_answers(path)]
    assert len({len(answer) for answer in answers}) > 1
    assert all(end not in answer[:-1] for answer in answers)
    assert all(answer[-1] == end or len(answer) == 400 for answer in answers)
    assert any(answer[-1] == end for answer in answers)


def test_generation_resumes_where_its_file_ends(
    engine: Engine, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    prompts = [make_prompt(tokenizer, str(n), [Message("user", "c" * n)]) for n in range(1, 5)]
    path = tmp_path / "answers.jsonl"

    def run(count: int) -> int:
        return generate_answers(
            engine, prompts[:count], 0.0, path, tokenizer, 2, 8, say=lambda line: None
        )

    assert run(2) == 2
    path.write_bytes(path.read_bytes()[:-9])  # as when the run is killed while it writes
    assert run(4) == 4
    assert run(4) == 4
    answers = list(read_answers(path))
    assert [a.id for a in answers if a.prompt == prompts[0].ids] == ["1"]
    sample = answers[0].sample()
    assert sum(sample.weights) == len(answers[0].answer)
