"""The tables. Every one but ``workspaces`` carries ``workspace_id``.

Times are BIGINT microseconds since 1970 in UTC (columns ``*_at``), JSON is TEXT written and read by msgspec, ids
are UUIDv7 text. Hot rows (steps not yet finished) are reached through partial indexes, so history does not slow them.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _workspace() -> Column[int]:
    return Column("workspace_id", Integer, ForeignKey("workspaces.id"), nullable=False)


def _hot_workspace() -> Column[int]:
    """Without a foreign key: these tables take thousands of rows a second and are written by the engine alone."""
    return Column("workspace_id", Integer, nullable=False)


workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("publish_version", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
)
"""``publish_version`` rises with every change of a published workflow; processes compare it inside each ingest."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    _workspace(),
    Column("name", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Index("ix_api_keys_workspace", "workspace_id", "id"),
)

accounts = Table(
    "accounts",
    metadata,
    _workspace(),
    Column("external_id", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("attributes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("name_key", Text),
    PrimaryKeyConstraint("workspace_id", "external_id"),
    Index("ix_accounts_name_key", "workspace_id", "name_key"),
)
"""``name_key`` is the name as it is compared, so that a company can be found by it."""

contacts = Table(
    "contacts",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("external_id", Text, nullable=False),
    Column("phone", Text),
    Column("email", Text),
    Column("zalo_user_id", Text),
    Column("lifecycle", Text, nullable=False),
    Column("status", Text),
    Column("owner", Text),
    Column("score", Integer, nullable=False, server_default="0"),
    Column("attributes", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("score_state", Text),
    Column("score_due_at", BigInteger),
    UniqueConstraint("workspace_id", "external_id"),
    Index(
        "ix_contacts_score_due",
        "score_due_at",
        postgresql_where=text("score_due_at IS NOT NULL"),
        sqlite_where=text("score_due_at IS NOT NULL"),
    ),
    Index(
        "ix_contacts_phone",
        "workspace_id",
        "phone",
        postgresql_where=text("phone IS NOT NULL"),
        sqlite_where=text("phone IS NOT NULL"),
    ),
    Index(
        "ix_contacts_email",
        "workspace_id",
        "email",
        postgresql_where=text("email IS NOT NULL"),
        sqlite_where=text("email IS NOT NULL"),
    ),
    Index(
        "ix_contacts_zalo",
        "workspace_id",
        "zalo_user_id",
        postgresql_where=text("zalo_user_id IS NOT NULL"),
        sqlite_where=text("zalo_user_id IS NOT NULL"),
    ),
)
"""``attributes`` holds every field a client sees; the columns beside it repeat those that queries need.
``revision`` rises with each change: a writer that read an older one starts its unit again. ``score`` is as it was when
it was last looked at; ``score_state`` says what it is made of, ``score_due_at`` when to look again, where it falls."""

contact_aliases = Table(
    "contact_aliases",
    metadata,
    _hot_workspace(),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("merged_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "value", "kind"),
    Index("ix_contact_aliases_contact", "contact_id", "workspace_id"),
)
"""What merged contacts were known by: their external ids, and the addresses (``kind``: phone, email, zalo_user_id) that
gave way to others. Each leads to the contact that stayed, ``contact_id``; ``merged_id`` is the one that is gone."""

score_rules = Table(
    "score_rules",
    metadata,
    _workspace(),
    Column("id", Text, nullable=False, unique=True),
    Column("rules", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("recount_after", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id"),
)
"""What a workspace's scores are made of. ``recount_after`` is the id of the contact up to which a change of the rules
has been carried into the scores, and NULL when it has been into all."""

activity = Table(
    "activity",
    metadata,
    _hot_workspace(),
    Column("contact_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("contact_id", "kind", "workspace_id"),
    Index("ix_activity_last", "workspace_id", "kind", "last_at", "contact_id"),
)
"""What a contact did, per kind: records created (``order``), visits (``site``), replies (``message``), …"""

records = Table(
    "records",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("type", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("contact_id", Text),
    Column("status", Text),
    Column("attributes", Text, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("assignee", Text),
    Column("closed_at", BigInteger),
    UniqueConstraint("external_id", "type", "workspace_id"),
    Index("ix_records_contact", "contact_id", "type", "workspace_id"),
    Index("ix_records_created", "workspace_id", "type", "created_at"),
    Index(
        "ix_records_closed",
        "workspace_id",
        "type",
        "closed_at",
        postgresql_where=text("closed_at IS NOT NULL"),
        sqlite_where=text("closed_at IS NOT NULL"),
    ),
    Index(
        "ix_records_load",
        "workspace_id",
        "assignee",
        "type",
        postgresql_where=text("assignee IS NOT NULL AND closed_at IS NULL"),
        sqlite_where=text("assignee IS NOT NULL AND closed_at IS NULL"),
    ),
)
"""``as_of`` is the time of the youngest event applied: an older snapshot that comes late changes nothing. ``assignee``
repeats the attribute; ``closed_at`` is when its status became one of those that end it, so that an employee's open work
is found without what is done."""

staff = Table(
    "staff",
    metadata,
    _workspace(),
    Column("external_id", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("phone", Text),
    Column("email", Text),
    Column("department", Text),
    Column("store", Text),
    Column("active", Integer, nullable=False, server_default="1"),
    Column("attributes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "external_id"),
    Index("ix_staff_department", "workspace_id", "department"),
    Index("ix_staff_store", "workspace_id", "store"),
)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("source", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("contact_id", Text),
    Column("time_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("facts", Text),
    Column("derived", Text),
    Column("root_id", Text, nullable=False),
    Column("cause_run_id", Text),
    Column("depth", Integer, nullable=False, server_default="0"),
    UniqueConstraint("source_id", "source", "workspace_id"),
    Index("ix_events_type", "workspace_id", "type", "id"),
    Index("ix_events_contact", "workspace_id", "contact_id", "id"),
)
"""``facts`` is what the event's decisions read (on the incoming event; its derived ones share it through ``root_id``);
``derived`` lists the ids of the events that the engine derived from it."""

channels = Table(
    "channels",
    metadata,
    _workspace(),
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("secrets_revision", BigInteger, nullable=False, server_default="0"),
    Column("secrets_lock_owner", Text),
    Column("secrets_lock_until", BigInteger),
    Column("hook_token", Text, nullable=False, unique=True),
    Column("rate_per_second", BigInteger),
    Column("next_free_at", BigInteger, nullable=False, server_default="0"),
    Column("price_amount", BigInteger),
    Column("price_currency", Text),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "name"),
)
"""``secrets`` is encrypted; ``revision`` rises with each change of the configuration, not of rotated secrets."""

templates = Table(
    "templates",
    metadata,
    _workspace(),
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("channel_type", Text, nullable=False),
    Column("message_class", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "name"),
)

workflows = Table(
    "workflows",
    metadata,
    _workspace(),
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("draft", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("published_version", Integer),
    Column("published_version_id", Text),
    Column("changed_version", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "name"),
    Index("ix_workflows_changed", "workspace_id", "changed_version"),
)
"""``state``: draft, active, paused, archived. ``changed_version`` is the workspace's ``publish_version`` at the last
publish, pause, resume or archive, so that a process reloads only what changed."""

workflow_versions = Table(
    "workflow_versions",
    metadata,
    Column("id", Text, primary_key=True),
    _workspace(),
    Column("workflow", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("definition", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("published_by", Text),
    Column("listens", Text),
    UniqueConstraint("workspace_id", "workflow", "number"),
    Index(
        "ix_workflow_versions_listening",
        "workspace_id",
        sqlite_where=text("listens IS NOT NULL"),
        postgresql_where=text("listens IS NOT NULL"),
    ),
)
"""``listens``: the types of events that its runs wait for and that end them, where there are any."""

workflow_activations = Table(
    "workflow_activations",
    metadata,
    Column("id", Text, primary_key=True),
    _workspace(),
    Column("workflow", Text, nullable=False),
    Column("version_id", Text, nullable=False),
    Column("from_at", BigInteger, nullable=False),
    Column("until_at", BigInteger),
    Index("ix_workflow_activations_span", "workspace_id", "from_at"),
)
"""When which version could start runs: what *explain* needs to say why a workflow did not fire."""

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("workflow", Text, nullable=False),
    Column("version_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("trigger_id", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("root_event_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("depth", Integer, nullable=False, server_default="0"),
    Column("event_received_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("moved_from", Integer),
    UniqueConstraint("workspace_id", "root_event_id", "workflow"),
    Index("ix_runs_contact", "workspace_id", "contact_id", "id"),
    Index("ix_runs_workflow", "workspace_id", "workflow", "id"),
)
"""``state``: queued, running, completed, exited, failed, cancelled. One run per workflow and incoming event.
``moved_from`` is the version from which an admin moved it last."""

refusals = Table(
    "refusals",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("workflow", Text, nullable=False),
    Column("version_id", Text, nullable=False),
    Column("trigger_id", Text, nullable=False),
    Column("contact_id", Text),
    Column("event_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_refusals_workflow", "workspace_id", "workflow", "id"),
    Index("ix_refusals_event", "workspace_id", "event_id"),
)
"""A workflow that matched an event and yet started no run: re-entry, mode, a chain of causes cut."""

steps = Table(
    "steps",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("run_id", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("version_id", Text, nullable=False),
    Column("node", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("iteration", Integer, nullable=False, server_default="0"),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("alternative", Integer, nullable=False, server_default="0"),
    Column("leases_lost", Integer, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("first_attempt_at", BigInteger),
    Column("outcome", Text),
    Column("output", Text),
    Column("reason", Text),
    Column("awaits", Text),
    Column("wanted_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    UniqueConstraint("run_id", "node", "iteration", "version_id"),
    *(
        Index(
            f"ix_steps_{state}",
            "due_at",
            sqlite_where=text(f"state = '{state}'"),
            postgresql_where=text(f"state = '{state}'"),
        )
        for state in ("ready", "waiting", "unknown")
    ),
    Index(
        "ix_steps_awaiting",
        "contact_id",
        sqlite_where=text("state = 'waiting' AND awaits IS NOT NULL"),
        postgresql_where=text("state = 'waiting' AND awaits IS NOT NULL"),
    ),
    Index(
        "ix_steps_suspect",
        "due_at",
        sqlite_where=text("state = 'ready' AND leases_lost > 0"),
        postgresql_where=text("state = 'ready' AND leases_lost > 0"),
    ),
    Index(
        "ix_steps_lease",
        "lease_until",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index(
        "uq_steps_one_running_per_contact",
        "contact_id",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)
"""The outbox. ``state``: ready, running, waiting, unknown, done, dead, cancelled. The unique partial index is the
invariant "never two steps of one contact at a time", kept by the database itself. ``awaits`` lists the types of events
that a wait is for, each between bars; ``wanted_at`` is when the step should have begun, whatever held it back."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("step_id", Text, nullable=False),
    Column("run_id", Text),
    Column("workflow", Text),
    Column("contact_id", Text),
    Column("channel", Text, nullable=False),
    Column("channel_type", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("message_class", Text, nullable=False),
    Column("address", Text),
    Column("content", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("idempotency_key", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("provider_id", Text),
    Column("price_amount", BigInteger),
    Column("price_currency", Text),
    Column("event_received_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
    Column("delivered_at", BigInteger),
    Column("read_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("maybe_sent_at", BigInteger),
    UniqueConstraint("workspace_id", "idempotency_key"),
    Index("ix_deliveries_step", "step_id"),
    Index("ix_deliveries_workflow", "workspace_id", "workflow", "id"),
    Index("ix_deliveries_contact", "workspace_id", "contact_id", "id"),
    Index(
        "ix_deliveries_provider",
        "workspace_id",
        "channel",
        "provider_id",
        sqlite_where=text("provider_id IS NOT NULL"),
        postgresql_where=text("provider_id IS NOT NULL"),
    ),
    Index(
        "ix_deliveries_unknown",
        "workspace_id",
        "id",
        sqlite_where=text("state = 'unknown'"),
        postgresql_where=text("state = 'unknown'"),
    ),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_workspace(),
    Column("channel", Text, nullable=False),
    Column("receipt_id", Text, nullable=False),
    Column("delivery_id", Text),
    Column("provider_id", Text),
    Column("idempotency_key", Text),
    Column("status", Text, nullable=False),
    Column("code", Text),
    Column("detail", Text),
    Column("received_at", BigInteger, nullable=False),
    UniqueConstraint("workspace_id", "channel", "receipt_id"),
    Index(
        "ix_receipts_parked",
        "workspace_id",
        "channel",
        "provider_id",
        sqlite_where=text("delivery_id IS NULL"),
        postgresql_where=text("delivery_id IS NULL"),
    ),
    Index(
        "ix_receipts_delivery",
        "delivery_id",
        sqlite_where=text("delivery_id IS NOT NULL"),
        postgresql_where=text("delivery_id IS NOT NULL"),
    ),
)
"""A receipt that comes before its delivery is recorded is parked with ``delivery_id`` NULL, and applied then."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Text, primary_key=True),
    _workspace(),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_audit_log_workspace", "workspace_id", "id"),
)

idempotent_requests = Table(
    "idempotent_requests",
    metadata,
    _workspace(),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", Text),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "route", "key"),
    Index("ix_idempotent_requests_created", "created_at"),
)
"""``Idempotency-Key`` answers, kept for a day; ``status`` NULL while the first request is still running."""
