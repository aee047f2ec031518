"""The tables of telephone calls, beside those of :mod:`nhip.adapters.db.tables`."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from nhip.adapters.db.tables import metadata

calls = Table(
    "calls",
    metadata,
    Column("workspace_id", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("caller", Text),
    Column("called", Text, nullable=False),
    Column("contact", Text),
    Column("run_id", Text),
    Column("plan", Text),
    Column("turns", Integer, nullable=False, server_default="0"),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("duration", Integer),
    Column("reference", Text),
    Column("recording", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "channel", "call_id"),
    Index("ix_calls_started", "started_at"),
)
"""``run_id`` is the run that answers the call, ``plan`` what it left for the answer that is due, ``turns`` how many
answers were given."""

call_answers = Table(
    "call_answers",
    metadata,
    Column("workspace_id", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("plan", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "channel", "call_id", "turn"),
    Index("ix_call_answers_created", "created_at"),
)
"""What was answered, so that a provider that asks again hears the same."""
