"""The store: one writer thread behind a bounded queue, readers with sessions of their own."""

from __future__ import annotations

from types import TracebackType

from storage.records import (
    AuditRecord,
    ConversationRow,
    Facets,
    MetricRow,
    RaceRecord,
    RaceRow,
    StoreHealth,
    TurnFilter,
    TurnRecord,
    TurnRow,
)

_ALL = TurnFilter()


def open_store(url: str | None = None) -> Store:
    """Open (and create or migrate) the database at `url`.

    Without a URL it is an SQLite file in the user's data directory. `sqlite:///relative.db`,
    `sqlite:////absolute.db` and `postgresql://...` are understood.

    Raises:
        StoreError: the URL is not understood, or the database cannot be opened or written.
    """
    raise NotImplementedError


class Store:
    """Conversations, turns, races and audits. Safe to use from any thread.

    `record_*` return at once: the writer thread stores the record, keeps trying while the
    database is busy or full, and counts what it had to give up (`health().lost`).
    """

    def create_conversation(self, owner: str, title: str = "") -> str:
        """Start a conversation of `owner` and return its id, visible to readers from now on."""
        raise NotImplementedError

    def rename_conversation(self, conversation_id: str, owner: str, title: str) -> None:
        """Give the conversation a title. Raises LookupError when it is not the owner's."""
        raise NotImplementedError

    def delete_conversation(self, conversation_id: str, owner: str) -> None:
        """Erase the conversation and its turns, physically.

        Raises:
            LookupError: there is no such conversation of this owner.
            StoreError: the database is busy; the erasure stays queued.
        """
        raise NotImplementedError

    def delete_owner(self, owner: str) -> None:
        """Erase every conversation and race of `owner`, physically."""
        raise NotImplementedError

    def record_turn(self, record: TurnRecord) -> None:
        """Queue one turn; a `turn_id` that is stored already is left as it is."""
        raise NotImplementedError

    def remove_turn(self, turn_id: str) -> None:
        """Take a turn out of its conversation: its text is erased, its metrics stay."""
        raise NotImplementedError

    def record_race(self, record: RaceRecord) -> None:
        """Queue one race: both turns and their pairing, in one transaction."""
        raise NotImplementedError

    def record_audit(self, record: AuditRecord) -> None:
        """Queue the outcome of one audit."""
        raise NotImplementedError

    def conversations(self, owner: str, limit: int = 50) -> list[ConversationRow]:
        """The owner's conversations, last used first."""
        raise NotImplementedError

    def conversation(self, conversation_id: str, owner: str) -> ConversationRow:
        """One conversation. Raises LookupError when it is not the owner's."""
        raise NotImplementedError

    def turns(self, conversation_id: str) -> list[TurnRow]:
        """The turns of a conversation in order, removed ones left out.

        Whoever asks must have been checked with `conversation(id, owner)`.
        """
        raise NotImplementedError

    def metrics(self, which: TurnFilter = _ALL) -> list[MetricRow]:
        """Metrics of the turns that match, newest first."""
        raise NotImplementedError

    def races(self, which: TurnFilter = _ALL) -> list[RaceRow]:
        """Races that match, newest first."""
        raise NotImplementedError

    def audits(self, limit: int = 50) -> list[AuditRecord]:
        """Audits, newest first."""
        raise NotImplementedError

    def facets(self) -> Facets:
        """The models, modes and kinds that occur, for filter menus."""
        raise NotImplementedError

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything queued so far is stored; False after `timeout` seconds."""
        raise NotImplementedError

    def health(self) -> StoreHealth:
        """The state of the writer."""
        raise NotImplementedError

    def close(self, timeout: float = 10.0) -> None:
        """Store what is queued, within `timeout` seconds, and close. Closing twice is fine."""
        raise NotImplementedError

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
