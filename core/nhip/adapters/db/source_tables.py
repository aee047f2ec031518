"""The table of sources."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, PrimaryKeyConstraint, Table, Text

from nhip.adapters.db.tables import metadata

sources = Table(
    "sources",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("preset", Text),
    Column("mapping", Text, nullable=False),
    Column("verification", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("hook_token", Text, nullable=False, unique=True),
    Column("rate_per_second", Integer, nullable=False),
    Column("free_at", BigInteger, nullable=False, server_default="0"),
    Column("allowed_origins", Text, nullable=False),
    Column("success_status", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "name"),
)
"""``free_at`` is the state of the rate limit, over all processes (:func:`nhip.engine.incoming.rates.admit`)."""
