"""The rule by which the drafts of a turn were verified.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of turns that are stored already nobody knows the rule."""
    rule = sa.Column("verification", sa.Text(), nullable=False, server_default="")
    op.add_column("turn_metrics", rule)


def downgrade() -> None:
    """Drop it."""
    op.drop_column("turn_metrics", "verification")
