"""Keeps Python's garbage collector from holding up answers, in processes of specchat's own."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 5_000
"""Containers made, and still there, after which young ones are looked through. Python's 700 are
there after a few steps of many streams, each time for 0.3 ms; these, most often, never."""


def shorten() -> None:
    """Collect once, and have later collections pass over all that is there now. Call it when
    everything is loaded: to look through PyTorch's and Gradio's objects takes 0.3 s, in which
    every stream stands still.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)  # some libraries complain of what is not freed at the end


@contextmanager
def none() -> Iterator[None]:
    """No collection in it. For a start, which makes a million objects and lets go of few: to look
    through them again and again takes a sixth of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
