"""Who is at this browser: a random id that the browser keeps, never the session hash."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import Any

STORAGE_KEY = "specchat-identity"
STORAGE_SECRET = "specchat"
"""Gradio sends this to every browser, so it hides nothing: the 128 random bits of the owner id
are what protects conversations. It is fixed so that ids outlive a restart."""

_OWNER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Identity:
    """The owner of conversations, the one that is open ("" before the first), and consent."""

    owner: str
    conversation: str = ""
    keeps: bool | None = None  # whether conversations may be kept; None: not asked yet

    def stored(self) -> dict[str, str | bool | None]:
        """The form kept in the browser."""
        return {"owner": self.owner, "conversation": self.conversation, "keeps": self.keeps}

    def opened(self, conversation: str) -> Identity:
        """The same owner with another conversation open."""
        return replace(self, conversation=conversation)

    def consenting(self, keeps: bool) -> Identity:
        """The same owner, having agreed or not."""
        return replace(self, keeps=keeps)


def new_owner() -> str:
    """A fresh owner id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_owner(text: str) -> bool:
    """True for an id as `new_owner` makes them."""
    return _OWNER.fullmatch(text) is not None


def identity_of(stored: Any) -> Identity:
    """The identity a browser sent; a fresh one when it sent none or something else."""
    if isinstance(stored, dict) and is_owner(str(stored.get("owner", ""))):
        keeps = stored.get("keeps")
        return Identity(
            stored["owner"],
            str(stored.get("conversation") or ""),
            keeps if isinstance(keeps, bool) else None,
        )
    return Identity(new_owner())
