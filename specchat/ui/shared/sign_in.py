"""Signing in: a file of names and hashed passwords, checked behind Gradio's own login page.

A conversation then belongs to a name, in every browser; what a browser says of its owner does not
count. Passwords are hashed by scrypt (RFC 7914), with a salt of their own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from gradio.context import LocalContext

from specchat.chat.types import ChatError
from specchat.settings import SettingsError

COST, BLOCK, LANES = 2**14, 8, 1  # of scrypt: 16 MiB and about 50 ms
LEAST_CHARACTERS = 8
WRONG_S = 1.0
"""That whoever gave a wrong password waits."""

NAME = re.compile(r"[\w.@+-]{1,64}")
SIGN_IN = "Please sign in."

_LINE = re.compile(r"([\w.@+-]{1,64}):scrypt:([0-9a-f]{32}):([0-9a-f]{64})")


class Accounts:
    """Who may sign in. Safe to use from any thread."""

    def __init__(self, hashed: Mapping[str, tuple[bytes, bytes]]) -> None:
        """By name the salt and the hash of the password."""
        self._hashed = dict(hashed)
        self._nobody = (secrets.token_bytes(16), secrets.token_bytes(32))
        self._limit: CapacityLimiter | None = None

    async def check(self, name: str, password: str) -> bool:
        """True for a right password. Few are checked at once and wrong ones wait, so that those who
        guess hold up each other and not the page; unknown names take as long as known ones."""
        if self._limit is None:
            self._limit = CapacityLimiter(2)
        async with self._limit:
            right = await to_thread.run_sync(self._is_right, name, password)
            if not right:
                await asyncio.sleep(WRONG_S)
        return right

    def _is_right(self, name: str, password: str) -> bool:
        salt, wanted = self._hashed.get(name, self._nobody)
        return hmac.compare_digest(_hash(password, salt), wanted) and name in self._hashed


def read_accounts(path: str) -> Accounts:
    """The accounts of a file; empty lines and those that begin with # count for nothing.

    Raises:
        SettingsError: it cannot be read, has no account, or a line is no account; the message names
            the line and nothing of what stands there.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"SPECCHAT_AUTH cannot be read: {error}") from None
    hashed: dict[str, tuple[bytes, bytes]] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or found[1] in hashed:
            raise SettingsError(
                f"SPECCHAT_AUTH: line {number} of {path} must be one that 'specchat password NAME' "
                "has printed, with a name of its own"
            )
        hashed[found[1]] = bytes.fromhex(found[2]), bytes.fromhex(found[3])
    if not hashed:
        raise SettingsError(f"SPECCHAT_AUTH: {path} has no account in it")
    return Accounts(hashed)


def account_line(name: str, password: str) -> str:
    """The line of an account.

    Raises:
        SettingsError: the name or the password cannot be used.
    """
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"a name must be 1 to 64 letters, digits or any of . _ @ + -, got {name!r}"
        )
    if len(password) < LEAST_CHARACTERS:
        raise SettingsError(f"a password must have at least {LEAST_CHARACTERS} characters")
    salt = secrets.token_bytes(16)
    return f"{name}:scrypt:{salt.hex()}:{_hash(password, salt).hex()}"


def account_owner() -> str | None:
    """The owner of what the person who sent the current event says; None where nobody signs in.

    No browser can name such an owner: those that browsers make are 32 hexadecimal digits.

    Raises:
        ChatError: people have to sign in, and this one has not.
    """
    blocks, request = LocalContext.blocks.get(None), LocalContext.request.get(None)
    if blocks is None or getattr(blocks, "auth", None) is None:
        return None
    name = getattr(request, "username", None)
    if not name:  # Gradio lets no such event through
        raise ChatError(SIGN_IN)
    return f"user:{name}"


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "replace"), salt=salt, n=COST, r=BLOCK, p=LANES, dklen=32
    )
