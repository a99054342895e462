"""What an answer stands on: its state, the pages found for it, and what nothing supports.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of turns that are stored already nobody knows."""
    op.add_column("turn", sa.Column("state", sa.Text(), nullable=True))
    op.add_column("turn", sa.Column("retrieved", sa.JSON(), nullable=True))
    op.add_column("turn", sa.Column("unsupported", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in ("state", "retrieved", "unsupported"):
        op.drop_column("turn", name)
