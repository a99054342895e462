"""The target on both sides of a conversation: what is kept, what is not, and how it resumes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as Tokenizer
from typer.testing import CliRunner

from specchat.commands.train.group import train_app
from specchat.engine.engine import Engine
from specchat.loader import LoadOptions, load
from specchat.training import stages
from specchat.training.corpus import self_talk
from specchat.training.corpus.care_corpus import Conversation, in_split, question_key
from specchat.training.corpus.own_answers import OwnAnswer, answer_line, read_answers
from specchat.training.corpus.self_talk import generate_conversations
from specchat.training.target import target_config

COUNT = 16  # conversations
SIZE = 32  # of each half of a hidden state; rungs have room in it
LAST_RUNG = 24
NEVER = -50.0


def rungs(tokenizer: Tokenizer) -> torch.Tensor:
    """Words stand on the rungs 1 to `LAST_RUNG`, everything else on rung 0."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    words = [i for i, token in enumerate(tokens) if re.fullmatch("Ġ?[A-Za-z]+", token)]
    found = torch.zeros(len(tokens), dtype=torch.long)
    found[words] = torch.arange(len(words)) % LAST_RUNG + 1
    return found


def climbing_target(tokenizer: Tokenizer) -> LlamaForCausalLM:
    """A target that says in each turn a word of every rung up to one where it ends, on the last
    one at the latest; which words and where depends on all that was said before.

    Its weights are made so that this is true, and its numbers the same, on every processor: one
    half of a hidden state is the last token's rung, the other how often each rung was trodden.
    """
    config = target_config(
        tokenizer, hidden_size=2 * SIZE, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1,
    )  # fmt: skip
    config.tie_word_embeddings = False
    model, rung = LlamaForCausalLM(config), rungs(tokenizer)
    layer, draw = model.model.layers[0], torch.Generator().manual_seed(1)
    one = (2 * SIZE) ** -0.5  # what a norm makes of the rung is 1 again
    head = torch.full((len(rung), 2 * SIZE), NEVER)
    for at in range(LAST_RUNG):
        following = rung == at + 1
        head[following, at] = torch.randn(int(following.sum()), generator=draw)
    head[:, SIZE:] = 4 * torch.randn(len(rung), SIZE, generator=draw)
    end, trodden = tokenizer.eos_token_id, 32 * torch.randn(SIZE, generator=draw)
    head[end, 1 : LAST_RUNG + 1] = 1.0
    head[end, SIZE:] = trodden - trodden[: LAST_RUNG + 1].mean()  # neither always nor never
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.model.embed_tokens.weight[range(len(rung)), rung] = 1.0
        layer.input_layernorm.weight.fill_(one)
        layer.self_attn.v_proj.weight.copy_(torch.eye(2 * SIZE))
        layer.self_attn.o_proj.weight[SIZE:, :SIZE] = torch.eye(SIZE)
        layer.post_attention_layernorm.weight.fill_(one)
        model.model.norm.weight.fill_(one)
        model.lm_head.weight.copy_(head)
    return model


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """A folder with a target that ends every turn after a few words."""
    folder = tmp_path_factory.mktemp("out")
    climbing_target(tokenizer).save_pretrained(folder / "target")
    tokenizer.save_pretrained(folder / "target")
    return folder


@pytest.fixture(scope="module")
def engine(out: Path) -> Iterator[Engine]:
    options = LoadOptions(model=str(out / "target"), speculators=(), compile=False)
    loaded = load(options)
    yield loaded.engine
    loaded.engine.close()


class Talk:
    """Runs with one target, each to a file of its own."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, folder: Path) -> None:
        self.engine, self.tokenizer, self.path = engine, tokenizer, folder / "answers.jsonl"
        self.said: list[str] = []

    def run(self, count: int = COUNT, **options: object) -> list[OwnAnswer]:
        held = generate_conversations(
            self.engine, self.tokenizer, count, self.path, say=self.said.append, **options
        )
        answers = list(read_answers(self.path))
        assert held == len(answers)
        return answers

    def question(self, answer: OwnAnswer) -> list[int]:
        """The tokens of the customer's last turn."""
        opening = self.tokenizer.convert_tokens_to_ids("<|user|>")
        start = len(answer.prompt) - answer.prompt[::-1].index(opening)
        return answer.prompt[start:-2]

    def key(self, answer: OwnAnswer) -> str:
        return question_key(self.tokenizer.decode(self.question(answer)))


@pytest.fixture
def talk(engine: Engine, tokenizer: Tokenizer, tmp_path: Path) -> Talk:
    return Talk(engine, tokenizer, tmp_path)


def test_answers_are_lines_as_of_answers_to_the_corpus(talk: Talk) -> None:
    answers, tokenizer = talk.run(), talk.tokenizer
    assert len(answers) > COUNT  # every turn ends with something said
    lines = talk.path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines == [answer_line(answer, tokenizer) for answer in answers]
    assert json.loads(lines[0])["text"] == tokenizer.decode(answers[0].answer[:-1])
    opening = tokenizer.convert_tokens_to_ids(["<|bos|>", "<|user|>"])
    closing = tokenizer.convert_tokens_to_ids(["<|end|>", "<|assistant|>"])
    for answer in answers:
        assert answer.temperature == 0
        assert answer.prompt[:2] == opening
        assert answer.prompt[-2:] == closing
    assert f"{COUNT} conversations, {len(answers)} answers" in talk.said[-1]


def test_some_conversations_go_on_behind_their_earlier_turns(talk: Talk) -> None:
    answers = {answer.id: answer for answer in talk.run()}
    later = [answer for answer in answers.values() if not answer.id.endswith("-0")]
    assert len({answer.id[-1] for answer in later}) > 1
    for answer in later:
        _, number, turn = answer.id.split("-")
        before = answers[f"own-{number}-{int(turn) - 1}"]
        said = before.prompt + before.answer
        assert answer.prompt[: len(said)] == said
        assert answer.prompt[len(said)] == talk.tokenizer.convert_tokens_to_ids("<|user|>")


def test_no_unfinished_answer_is_kept(talk: Talk, tmp_path: Path) -> None:
    end = talk.tokenizer.eos_token_id
    answers = talk.run()
    longest = max(len(answer.answer) for answer in answers)
    assert all(answer.answer.index(end) == len(answer.answer) - 1 for answer in answers)
    other = Talk(talk.engine, talk.tokenizer, tmp_path / "short")
    short = other.run(max_new_tokens=longest - 1)
    assert 0 < len(short) < len(answers)
    assert all(len(answer.answer) < longest for answer in short)


def test_no_unfinished_or_empty_question_is_answered(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = talk.run()
    assert all(talk.tokenizer.decode(talk.question(answer)) for answer in answers)
    monkeypatch.setattr(self_talk, "MOST_QUESTION_TOKENS", 8)
    short = Talk(talk.engine, talk.tokenizer, tmp_path / "short").run()
    assert 0 < len(short) < len(answers)
    assert all(answer in answers for answer in short)


def test_prompts_beyond_the_limit_are_left_out(talk: Talk, tmp_path: Path) -> None:
    answers = talk.run()
    most = max(len(answer.prompt) for answer in answers) - 1
    other = Talk(talk.engine, talk.tokenizer, tmp_path / "short")
    limited = other.run(max_prompt_tokens=most)
    assert limited == [answer for answer in answers if len(answer.prompt) <= most]


def test_a_conversation_is_the_same_whoever_else_talks(talk: Talk, tmp_path: Path) -> None:
    alone = Talk(talk.engine, talk.tokenizer, tmp_path / "alone")
    assert talk.run(together=8) == alone.run(together=1)
    other = Talk(talk.engine, talk.tokenizer, tmp_path / "other")
    assert talk.run() != other.run(seed=1)


def test_a_run_resumes_wherever_it_was_interrupted(talk: Talk) -> None:
    answers = talk.run()
    whole = talk.path.read_bytes()
    ends = [at for at, byte in enumerate(whole, start=1) if byte == ord("\n")]
    midst = next(at for at, answer in zip(ends, answers[1:], strict=False) if answer.id[-1] != "0")
    for cut in (0, 20, ends[0], midst, midst + 20, len(whole) - 9, len(whole)):
        talk.path.write_bytes(whole[:cut])
        talk.run()
        assert talk.path.read_bytes() == whole


def test_a_turn_is_written_once_even_if_it_would_be_another_now(talk: Talk) -> None:
    first = talk.run()[0]
    other = OwnAnswer(first.id, 0.0, [*first.prompt[:2], *first.prompt[3:]], first.answer)
    talk.path.write_text(answer_line(other, talk.tokenizer), encoding="utf-8")
    assert [answer.id for answer in talk.run()].count(first.id) == 1


def test_more_conversations_are_added_to_those_in_the_file(talk: Talk, tmp_path: Path) -> None:
    first = talk.run(5)
    more = talk.run(COUNT)
    assert more[: len(first)] == first
    assert more == Talk(talk.engine, talk.tokenizer, tmp_path / "at-once").run(COUNT)


def test_no_further_conversation_starts_when_the_minutes_are_used_up(talk: Talk) -> None:
    assert talk.run(minutes=0.0) == []


def test_questions_to_skip_are_not_answered_at_any_turn(talk: Talk, tmp_path: Path) -> None:
    answers = talk.run()
    first = next(answer for answer in answers if answer.id.endswith("-0"))
    later = next(answer for answer in answers if answer.id.endswith("-1"))
    skip = {talk.key(first), talk.key(later)}
    kept = Talk(talk.engine, talk.tokenizer, tmp_path / "kept").run(skip=skip)
    assert 0 < len(kept) < len(answers)
    assert not {talk.key(answer) for answer in kept} & skip


def test_a_prompt_that_is_answered_already_is_left_out(talk: Talk, tmp_path: Path) -> None:
    answers = talk.run()
    known = OwnAnswer("17", 0.0, answers[0].prompt, answers[0].answer)
    sampled = OwnAnswer("17", 0.8, answers[1].prompt, answers[1].answer)
    lines = (answer_line(answer, talk.tokenizer) for answer in (known, sampled))
    talk.path.write_text("".join(lines), encoding="utf-8")
    assert talk.run() == [known, sampled, *answers[1:]]


def test_the_command_needs_no_corpus_but_keeps_held_out_questions_out_with_one(
    out: Path,
    tmp_path: Path,
    data_folder: Path,
    corpus: list[Conversation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPECCHAT_DATA", str(tmp_path / "nowhere"))
    options = ["--work", str(tmp_path), "--out", str(out), "--count", "0", "--own-questions", "4"]
    result = CliRunner().invoke(train_app, ["generate", *options])
    assert result.exit_code == 0, result.output
    assert "may ask held-out questions" in result.output
    assert len(list(read_answers(tmp_path / "own_answers.jsonl"))) > 1

    missing = CliRunner().invoke(train_app, ["generate", *options, "--data", str(tmp_path / "no")])
    assert missing.exit_code == 2
    place = stages.Workplace(tmp_path, out, data_folder, say=lambda line: None)
    held_out = [*in_split(corpus, "validation"), *in_split(corpus, "test")]
    assert held_out
    assert stages.held_out_questions(place) == {
        question_key(c.messages[0].content) for c in held_out
    }
