"""Segments and who is in them; enrolments."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_WAITING = "due_at IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("walks_left", sa.Integer(), nullable=False),
        sa.Column("walked_to", sa.Text(), server_default="", nullable=False),
        sa.Column("walk_at", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_segments_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "name", name="pk_segments"),
        sa.UniqueConstraint("id", name="uq_segments_id"),
    )
    op.create_index("ix_segments_due", "segments", ["due_at"])
    op.create_table(
        "segment_members",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("by_definition", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "segment", "contact_id", name="pk_segment_members"),
    )
    op.create_index(
        "ix_segment_members_entered", "segment_members", ["workspace_id", "segment", "entered_at", "contact_id"]
    )
    op.create_index("ix_segment_members_contact", "segment_members", ["contact_id", "workspace_id"])
    op.create_table(
        "segment_moments",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "segment", "contact_id", name="pk_segment_moments"),
    )
    op.create_index("ix_segment_moments_due", "segment_moments", ["workspace_id", "segment", "due_at"])
    op.create_table(
        "enrolments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("entered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused", sa.Text(), server_default="{}", nullable=False),
        sa.Column("unknown", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unknown_contacts", sa.Text(), server_default="[]", nullable=False),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_enrolments_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_enrolments"),
    )
    op.create_index(
        "ix_enrolments_due", "enrolments", ["due_at"],
        sqlite_where=sa.text(_WAITING), postgresql_where=sa.text(_WAITING),
    )  # fmt: skip
    op.create_index("ix_enrolments_workflow", "enrolments", ["workspace_id", "workflow", "id"])
    op.create_table(
        "enrolment_parts",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("contacts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", "number", "workspace_id", name="pk_enrolment_parts"),
    )


def downgrade() -> None:
    for table in ("enrolment_parts", "enrolments", "segment_moments", "segment_members", "segments"):
        op.drop_table(table)
