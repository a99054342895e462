"""What the README shows exists: commands, options, make targets, settings, files."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from specchat.commands.main import app
from specchat.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_, FRONT_MATTER, BODY = README.split("---\n", 2)


def _shown(first_word: str) -> list[str]:
    """Lines of the README's shell blocks, and spans of code, that begin with a word."""
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", BODY, re.DOTALL)
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", BODY)
    lines = [line for block in blocks for line in block.splitlines()] + spans
    return [line for line in lines if line.split()[:1] == [first_word] and len(line.split()) > 1]


def _front_matter() -> dict[str, str]:
    lines = (line.partition(":") for line in FRONT_MATTER.splitlines() if line[:1].isalpha())
    return {name: value.strip().strip('"') for name, _, value in lines}


@pytest.mark.parametrize("line", _shown("make"))
def test_a_make_target_that_is_shown_exists(line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    words = shlex.split(line, comments=True)[1:]
    assert {word for word in words if "=" not in word} <= targets


@pytest.mark.parametrize("line", _shown("specchat"))
def test_a_command_that_is_shown_parses(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command = _group(app).commands[words[0]]
    if words[0] == "train":
        command, words = _train_command(words[1:])
    elif hasattr(command, "commands"):
        command = command.commands[words[1]]
    options = {option for parameter in command.params for option in parameter.opts}
    shown = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert shown <= options | {"--help"}


def test_the_readme_shows_every_command() -> None:
    assert {line.split()[1] for line in _shown("specchat")} >= set(_group(app).commands)


def test_every_setting_is_in_the_readme_and_no_variable_that_nothing_reads() -> None:
    shown = set(re.findall(rf"{ENV_PREFIX}[A-Z_]+", BODY))
    settings = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    assert shown >= settings
    sources = "".join(file.read_text() for file in ROOT.glob("specchat/**/*.py"))
    assert all(name in sources for name in shown - settings)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:|#)([^)]+)\)", BODY))))
def test_a_file_that_is_linked_exists(target: str) -> None:
    assert (ROOT / target.partition("#")[0]).exists()


def test_a_space_gets_versions_that_fit_the_requirements() -> None:
    from packaging.specifiers import SpecifierSet

    matter = _front_matter()
    gradio = re.search(r"^gradio(.*)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert gradio
    assert matter["sdk_version"] in SpecifierSet(gradio[1])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert matter["python_version"] in SpecifierSet(project["requires-python"])
    assert matter["app_file"] == "app.py"
    assert len(matter["short_description"]) <= 60


def _group(commands: typer.Typer) -> Any:
    return typer.main.get_command(commands)


def _train_command(words: list[str]) -> tuple[Any, list[str]]:
    from specchat.commands.train.group import train_app

    command = _group(train_app)
    if words and words[0] in getattr(command, "commands", {}):
        return command.commands[words[0]], words[1:]
    return command, words
