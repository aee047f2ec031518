"""The days on which workspaces are closed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "calendars",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_calendars_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_calendars"),
        sa.UniqueConstraint("id", name="uq_calendars_id"),
    )


def downgrade() -> None:
    op.drop_table("calendars")
