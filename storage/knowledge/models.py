"""The tables of passages, of their vectors and of the version of it all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from storage.models import Base


class Passage(Base):
    """A piece of a help page or document, small enough to be read beside a question."""

    __tablename__ = "passage"

    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(index=True)  # the document it is from
    position: Mapped[int]  # within the source, from 0
    title: Mapped[str]
    text: Mapped[str]
    words: Mapped[str]  # further words to find it by, with spaces between
    sha: Mapped[str] = mapped_column(index=True)  # SHA-256 of title and text
    searchable: Mapped[bool]
    added_at: Mapped[datetime]


class PassageVector(Base):
    """The sentence vectors of one title and text, by one vector model."""

    __tablename__ = "passage_vector"

    sha: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    vectors: Mapped[bytes] = mapped_column(LargeBinary)


class KnowledgeVersion(Base):
    """One row: a number that grows with every change of the passages."""

    __tablename__ = "knowledge_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
