"""The stages on files, with a tiny target: own answers, both speculator stages, the draft."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as Tokenizer
from typer.testing import CliRunner

from specchat.commands.train.group import train_app
from specchat.training import stages
from specchat.training.care_mlp.module import load_speculator
from specchat.training.care_mlp.two_stages import SpeculatorSettings
from specchat.training.target import export, target_config
from tests.training.test_training import TINY

MLP = SpeculatorSettings(minutes=1000, runs=2, run_length=8, compile=False)
COMMANDS = ("corpus", "tokenizer", "target", "generate", "speculator", "draft", "all")


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, data_folder: Path, tokenizer: Tokenizer
) -> stages.Workplace:
    """A work folder with a tiny untrained target in place."""
    folder = tmp_path_factory.mktemp("train")
    torch.manual_seed(0)
    model = LlamaForCausalLM(target_config(tokenizer, **TINY))
    export(model, tokenizer, folder / "out/target")
    return stages.Workplace(folder, folder / "out", data_folder, say=lambda line: None)


def test_stage_two_needs_own_answers(place: stages.Workplace) -> None:
    with pytest.raises(FileNotFoundError, match="specchat train generate"):
        stages.own_samples(place)


def test_from_own_answers_to_both_speculators(
    place: stages.Workplace, tokenizer: Tokenizer
) -> None:
    stages.run_generate(place, count=6, temperatures=(0.0, 0.8), minutes=None)
    assert len(stages.own_samples(place)) == 12

    stages.run_speculator(place, 1, MLP, stage_one_conversations=20, max_steps=2)
    first = load_speculator(place.out / "mlp_speculator")
    assert first.config.vocab_size == len(tokenizer)
    stages.run_speculator(place, 2, MLP, max_steps=2)
    second = load_speculator(place.out / "mlp_speculator")
    assert not torch.equal(first.head[0].weight, second.head[0].weight)
    said = []
    stages.run_acceptance(replace(place, say=said.append), place.work / "own_answers.jsonl")
    assert "mean acceptance length" in said[0]

    settings = replace(stages.DRAFT_SETTINGS, minutes=1000, rows=1, compile=False)
    stages.run_draft(place, settings, max_steps=1)
    draft = AutoModelForCausalLM.from_pretrained(place.out / "draft")
    assert draft.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(train_app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
