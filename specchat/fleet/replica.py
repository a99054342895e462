"""One replica of a fleet: our own engine behind our own API, in a process of Ray Serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specchat.api import Api, build_api
from specchat.loader import LoadedModel, LoadOptions, load

if TYPE_CHECKING:
    from fastapi import FastAPI

_running: Replica | None = None


class Replica:
    """Loads the model and answers until it is shut down. Ray Serve calls what is public."""

    def __init__(self, options: LoadOptions, key: str) -> None:
        """`key` opens the API; nobody has it but the page.

        Raises:
            ModelLoadError: as `load`; Ray Serve says so to whoever deploys.
        """
        global _running
        self.loaded: LoadedModel = load(options)
        self.api: Api = build_api(self.loaded, None, keys=(key,))
        _running = self

    def check_health(self) -> None:
        """Raises where the engine has stopped for good: another replica takes this one's place."""
        if not self.loaded.engine.alive:
            raise RuntimeError(self.loaded.engine.snapshot().failure or "the engine is closed")

    def __del__(self) -> None:
        if hasattr(self, "loaded"):
            self.loaded.engine.close()


def application() -> FastAPI:
    """What this process answers with, for `serve.ingress`."""
    assert _running is not None
    return _running.api.app
