"""Settings come from SPECCHAT_* variables and explain themselves when they are wrong."""

from __future__ import annotations

import pytest

from specchat.engine.options import MAX_NODES, EngineOptions
from specchat.settings import Settings, SettingsError, load_settings, settings_or_exit


def test_defaults_need_no_environment() -> None:
    settings = load_settings()
    assert settings.model == "care"
    assert settings.speculators == ("auto",)


def test_a_space_listens_on_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().host == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/specchat")
    assert load_settings().host == "0.0.0.0"


def test_gradios_own_variables_count_where_ours_are_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/specchat")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "10.0.0.1")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "9100")
    assert (load_settings().host, load_settings().port) == ("10.0.0.1", 9100)
    monkeypatch.setenv("SPECCHAT_HOST", "127.0.0.1")
    monkeypatch.setenv("SPECCHAT_PORT", "9000")
    assert (load_settings().host, load_settings().port) == ("127.0.0.1", 9000)
    monkeypatch.delenv("SPECCHAT_PORT")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "many")
    with pytest.raises(SettingsError, match=r"GRADIO_SERVER_PORT must be an integer .* got 'many'"):
        load_settings()


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECCHAT_PORT", "9000")
    assert load_settings(port=None).port == 9000
    assert load_settings(port=9001).port == 9001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mlp", ("mlp",)),
        ("mlp:/models/a, ngram", ("mlp:/models/a", "ngram")),
        ("none", ()),
        ("", ("auto",)),
    ],
)
def test_speculators_are_a_comma_separated_list(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SPECCHAT_SPECULATORS", text)
    assert load_settings().speculators == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("2GiB", 2 * 2**30), ("800 MB", 800_000_000), ("4096", 4096)]
)
def test_kv_memory_takes_units(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.setenv("SPECCHAT_KV_MEMORY", text)
    options = load_settings().load_options()
    assert (options.kv_memory_bytes, options.kv_memory_share) == (expected, None)


def test_limits_that_are_not_set_are_the_engines_own() -> None:
    limits = load_settings(max_waiting=3).load_options().engine
    assert limits == EngineOptions(max_waiting=3)
    assert load_settings(max_nodes=MAX_NODES).load_options().engine.max_nodes == MAX_NODES


@pytest.mark.parametrize("text", ["30%", "0.3"])
def test_kv_memory_takes_a_share_of_what_is_free(text: str) -> None:
    options = load_settings(kv_memory=text).load_options()
    assert (options.kv_memory_bytes, options.kv_memory_share) == (None, 0.3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ""),
        ("port", "abc"),
        ("port", 0),
        ("threads", 0),
        ("dtype", "int3"),
        ("device", "gpu"),
        ("speculators", "mlp,mlp"),
        ("speculators", "M L P"),
        ("kv_memory", "lots"),
        ("kv_memory", "0%"),
        ("kv_memory", "2 GiBi"),
        ("max_nodes", 64),
        ("temperature", "warm"),
        ("temperature", -1),
        ("compile", "perhaps"),
        ("concurrency", 0),
        ("api_rate_limit", "often"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(**{name: value})
    option = "--" + name.replace("_", "-")
    right = Settings.model_fields[name].description
    assert str(caught.value) == f"{option} must be {right}, got {value!r}"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("api_keys", "short-key"),
        ("api_keys", "a key with spaces in it"),
        ("api_keys", "the-same-key-twice,the-same-key-twice"),
        ("desk_key", "sesame"),
        ("database_url", "postgres//ann:sesame@db/shop"),
    ],
)
def test_a_wrong_secret_is_not_repeated(name: str, secret: str) -> None:
    with pytest.raises(SettingsError, match="got a value that is not shown") as caught:
        load_settings(**{name: secret})
    assert not any(word in str(caught.value) for word in secret.split(","))


def test_settings_are_shown_without_their_secrets() -> None:
    secrets = {"api_keys": "key-of-the-website", "desk_key": "open sesame"}
    url = "postgresql://ann:sesame@db/shop"
    shown = load_settings(**secrets, database_url=url, port=9000).shown()
    assert (shown["api_keys"], shown["desk_key"], shown["database_url"]) == ("set",) * 3
    assert shown["port"] == 9000
    assert not any(word in str(shown) for word in ("website", "sesame", "ann"))
    assert load_settings().shown()["api_keys"] == "not set"


def test_keys_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECCHAT_API_KEYS", "key-of-the-website, key-of-the-shop-app")
    assert load_settings().api_keys == ("key-of-the-website", "key-of-the-shop-app")


def test_a_wrong_variable_ends_a_program_with_code_2_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPECCHAT_PORT", "http")
    monkeypatch.setenv("SPECCHAT_THREADS", "-2")
    with pytest.raises(SystemExit) as caught:
        settings_or_exit()
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "SPECCHAT_THREADS must be a number of CPU threads from 1 to 1024, got '-2'",
        "SPECCHAT_PORT must be an integer from 1 to 65535, got 'http'",
    ]


def test_every_setting_says_what_is_right() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_longest_answer_that_was_set_is_told_to_the_loader() -> None:
    assert load_settings().load_options().answer_tokens is None
    assert load_settings(max_tokens=2048).load_options().answer_tokens == 2048
