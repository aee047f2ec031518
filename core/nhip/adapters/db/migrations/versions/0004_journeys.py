"""Journeys: waits for events, loops, runs that move to another version."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_AWAITING = "state = 'waiting' AND awaits IS NOT NULL"
_LISTENING = "listens IS NOT NULL"


def upgrade() -> None:
    op.add_column("runs", sa.Column("moved_from", sa.Integer(), nullable=True))
    op.add_column("workflow_versions", sa.Column("listens", sa.Text(), nullable=True))
    op.create_index(
        "ix_workflow_versions_listening", "workflow_versions", ["workspace_id"],
        sqlite_where=sa.text(_LISTENING), postgresql_where=sa.text(_LISTENING),
    )  # fmt: skip
    with op.batch_alter_table("steps") as steps:
        steps.add_column(sa.Column("awaits", sa.Text(), nullable=True))
        steps.add_column(sa.Column("wanted_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE steps SET wanted_at = created_at")
    with op.batch_alter_table("steps") as steps:
        steps.alter_column("wanted_at", existing_type=sa.BigInteger(), nullable=False)
        steps.drop_constraint("uq_steps_run_id_node_iteration", type_="unique")
        steps.create_unique_constraint(
            "uq_steps_run_id_node_iteration_version_id", ["run_id", "node", "iteration", "version_id"]
        )
    op.create_index(
        "ix_steps_awaiting", "steps", ["contact_id"],
        sqlite_where=sa.text(_AWAITING), postgresql_where=sa.text(_AWAITING),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_steps_awaiting", table_name="steps")
    with op.batch_alter_table("steps") as steps:
        steps.drop_constraint("uq_steps_run_id_node_iteration_version_id", type_="unique")
        steps.create_unique_constraint("uq_steps_run_id_node_iteration", ["run_id", "node", "iteration"])
        steps.drop_column("wanted_at")
        steps.drop_column("awaits")
    op.drop_index("ix_workflow_versions_listening", table_name="workflow_versions")
    op.drop_column("workflow_versions", "listens")
    op.drop_column("runs", "moved_from")
