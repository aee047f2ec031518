"""The tables of segments and enrolments, beside those of :mod:`nhip.adapters.db.tables`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from nhip.adapters.db.tables import metadata

segments = Table(
    "segments",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("condition", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("walks_left", Integer, nullable=False),
    Column("walked_to", Text, nullable=False, server_default=""),
    Column("walk_at", BigInteger, nullable=False),
    Column("looked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "name"),
    Index("ix_segments_due", "due_at"),
)
"""``walks_left``: 2 until everybody was judged by the condition, then 1 until everybody was judged once more, from
``walk_at`` on, for the sake of units that had begun before the condition was stored. ``walked_to`` is the external id
that the walk has come to, ``looked_at`` until when the passing of time is taken into account, ``due_at`` when somebody
has to look again."""

segment_members = Table(
    "segment_members",
    metadata,
    Column("workspace_id", Integer, nullable=False),
    Column("segment", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("entered_at", BigInteger, nullable=False),
    Column("by_definition", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("workspace_id", "segment", "contact_id"),
    Index("ix_segment_members_entered", "workspace_id", "segment", "entered_at", "contact_id"),
    Index("ix_segment_members_contact", "contact_id", "workspace_id"),
)
"""``by_definition`` is 1 for those who were found when the condition was made or changed: nothing happened to them."""

segment_moments = Table(
    "segment_moments",
    metadata,
    Column("workspace_id", Integer, nullable=False),
    Column("segment", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "segment", "contact_id"),
    Index("ix_segment_moments_due", "workspace_id", "segment", "due_at"),
)
"""When a contact has to be judged again although nothing happens to it: at the next moment at which a test of the
condition may change by itself, or earlier."""

enrolments = Table(
    "enrolments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False),
    Column("workflow", Text, nullable=False),
    Column("segment", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("total", Integer),
    Column("seen", Integer, nullable=False, server_default="0"),
    Column("entered", Integer, nullable=False, server_default="0"),
    Column("refused", Text, nullable=False, server_default="{}"),
    Column("unknown", Integer, nullable=False, server_default="0"),
    Column("unknown_contacts", Text, nullable=False, server_default="[]"),
    Column("cursor", Text, nullable=False, server_default=""),
    Column("due_at", BigInteger),
    Column("created_by", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Index(
        "ix_enrolments_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_enrolments_workflow", "workspace_id", "workflow", "id"),
)
"""``state``: running, done, cancelled. ``cursor`` moves in the unit that lets contacts enter: of a list it is the
number of its next part, of a segment the contact that was last. ``due_at`` is when the next of them may enter."""

enrolment_parts = Table(
    "enrolment_parts",
    metadata,
    Column("workspace_id", Integer, nullable=False),
    Column("enrolment_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("contacts", Text, nullable=False),
    PrimaryKeyConstraint("enrolment_id", "number", "workspace_id"),
)
"""The external ids of an enrolment that names its contacts, as many in each row as enter in one unit."""
