"""Engagement scores: what each contact's is made of, when it next falls by itself, and the rules."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_DUE = "score_due_at IS NOT NULL"


def upgrade() -> None:
    op.add_column("contacts", sa.Column("score_state", sa.Text(), nullable=True))
    op.add_column("contacts", sa.Column("score_due_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_contacts_score_due", "contacts", ["score_due_at"],
        sqlite_where=sa.text(_DUE), postgresql_where=sa.text(_DUE),
    )  # fmt: skip
    op.create_table(
        "score_rules",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("recount_after", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_score_rules"),
        sa.UniqueConstraint("id", name="uq_score_rules_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_score_rules_workspace_id"),
    )


def downgrade() -> None:
    op.drop_table("score_rules")
    op.drop_index("ix_contacts_score_due", table_name="contacts")
    op.drop_column("contacts", "score_due_at")
    op.drop_column("contacts", "score_state")
