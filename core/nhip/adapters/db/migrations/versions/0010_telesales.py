"""Telesales: campaigns and the calls to be made in them; companies can be found by their names."""

import unicodedata

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_OPEN = "closed_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "telesales_campaigns",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("agents", sa.Text(), nullable=False),
        sa.Column("auto_distribution", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Text(), nullable=False),
        sa.Column("retry", sa.Text(), nullable=False),
        sa.Column("last_agent", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_telesales_campaigns_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "name", name="pk_telesales_campaigns"),
        sa.UniqueConstraint("id", name="uq_telesales_campaigns_id"),
    )
    op.create_table(
        "telesales_entries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("call_back_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome_note", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "campaign"],
            ["telesales_campaigns.workspace_id", "telesales_campaigns.name"],
            name="fk_telesales_entries_campaign",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_telesales_entries"),
    )
    op.create_index(
        "uq_telesales_entries_open", "telesales_entries", ["workspace_id", "campaign", "contact_id"], unique=True,
        sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN),
    )  # fmt: skip
    op.create_index(
        "ix_telesales_entries_queue", "telesales_entries", ["workspace_id", "campaign", "due_at"],
        sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN),
    )  # fmt: skip
    op.create_index("ix_telesales_entries_contact", "telesales_entries", ["workspace_id", "contact_id", "id"])
    op.add_column("accounts", sa.Column("name_key", sa.Text(), nullable=True))
    _fill_name_keys()
    op.create_index("ix_accounts_name_key", "accounts", ["workspace_id", "name_key"])


def downgrade() -> None:
    op.drop_index("ix_accounts_name_key", table_name="accounts")
    op.drop_column("accounts", "name_key")
    op.drop_table("telesales_entries")
    op.drop_table("telesales_campaigns")


def _fill_name_keys() -> None:
    accounts = sa.table(
        "accounts", sa.column("workspace_id"), sa.column("external_id"), sa.column("attributes"), sa.column("name_key")
    )
    connection = op.get_bind()
    query = sa.select(accounts.c.workspace_id, accounts.c.external_id, accounts.c.attributes)
    for workspace_id, external_id, attributes in connection.execute(query).all():
        name = msgspec.json.decode(attributes).get("name")
        if not isinstance(name, str):
            continue
        key = " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).split())
        place = (accounts.c.workspace_id == workspace_id, accounts.c.external_id == external_id)
        connection.execute(accounts.update().where(*place).values(name_key=key))
