"""The page: chat, race and dashboard."""

from specchat.ui.page import build_app
from specchat.ui.serve import PortError, compose, launch, launch_options, listen

__all__ = ["PortError", "build_app", "compose", "launch", "launch_options", "listen"]
