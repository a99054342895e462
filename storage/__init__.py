"""Conversations, customer care and the evidence of every turn, in SQLite or PostgreSQL."""

from storage.care_records import (
    Desk,
    FeedbackRecord,
    FeedbackRow,
    HandoffRecord,
    HandoffRow,
    OrderRow,
)
from storage.dialogues import Dialogue, Exchange
from storage.errors import StoreError
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
    TurnMetrics,
    TurnRecord,
    TurnRow,
)
from storage.store import Store, open_store
from storage.written import WrittenAnswer

__all__ = [
    "AuditRecord",
    "ConversationRow",
    "Desk",
    "Dialogue",
    "Divergence",
    "Exchange",
    "Facets",
    "FeedbackRecord",
    "FeedbackRow",
    "HandoffRecord",
    "HandoffRow",
    "MetricRow",
    "OrderRow",
    "RaceArm",
    "RaceRecord",
    "RaceRow",
    "Store",
    "StoreError",
    "StoreHealth",
    "TurnFilter",
    "TurnMetrics",
    "TurnRecord",
    "TurnRow",
    "WrittenAnswer",
    "open_store",
]
