"""Conversations, customer care and the evidence of every turn, in SQLite or PostgreSQL."""

from storage.care.records import (
    Desk,
    FeedbackRecord,
    FeedbackRow,
    HandoffRecord,
    HandoffRow,
    OrderRow,
)
from storage.database import require_database
from storage.dialogues import Dialogue, Exchange
from storage.errors import StoreBusyError, StoreError
from storage.knowledge import PassageRow, SourceRow
from storage.personal.records import (
    Actor,
    ErasureRow,
    Extent,
    StoredConversation,
    StoredData,
    StoredRace,
    Subject,
)
from storage.records import (
    AuditRecord,
    ConversationRow,
    Divergence,
    Facets,
    MetricRow,
    RaceArm,
    RaceRecord,
    RaceRow,
    StoreHealth,
    TurnFilter,
    TurnGrounds,
    TurnMetrics,
    TurnRecord,
    TurnRow,
)
from storage.store import Store, open_store
from storage.written_answers import WrittenAnswer

__all__ = [
    "Actor",
    "AuditRecord",
    "ConversationRow",
    "Desk",
    "Dialogue",
    "Divergence",
    "ErasureRow",
    "Exchange",
    "Extent",
    "Facets",
    "FeedbackRecord",
    "FeedbackRow",
    "HandoffRecord",
    "HandoffRow",
    "MetricRow",
    "OrderRow",
    "PassageRow",
    "RaceArm",
    "RaceRecord",
    "RaceRow",
    "SourceRow",
    "Store",
    "StoreBusyError",
    "StoreError",
    "StoreHealth",
    "StoredConversation",
    "StoredData",
    "StoredRace",
    "Subject",
    "TurnFilter",
    "TurnGrounds",
    "TurnMetrics",
    "TurnRecord",
    "TurnRow",
    "WrittenAnswer",
    "open_store",
    "require_database",
]
