"""Who gets what: turns, open work per employee, and the words for tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_CLOSED = "closed_at IS NOT NULL"
_OPEN = "assignee IS NOT NULL AND closed_at IS NULL"
_ENDED = """
    (type = 'task' AND status IN ('done', 'completed', 'cancelled'))
    OR (type = 'ticket' AND status IN ('done', 'resolved', 'closed'))"""


def upgrade() -> None:
    op.add_column("records", sa.Column("assignee", sa.Text(), nullable=True))
    op.add_column("records", sa.Column("closed_at", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        assignee = "json_extract(attributes, '$.assignee')"
    else:
        assignee = "attributes::json ->> 'assignee'"
    op.execute(f"UPDATE records SET assignee = {assignee}")  # noqa: S608
    op.execute(f"UPDATE records SET closed_at = updated_at WHERE {_ENDED}")  # noqa: S608
    op.create_index("ix_records_created", "records", ["workspace_id", "type", "created_at"])
    op.create_index(
        "ix_records_closed", "records", ["workspace_id", "type", "closed_at"],
        sqlite_where=sa.text(_CLOSED), postgresql_where=sa.text(_CLOSED),
    )  # fmt: skip
    op.create_index(
        "ix_records_load", "records", ["workspace_id", "assignee", "type"],
        sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN),
    )  # fmt: skip
    op.create_index("ix_staff_store", "staff", ["workspace_id", "store"])
    op.create_table(
        "assignment_turns",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_assignment_turns_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "pool", "how", name="pk_assignment_turns"),
    )
    op.create_table(
        "taxonomies",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_taxonomies_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "type", name="pk_taxonomies"),
        sa.UniqueConstraint("id", name="uq_taxonomies_id"),
    )


def downgrade() -> None:
    op.drop_table("taxonomies")
    op.drop_table("assignment_turns")
    op.drop_index("ix_staff_store", table_name="staff")
    for index in ("ix_records_load", "ix_records_closed", "ix_records_created"):
        op.drop_index(index, table_name="records")
    op.drop_column("records", "closed_at")
    op.drop_column("records", "assignee")
