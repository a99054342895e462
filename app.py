"""specchat as a web page: what `make chat` and a Hugging Face Space start."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

if TYPE_CHECKING:
    import gradio as gr

    from specchat.settings import Settings


def create_app(settings: Settings) -> gr.Blocks:
    """The page on a loaded model and an open store, not yet on the network."""
    from specchat.ui import compose

    return compose(settings).page


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted. Returns 0, or 2 with a message when something is set wrongly."""
    from specchat.settings import SettingsError, load_settings

    if argv:
        print(
            "app.py takes no arguments; set SPECCHAT_* variables or use python -m specchat serve.",
            file=sys.stderr,
        )
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("specchat").setLevel(logging.INFO)
    try:
        return _serve(load_settings())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2


def _serve(settings: Settings) -> int:
    from specchat import gc_pauses

    with gc_pauses.none():
        from specchat.chat.company.profile import CompanyError
        from specchat.engine.errors import ModelLoadError
        from specchat.ui import PortError, launch
        from storage import StoreError

    try:
        launch(settings)
    except (CompanyError, ModelLoadError, PortError, StoreError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
