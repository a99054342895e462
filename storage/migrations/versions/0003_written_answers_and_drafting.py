"""Answers as the model wrote them, and what drafting cost.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_METRICS = ("plain_steps", "asked_by_speculator", "draft_ms_by_speculator")


def upgrade() -> None:
    """Add the columns; turns that are stored already have none of it."""
    written = sa.Column("written", sa.Text(), nullable=False, server_default="")
    op.add_column("turn", written)
    steps, *by_speculator = _METRICS
    zero = sa.Column(steps, sa.Integer(), nullable=False, server_default="0")
    op.add_column("turn_metrics", zero)
    for name in by_speculator:
        op.add_column(
            "turn_metrics", sa.Column(name, sa.JSON(), nullable=False, server_default="{}")
        )


def downgrade() -> None:
    """Drop them."""
    for name in _METRICS:
        op.drop_column("turn_metrics", name)
    op.drop_column("turn", "written")
