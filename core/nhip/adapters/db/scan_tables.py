"""The tables of what time sets off: scans, who asks them, and the days that date scans look for."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from nhip.adapters.db.tables import metadata


def _workspace() -> "Column[int]":
    return Column("workspace_id", Integer, nullable=False)


scans = Table(
    "scans",
    metadata,
    _workspace(),
    Column("key", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("watch", Text),
    Column("due_at", BigInteger),
    Column("since_at", BigInteger, nullable=False),
    Column("until_at", BigInteger),
    Column("cursor", Text),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "key"),
    Index("ix_scans_due", "due_at"),
    Index(
        "ix_scans_watch",
        "workspace_id",
        "watch",
        sqlite_where=text("watch IS NOT NULL"),
        postgresql_where=text("watch IS NOT NULL"),
    ),
)
"""One row per distinct scan. Everything up to ``since_at`` has been looked at; while a look is under way it goes up to
``until_at`` and has come to ``cursor``. ``due_at`` is NULL while nothing can be looked at yet, or only paused workflows
ask."""

workflow_scans = Table(
    "workflow_scans",
    metadata,
    _workspace(),
    Column("workflow", Text, nullable=False),
    Column("key", Text, nullable=False),
    PrimaryKeyConstraint("workspace_id", "workflow", "key"),
    Index("ix_workflow_scans_key", "workspace_id", "key"),
)
"""Which active workflows ask which scans, and which scans of paused ones stay where they are."""

date_watches = Table(
    "date_watches",
    metadata,
    _workspace(),
    Column("watch", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("cursor", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("workspace_id", "watch"),
    Index(
        "ix_date_watches_unsettled",
        "state",
        sqlite_where=text("state <> 'kept'"),
        postgresql_where=text("state <> 'kept'"),
    ),
)
"""The fields whose days or minutes are kept in ``dates``. ``state``: ``filling`` (from what was stored before; it has
come to ``cursor``), ``kept``, ``leaving`` (nobody asks any more)."""

date_zones = Table(
    "date_zones",
    metadata,
    _workspace(),
    Column("watch", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    PrimaryKeyConstraint("workspace_id", "watch", "timezone"),
)
"""The time zones in which the days of a watch are met."""

dates = Table(
    "dates",
    metadata,
    _workspace(),
    Column("owner_id", Text, nullable=False),
    Column("watch", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    PrimaryKeyConstraint("owner_id", "watch", "workspace_id"),
    Index("ix_dates_slot", "workspace_id", "watch", "timezone", "slot", "owner_id"),
)
"""The day that a watched field of a contact or a record (``owner_id``) holds, as its ordinal in ``day``; ``slot`` is
what of it comes back (:func:`nhip.engine.times.dates.slot_of`), or the minute since 1970 where the minute is looked
for."""
