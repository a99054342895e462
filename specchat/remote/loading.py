"""From a server's URL to what the chat runs on: the server, and the tokenizer of its model here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.pretrained import find_files, load_tokenizer
from specchat.engine.snapshot import SERVER, ModelInfo
from specchat.loader import QUESTION_TOKENS, resolve
from specchat.remote.engine import RemoteEngine
from specchat.remote.server import Server, find_server

TOKENIZER_FILES = ("tokenizer*", "*.jinja", "config.json", "special_tokens_map.json", "*.model")
LEAST_CONTEXT = 2048
"""Taken where neither server nor tokenizer says how much the model reads."""
LARGEST = 10**7
"""Tokenizers of models without a limit name numbers above it."""

SEARCH_ALONE = (
    "Help pages are ranked by search alone: a server is not asked how likely a question is."
)


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Which servers are asked for what."""

    base_url: str
    plain_base_url: str | None = None  # for plain answers, which the first may not give
    key: str | None = None  # for both
    model: str | None = None  # where its tokenizer is found; None: under the server's own name
    answer_tokens: int | None = None  # most of an answer, where somebody set it: must leave room


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A server to answer from, and what belongs to it here."""

    engine: RemoteEngine
    tokenizer: Any
    model: str
    uses_slots: bool = False
    problems: tuple[str, ...] = (SEARCH_ALONE,)


def connect(options: RemoteOptions) -> RemoteModel:
    """Ask the servers what they serve and load the tokenizer.

    Raises:
        ModelLoadError: no such server, model or tokenizer; the message says what to set.
    """
    server = find_server(options.base_url, options.key, options.model)
    plain = None
    if options.plain_base_url is not None:
        plain = find_server(options.plain_base_url, options.key, options.model or server.root)
    model = options.model or server.root
    tokenizer = _tokenizer(model, server)
    if any(re.fullmatch(r"\{\{\w+\}\}", token) for token in tokenizer.get_added_vocab()):
        raise ModelLoadError(
            f"{model} writes slots, which only our own engine keeps apart from text; "
            "let the server have another model"
        )
    context = _context(server, plain, tokenizer)
    most = context - QUESTION_TOKENS
    if options.answer_tokens is not None and options.answer_tokens > most:
        raise ModelLoadError(
            f"max_tokens must be at most {most}: the server reads {context} tokens, of which a "
            f"question needs {QUESTION_TOKENS}; got {options.answer_tokens}"
        )
    info = ModelInfo(
        name=model,
        vocab_size=1 + max(tokenizer.get_vocab().values()),
        context_length=context,
        parameters=0,
        dtype="as served",
        device=SERVER,
        hardware=_hardware(server, plain),
        speculators=(),
    )
    return RemoteModel(RemoteEngine(server, info, tokenizer, plain), tokenizer, model)


def _tokenizer(model: str, server: Server) -> Any:
    try:
        local = Path(model).expanduser().is_dir() or "/" not in model or model.endswith(".gguf")
        return load_tokenizer(
            resolve(model) if local else find_files(model, "tokenizer of", TOKENIZER_FILES)
        )
    except ModelLoadError as error:
        raise ModelLoadError(
            f"{error}. The server at {server.place} calls its model {server.model!r}; set "
            "SPECCHAT_MODEL to the directory or Hub name that has its tokenizer"
        ) from None


def _context(server: Server, plain: Server | None, tokenizer: Any) -> int:
    """What both servers read, as far as they say so."""
    said = [each.context for each in (server, plain) if each is not None and each.context]
    if said:
        return min(said)
    most = getattr(tokenizer, "model_max_length", None)
    return most if isinstance(most, int) and 0 < most < LARGEST else LEAST_CONTEXT


def _hardware(server: Server, plain: Server | None) -> str:
    """Who gives the tokens, as printed beside results."""
    named = f"{server.owner or 'server'} at {server.place}"
    return named if plain is None else f"{named}, plain at {plain.place}"
