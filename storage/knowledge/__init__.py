"""The passages that answers are taken from, with their sentence vectors."""

from storage.knowledge.records import PassageRow, SourceRow
from storage.knowledge.repository import KnowledgeRows

__all__ = ["KnowledgeRows", "PassageRow", "SourceRow"]
