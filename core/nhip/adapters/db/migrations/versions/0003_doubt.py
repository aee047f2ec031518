"""When a message may have gone out, apart from when its step was first tried."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("maybe_sent_at", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE deliveries SET maybe_sent_at = created_at WHERE state IN ('queued', 'deferred', 'sending', 'unknown')"
    )


def downgrade() -> None:
    op.drop_column("deliveries", "maybe_sent_at")
