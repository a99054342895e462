"""Who is at this browser: a random id that the browser makes and keeps, never the session hash; or,
where people sign in, whoever has done so.

`assets/style/identity.js` keeps the id and the consent for all tabs of a browser, and for each tab
the conversation that is open. Every event reads them when it is sent, so that two tabs are one
customer and a click on "Keep them" counts for what is sent right after it.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from specchat.ui.shared.sign_in import account_owner

_OWNER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Identity:
    """The owner of conversations, the one that is open ("" before the first), and consent."""

    owner: str
    conversation: str = ""
    keeps: bool | None = None  # whether conversations may be kept; None: not asked yet
    forgetful: bool = False  # the browser keeps nothing, so nobody would find again what is kept
    replaces: str = ""  # the owner that was forgotten
    signed_in: bool = False  # the owner is an account's, whatever the browser says

    def stored(self) -> dict[str, str | bool | None]:
        """The form that the browser takes."""
        return {
            "owner": self.owner,
            "conversation": self.conversation,
            "keeps": self.keeps,
            "forgetful": self.forgetful,
            "replaces": self.replaces,
        }

    def opened(self, conversation: str) -> Identity:
        """The same owner with another conversation open."""
        return replace(self, conversation=conversation)

    def consenting(self, keeps: bool) -> Identity:
        """The same owner, having agreed or not."""
        return replace(self, keeps=keeps and not self.forgetful)

    def forgotten(self) -> Identity:
        """A new owner in the place of this one, with the same consent; who has signed in stays."""
        if self.signed_in:
            return self.opened("")
        return Identity(
            new_owner(), keeps=self.keeps, forgetful=self.forgetful, replaces=self.owner
        )


def identity_box() -> gr.Textbox:
    """Holds who is at the browser, unseen. What events write into it the browser keeps."""
    box = gr.Textbox(visible="hidden", elem_id="sc-identity")
    box.change(None, box, None, js="(who) => specchatIdentity.take(who)", api_visibility="private")
    return box


def reading(box: gr.Textbox, *inputs: Any, before: str = "") -> dict[str, Any]:
    """Options of an event with these inputs, the `box` among them: it is read when the event is
    sent. `before` is a statement that runs first, on all values as `values`."""
    listed = list(inputs) or [box]
    place = listed.index(box)
    given = f"specchatIdentity.given(values.slice(0, {len(listed)}), {place})"
    return {"inputs": listed, "js": f"(...values) => {{ {before}return {given}; }}"}


def new_owner() -> str:
    """A fresh owner id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_owner(text: str) -> bool:
    """True for an id as `new_owner` makes them."""
    return _OWNER.fullmatch(text) is not None


def identity_of(stored: Any) -> Identity:
    """The identity a browser sent; a fresh one when it sent none or something else. Where people
    sign in, the owner is the account's.

    Raises:
        ChatError: people have to sign in, and this one has not.
    """
    account = account_owner()
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            stored = None
    if not isinstance(stored, dict) or not is_owner(str(stored.get("owner", ""))):
        return Identity(account or new_owner(), signed_in=account is not None)
    keeps, forgetful = stored.get("keeps"), stored.get("forgetful") is True
    if forgetful:
        keeps = False
    return Identity(
        account or stored["owner"],
        str(stored.get("conversation") or ""),
        keeps if isinstance(keeps, bool) else None,
        forgetful,
        signed_in=account is not None,
    )
