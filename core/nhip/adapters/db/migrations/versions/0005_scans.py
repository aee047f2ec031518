"""What time sets off: scans, who asks them, and the days that they look for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_WATCHING = "watch IS NOT NULL"
_UNSETTLED = "state <> 'kept'"


def upgrade() -> None:
    op.create_table(
        "scans",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("watch", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "key", name="pk_scans"),
    )
    op.create_index("ix_scans_due", "scans", ["due_at"])
    op.create_index(
        "ix_scans_watch", "scans", ["workspace_id", "watch"],
        sqlite_where=sa.text(_WATCHING), postgresql_where=sa.text(_WATCHING),
    )  # fmt: skip
    op.create_table(
        "workflow_scans",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "workflow", "key", name="pk_workflow_scans"),
    )
    op.create_index("ix_workflow_scans_key", "workflow_scans", ["workspace_id", "key"])
    op.create_table(
        "date_watches",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("watch", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "watch", name="pk_date_watches"),
    )
    op.create_index(
        "ix_date_watches_unsettled", "date_watches", ["state"],
        sqlite_where=sa.text(_UNSETTLED), postgresql_where=sa.text(_UNSETTLED),
    )  # fmt: skip
    op.create_table(
        "date_zones",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("watch", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "watch", "timezone", name="pk_date_zones"),
    )
    op.create_table(
        "dates",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("watch", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "watch", "workspace_id", name="pk_dates"),
    )
    op.create_index("ix_dates_slot", "dates", ["workspace_id", "watch", "timezone", "slot", "owner_id"])
    # Who fell silent is found in pages, and many fall silent in the same moment.
    op.drop_index("ix_activity_last", table_name="activity")
    op.create_index("ix_activity_last", "activity", ["workspace_id", "kind", "last_at", "contact_id"])


def downgrade() -> None:
    op.drop_index("ix_activity_last", table_name="activity")
    op.create_index("ix_activity_last", "activity", ["workspace_id", "kind", "last_at"])
    for table in ("dates", "date_zones", "date_watches", "workflow_scans", "scans"):
        op.drop_table(table)
