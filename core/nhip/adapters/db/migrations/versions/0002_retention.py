"""Indexes by which old rows are found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index(
        "ix_receipts_delivery",
        "receipts",
        ["delivery_id"],
        unique=False,
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
        sqlite_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.create_index("ix_idempotent_requests_created", "idempotent_requests", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_idempotent_requests_created", table_name="idempotent_requests")
    op.drop_index("ix_receipts_delivery", table_name="receipts")
