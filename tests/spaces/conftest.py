"""A browser, as the page's tests have it."""

from tests.ui.conftest import browser, new_context

__all__ = ["browser", "new_context"]
