"""The tables of assignment and taxonomies, beside those of :mod:`nhip.adapters.db.tables`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, PrimaryKeyConstraint, Table, Text

from nhip.adapters.db.tables import metadata

assignment_turns = Table(
    "assignment_turns",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("pool", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("last", Text),
    PrimaryKeyConstraint("workspace_id", "pool", "how"),
)
"""Who had the last turn in a pool of employees (``department:care``). Its row is held from the choice until the unit
ends, so that two workers never give the same turn."""

taxonomies = Table(
    "taxonomies",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "type"),
)
"""The words that a workspace has for the records of a type, where they are not those that the type comes with."""
