"""The table of calendars, beside those of :mod:`nhip.adapters.db.tables`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, PrimaryKeyConstraint, Table, Text

from nhip.adapters.db.tables import metadata

calendars = Table(
    "calendars",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id"),
)
"""The days on which a workspace is closed, as one document."""
