"""Conversations, turns with their metrics, races and audits.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of the first release."""
    _create_conversation()
    _create_turn()
    _create_turn_metrics()
    _create_race()
    _create_audit()


def downgrade() -> None:
    """Drop every table, the dependent ones first."""
    for table in ("audit", "race", "turn_metrics", "turn", "conversation"):
        op.drop_table(table)


def _create_conversation() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
    )
    op.create_index("ix_conversation_owner_updated_at", "conversation", ["owner", "updated_at"])


def _create_turn() -> None:
    op.create_table(
        "turn",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name="fk_turn_conversation_id_conversation",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_turn"),
        sa.UniqueConstraint("conversation_id", "position", name="uq_turn_conversation_id_position"),
    )
    op.create_index("ix_turn_created_at", "turn", ["created_at"])


def _create_turn_metrics() -> None:
    op.create_table(
        "turn_metrics",
        sa.Column("turn_id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("speculators", sa.JSON(), nullable=False),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("queue_ms", sa.Double(), nullable=False),
        sa.Column("ttft_ms", sa.Double(), nullable=True),
        sa.Column("tpot_ms", sa.Double(), nullable=True),
        sa.Column("e2e_ms", sa.Double(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("drafted", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("drafted_by_depth", sa.JSON(), nullable=False),
        sa.Column("accepted_by_depth", sa.JSON(), nullable=False),
        sa.Column("drafted_by_source", sa.JSON(), nullable=False),
        sa.Column("accepted_by_source", sa.JSON(), nullable=False),
        sa.Column("accepted_lengths", sa.JSON(), nullable=False),
        sa.Column("draft_ms", sa.Double(), nullable=False),
        sa.Column("verify_ms", sa.Double(), nullable=False),
        sa.Column("peak_pages", sa.Integer(), nullable=False),
        sa.Column("preemptions", sa.Integer(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turn.id"], name="fk_turn_metrics_turn_id_turn", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("turn_id", name="pk_turn_metrics"),
    )
    op.create_index("ix_turn_metrics_model", "turn_metrics", ["model"])


def _create_race() -> None:
    op.create_table(
        "race",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("identical", sa.Boolean(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("plain_turn_id", sa.Text(), nullable=False),
        sa.Column("speculative_turn_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plain_turn_id"], ["turn.id"], name="fk_race_plain_turn_id_turn"),
        sa.ForeignKeyConstraint(
            ["speculative_turn_id"], ["turn.id"], name="fk_race_speculative_turn_id_turn"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_race"),
        sa.UniqueConstraint("plain_turn_id", name="uq_race_plain_turn_id"),
        sa.UniqueConstraint("speculative_turn_id", name="uq_race_speculative_turn_id"),
    )
    op.create_index("ix_race_created_at", "race", ["created_at"])
    op.create_index("ix_race_owner", "race", ["owner"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("speculators", sa.JSON(), nullable=False),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("prompts", sa.Integer(), nullable=False),
        sa.Column("identical", sa.Integer(), nullable=False),
        sa.Column("divergences", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_created_at", "audit", ["created_at"])
