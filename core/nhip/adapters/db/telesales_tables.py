"""The tables of telesales, beside those of :mod:`nhip.adapters.db.tables`."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from nhip.adapters.db.tables import metadata

_OPEN = text("closed_at IS NULL")
_GOES_BACK = text("closed_at IS NULL AND back_at IS NOT NULL")

telesales_campaigns = Table(
    "telesales_campaigns",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("object", Text, nullable=False),
    Column("agents", Text, nullable=False),
    Column("auto_distribution", Integer, nullable=False),
    Column("hours", Text, nullable=False),
    Column("retry", Text, nullable=False),
    Column("hold_minutes", Integer),
    Column("last_agent", Text),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "name"),
)
"""``last_agent`` is whose turn was the last; whoever gives an entry to the next one holds the row."""

telesales_entries = Table(
    "telesales_entries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("agent", Text),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("note", Text),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("counts", Text, nullable=False, server_default="{}"),
    Column("outcome", Text),
    Column("call_back_at", BigInteger),
    Column("outcome_note", Text),
    Column("run_id", Text),
    Column("reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("back_at", BigInteger),
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("history", Text, nullable=False, server_default="[]"),
    ForeignKeyConstraint(
        ["workspace_id", "campaign"],
        ["telesales_campaigns.workspace_id", "telesales_campaigns.name"],
        name="fk_telesales_entries_campaign",
    ),
    Index(
        "uq_telesales_entries_open",
        "workspace_id",
        "campaign",
        "contact_id",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "ix_telesales_entries_queue",
        "workspace_id",
        "campaign",
        "due_at",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index("ix_telesales_entries_contact", "workspace_id", "contact_id", "id"),
    Index(
        "ix_telesales_entries_agent",
        "workspace_id",
        "agent",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "ix_telesales_entries_back",
        "back_at",
        sqlite_where=_GOES_BACK,
        postgresql_where=_GOES_BACK,
    ),
)
"""``state``: open (from ``due_at`` on), taken, done, cancelled; its agent has it until ``back_at``. A contact has one
entry of a campaign at a time that is not closed."""
