"""At the start: one clear message for whatever is set wrongly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import app
from specchat.engine.errors import ModelLoadError
from specchat.remote.loading import RemoteModel, RemoteOptions, connect
from specchat.settings import SettingsError, load_settings
from tests.api.conftest import serving
from tests.remote.conftest import Ours, Told
from tests.ui.conftest import free_port

Connect = Callable[..., RemoteModel]


def test_a_server_says_what_it_serves(ours: Ours, connected: Connect) -> None:
    for url in (ours.url, f"{ours.url}/v1", f"{ours.url}/v1/"):
        model = connected(url)
        assert model.engine.info.context_length == 2048
        assert "specchat at 127.0.0.1" in model.engine.info.hardware


def test_a_model_may_have_another_name_at_the_server(connected: Connect) -> None:
    with Told(name="prod-7").serving() as url:
        assert connected(url).engine.info.context_length == 512


def test_where_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ModelLoadError, match=f"no server answers at {url}/v1.*SPECCHAT_BASE_URL"):
        connect(RemoteOptions(base_url=url))


def test_where_something_else_listens() -> None:
    from starlette.applications import Starlette

    with serving(Starlette()) as url, pytest.raises(ModelLoadError, match="status 404"):
        connect(RemoteOptions(base_url=url))


def test_a_tokenizer_that_cannot_be_found_says_what_to_set() -> None:
    with Told(name="prod-7").serving() as url, pytest.raises(ModelLoadError) as error:
        connect(RemoteOptions(base_url=url))
    assert "'prod-7'" in str(error.value)
    assert "SPECCHAT_MODEL" in str(error.value)


def test_an_answer_that_leaves_no_room(tiny_model_dir: Path) -> None:
    with Told().serving() as url, pytest.raises(ModelLoadError, match="at most 256"):
        connect(RemoteOptions(base_url=url, model=str(tiny_model_dir), answer_tokens=400))


def test_the_app_ends_with_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPECCHAT_PORT", str(free_port()))
    monkeypatch.setenv("SPECCHAT_ENGINE", "openai")
    assert app.main([]) == 2
    assert "needs SPECCHAT_BASE_URL" in capsys.readouterr().err
    monkeypatch.delenv("SPECCHAT_ENGINE")
    monkeypatch.setenv("SPECCHAT_BASE_URL", "http://gpu:8000")
    assert app.main([]) == 2
    assert "only with SPECCHAT_ENGINE=openai" in capsys.readouterr().err
    monkeypatch.setenv("SPECCHAT_ENGINE", "openai")
    monkeypatch.setenv("SPECCHAT_BASE_URL", f"http://127.0.0.1:{free_port()}")
    assert app.main([]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no server answers" in said


@pytest.mark.parametrize("url", ["localhost:8000", "http://me:secret@host/v1", "http://host?x=1"])
def test_a_url_that_is_none_or_holds_a_key_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="base-url must be the URL") as error:
        load_settings(base_url=url)
    assert "secret" not in str(error.value)


def test_the_key_is_never_shown() -> None:
    settings = load_settings(base_key="secret")
    assert "secret" not in str(settings.shown())
