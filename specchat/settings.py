"""Settings: `SPECCHAT_*` environment variables, a `.env` file, or options of a command."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from specchat.engine.options import MAX_NODES, EngineOptions

if TYPE_CHECKING:
    from specchat.fleet.options import FleetOptions
    from specchat.loader import LoadOptions
    from specchat.remote.loading import RemoteOptions

ENV_PREFIX = "SPECCHAT_"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
FROM_GRADIO = {"host": "GRADIO_SERVER_NAME", "port": "GRADIO_SERVER_PORT"}
"""Gradio's own variables, which count where ours are not set."""
_SECRETS = {"api_keys", "base_key", "desk_key", "database_url"}
"""What is never repeated: not in a message, not in a log."""
_KEY = re.compile(r"[!-~]{16,256}")
_SPECULATOR = re.compile(r"[a-z][a-z0-9_]*(:.+)?")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


class SettingsError(Exception):
    """A setting is invalid; the message names it, its value and what would be right."""


def _split_speculators(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    return () if names == ("none",) else names


def _known_shape(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names) or not all(map(_SPECULATOR.fullmatch, names)):
        raise ValueError("not a list of speculators")
    return names


def _split_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _long_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(keys)) != len(keys) or not all(map(_KEY.fullmatch, keys)):
        raise ValueError("not a list of keys")
    return keys


def _readable_rate(rate: str | None) -> str | None:
    if rate is not None:
        from limits import parse_many

        parse_many(rate)
    return rate


def _matches_device(value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise ValueError("not a device")
    return value


def parse_memory(value: object) -> int | float | None:
    """Bytes as an int ("2GiB", "800MB", 4096), or a share of free memory ("30%", "0.3") as a float.

    None stays None.

    Raises:
        ValueError: `value` is neither.
    """
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|[A-Za-z]*)", str(value).strip())
    if not match:
        raise ValueError("not an amount of memory")
    number, unit = float(match[1]), match[2].upper()
    if unit == "%":
        if not 0 < number <= 100:
            raise ValueError("a share is above 0% and at most 100%")
        return number / 100
    if not unit and 0 < number < 1:
        return number
    if unit not in _UNITS or number * _UNITS[unit] < 1:
        raise ValueError("not an amount of memory")
    return int(number * _UNITS[unit])


_URL = r"^https?://[^\s@/?#]+(/[^\s?#]*)?$"


class Settings(BaseSettings):
    """Everything that can be set. Each description says what a right value is.

    `load_settings` is the way in for programs: it turns an invalid value into a readable message.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    model: str = Field(
        "care",
        min_length=1,
        description="'care', 'care-mini', a directory, a .gguf file or a Hub name",
    )
    engine: Literal["local", "openai", "ray"] = Field(
        "local",
        description="'local', our own, 'ray', several of them under Ray Serve, or 'openai', the "
        "server of SPECCHAT_BASE_URL",
    )
    replicas: int = Field(2, ge=1, le=1024, description="a number of engines from 1 to 1024")
    max_replicas: int | None = Field(
        None, ge=1, le=1024, description="a number of engines from SPECCHAT_REPLICAS to 1024"
    )
    base_url: str | None = Field(
        None, pattern=_URL, description="the URL of an OpenAI-compatible server, without a key"
    )
    plain_base_url: str | None = Field(
        None, pattern=_URL, description="the URL of a server of the same model that drafts nothing"
    )
    base_key: str | None = Field(None, min_length=1, description="the key of those servers")
    speculators: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_split_speculators),
        AfterValidator(_known_shape),
    ] = Field(
        ("auto",),
        description="'auto', a comma-separated list such as 'mlp,suffix,ngram' or 'mlp:PATH', "
        "or 'none'",
    )
    device: Annotated[str, AfterValidator(_matches_device)] = Field(
        "auto", description="'auto', 'cpu', 'cuda' or 'cuda:N'"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="'auto', 'float32', 'bfloat16' or 'float16'"
    )
    quantize: Literal["int8", "int4", "fp8"] | None = Field(
        None, description="'int8', 'int4' or 'fp8'"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="a number of CPU threads from 1 to 1024"
    )
    kv_memory: Annotated[int | float | None, BeforeValidator(parse_memory)] = Field(
        None,
        description="an amount of memory such as '2GiB', or a share of what the weights leave "
        "free, '30%' or '0.3'",
    )
    max_nodes: int | None = Field(
        None,
        ge=1,
        le=MAX_NODES,
        description=f"a number of draft tokens per step from 1 to {MAX_NODES}",
    )
    compile: bool = Field(True, description="'true' or 'false'")
    max_waiting: int | None = Field(
        None, ge=1, description="a number of waiting requests of at least 1"
    )
    max_tokens: int = Field(256, ge=1, le=32768, description="an integer from 1 to 32768")
    temperature: float = Field(0.0, ge=0.0, le=5.0, description="a number from 0 to 5")
    exact: bool = Field(False, description="'true' or 'false'")
    learn: bool = Field(True, description="'true' or 'false'")
    company: str | None = Field(
        None, min_length=1, description="the directory of a company profile"
    )
    database_url: str | None = Field(
        None, pattern=r"^[a-z0-9+]+://", description="a database URL such as 'sqlite:///FILE'"
    )
    retention_days: int = Field(
        30, ge=0, le=36_500, description="a number of days from 0 (keep everything) to 36500"
    )
    auth: str | None = Field(
        None, min_length=1, description="a file of lines that 'specchat password NAME' has printed"
    )
    desk_key: str | None = Field(
        None, min_length=8, description="at least 8 characters that open the support desk"
    )
    api_keys: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_split_keys), AfterValidator(_long_keys)
    ] = Field(
        (),
        description="a comma-separated list of different keys, each of 16 to 256 ASCII characters "
        "without spaces",
    )
    api_rate_limit: Annotated[str | None, AfterValidator(_readable_rate)] = Field(
        None,
        description="a number of requests in a time such as '60/minute' or '5/second;1000/day'",
    )
    host: str = Field(
        default_factory=lambda: (
            os.environ.get(FROM_GRADIO["host"])
            or ("0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
        ),
        min_length=1,
        description="an address to listen on",
    )
    port: int = Field(
        default_factory=lambda: os.environ.get(FROM_GRADIO["port"]) or 7860,  # type: ignore[arg-type]
        ge=1,
        le=65535,
        validate_default=True,
        description="an integer from 1 to 65535",
    )
    concurrency: int = Field(
        16, ge=1, le=1024, description="a number of simultaneous answers from 1 to 1024"
    )

    def shown(self) -> dict[str, Any]:
        """All settings by name, secrets as whether they are set."""
        values = self.model_dump()
        return {
            name: ("set" if value else "not set") if name in _SECRETS else value
            for name, value in values.items()
        }

    def load_options(self) -> LoadOptions:
        """What the loader needs of these settings; what is not set is left to its defaults."""
        from specchat.loader import LoadOptions

        names = ("model", "speculators", "device", "dtype", "quantize", "threads", "compile")
        chosen = self._given(*names)
        if self.kv_memory is not None:
            share = isinstance(self.kv_memory, float)
            chosen["kv_memory_share" if share else "kv_memory_bytes"] = self.kv_memory
        if "max_tokens" in self.model_fields_set:
            chosen["answer_tokens"] = self.max_tokens
        limits = EngineOptions(**self._given("max_nodes", "max_waiting", "exact"))
        return LoadOptions(**chosen, engine=limits)

    def remote_options(self) -> RemoteOptions:
        """What connecting to a server needs.

        Raises:
            SettingsError: no server is named.
        """
        from specchat.remote.loading import RemoteOptions

        if self.base_url is None:
            raise SettingsError("SPECCHAT_ENGINE=openai needs SPECCHAT_BASE_URL, a server's URL")
        given = self.model_fields_set
        return RemoteOptions(
            base_url=self.base_url,
            plain_base_url=self.plain_base_url,
            key=self.base_key,
            model=self.model if "model" in given else None,
            answer_tokens=self.max_tokens if "max_tokens" in given else None,
        )

    def fleet_options(self) -> FleetOptions:
        """What several engines need.

        Raises:
            SettingsError: the most are fewer than the least.
        """
        from specchat.fleet.options import FleetOptions

        most = self.max_replicas or self.replicas
        if most < self.replicas:
            described = type(self).model_fields["max_replicas"].description
            raise SettingsError(f"SPECCHAT_MAX_REPLICAS must be {described}, got {most}")
        return FleetOptions(self.load_options(), self.replicas, most)

    def _given(self, *names: str) -> dict[str, Any]:
        """Those that are set."""
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with `overrides` (options of a command) where not None.

    Raises:
        SettingsError: a value is invalid.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_message(error, given)) from None


def settings_or_exit(**overrides: Any) -> Settings:
    """`load_settings` for a program: an invalid value ends it with one message and exit code 2."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        _exit(str(error))


def _message(error: ValidationError, given: Mapping[str, Any]) -> str:
    problems = {str(problem["loc"][0]): problem["input"] for problem in error.errors()}
    return "\n".join(_sentence(name, value, name in given) for name, value in problems.items())


def _sentence(name: str, value: object, is_option: bool) -> str:
    spelled = "--" + name.replace("_", "-") if is_option else ENV_PREFIX + name.upper()
    if not is_option and spelled not in os.environ and os.environ.get(FROM_GRADIO.get(name, "")):
        spelled = FROM_GRADIO[name]
    hidden = name in _SECRETS or "@" in str(value)  # a URL with a password
    got = "a value that is not shown" if hidden else repr(value)
    return f"{spelled} must be {Settings.model_fields[name].description}, got {got}"


def _exit(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(2)
