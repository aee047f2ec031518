"""What merged contacts were known by."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "contact_aliases",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("merged_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "value", "kind", name="pk_contact_aliases"),
    )
    op.create_index("ix_contact_aliases_contact", "contact_aliases", ["contact_id", "workspace_id"])


def downgrade() -> None:
    op.drop_table("contact_aliases")
