"""What must hold of the whole database whatever happened: checked at the end of integration and fault tests.

Each law is a query that finds its breaches. `check` raises an `AssertionError` that lists all of them.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text

from nhip.adapters.db.unit import SqlUnit
from nhip.domain.ids import idempotency_key
from nhip.engine.customers.snapshots import activity_kinds
from nhip.ports import Storage

LAWS: Final[dict[str, str]] = {
    "a run belongs to an incoming event of its own workspace and contact": """
        SELECT r.id FROM runs r LEFT JOIN events e ON e.id = r.root_event_id AND e.workspace_id = r.workspace_id
        WHERE e.id IS NULL OR e.contact_id IS NULL OR e.contact_id <> r.contact_id""",
    "a run was started by its incoming event or by one derived from it": """
        SELECT r.id FROM runs r LEFT JOIN events e ON e.id = r.event_id AND e.workspace_id = r.workspace_id
        WHERE e.id IS NULL OR e.root_id <> r.root_event_id""",
    "a derived event has an incoming one": """
        SELECT e.id FROM events e LEFT JOIN events o ON o.id = e.root_id AND o.workspace_id = e.workspace_id
        WHERE o.id IS NULL OR o.root_id <> o.id""",
    "one run per workflow and incoming event": """
        SELECT workflow, root_event_id FROM runs GROUP BY workspace_id, workflow, root_event_id HAVING COUNT(*) > 1""",
    "one step per place of a run": """
        SELECT run_id, node, iteration, version_id FROM steps
        GROUP BY run_id, node, iteration, version_id HAVING COUNT(*) > 1""",
    "never two steps of one contact at a time": """
        SELECT contact_id FROM steps WHERE state = 'running' GROUP BY contact_id HAVING COUNT(*) > 1""",
    "a step belongs to its run's workspace and contact, and one that is not over to its version": """
        SELECT s.id FROM steps s LEFT JOIN runs r ON r.id = s.run_id
        WHERE r.id IS NULL OR r.workspace_id <> s.workspace_id OR r.contact_id <> s.contact_id
        OR (r.version_id <> s.version_id
            AND (r.moved_from IS NULL OR s.state NOT IN ('done', 'dead', 'cancelled')))""",
    "a delivery belongs to its step's workspace, run and contact": """
        SELECT d.id FROM deliveries d JOIN steps s ON s.id = d.step_id
        WHERE d.workspace_id <> s.workspace_id OR d.run_id <> s.run_id OR d.contact_id <> s.contact_id""",
    "a receipt belongs to its delivery's workspace and channel": """
        SELECT r.id FROM receipts r LEFT JOIN deliveries d ON d.id = r.delivery_id WHERE r.delivery_id IS NOT NULL
        AND (d.id IS NULL OR d.workspace_id <> r.workspace_id OR d.channel <> r.channel)""",
    "whom an event or a record concerns is a contact of its workspace": """
        SELECT x.id FROM (SELECT id, workspace_id, contact_id FROM events UNION ALL
        SELECT id, workspace_id, contact_id FROM records) x
        LEFT JOIN contacts c ON c.id = x.contact_id AND c.workspace_id = x.workspace_id
        WHERE x.contact_id IS NOT NULL AND c.id IS NULL""",
    "a day that is kept is that of somebody": """
        SELECT d.owner_id, d.watch FROM dates d
        LEFT JOIN contacts c ON c.id = d.contact_id AND c.workspace_id = d.workspace_id
        LEFT JOIN records r ON r.id = d.owner_id AND r.workspace_id = d.workspace_id
        WHERE c.id IS NULL OR (d.owner_id <> d.contact_id AND (r.id IS NULL OR r.contact_id <> d.contact_id))""",
    "a scan stands exactly while a workflow asks it, and rests exactly while none of them is active": """
        SELECT s.key FROM scans s LEFT JOIN workflow_scans w ON w.key = s.key AND w.workspace_id = s.workspace_id
        LEFT JOIN workflows f ON f.name = w.workflow AND f.workspace_id = s.workspace_id AND f.state = 'active'
        GROUP BY s.workspace_id, s.key, s.due_at, s.watch HAVING COUNT(w.key) = 0
        OR (COUNT(f.name) = 0) <> (s.due_at IS NULL AND s.watch IS NULL) UNION ALL
        SELECT w.key FROM workflow_scans w LEFT JOIN scans s ON s.key = w.key AND s.workspace_id = w.workspace_id
        WHERE s.key IS NULL""",
    "a run is under way exactly while one of its steps is open": """
        SELECT r.id, r.state, COUNT(s.id) FROM runs r LEFT JOIN steps s ON s.run_id = r.id
        AND s.state IN ('ready', 'running', 'waiting', 'unknown') AND s.generation = 0
        WHERE r.state = 'running' AND NOT EXISTS (SELECT 1 FROM steps g WHERE g.run_id = r.id AND g.generation > 0
        AND g.state IN ('ready', 'running', 'waiting', 'unknown'))
        GROUP BY r.id, r.state HAVING COUNT(s.id) <> 1""",
    "a run that is over has no open step, unless one was sent once more": """
        SELECT r.id, s.id, s.state FROM runs r JOIN steps s ON s.run_id = r.id WHERE r.state <> 'running'
        AND s.state IN ('ready', 'waiting', 'unknown') AND s.generation = 0""",
    "a run failed exactly when a step of it is dead": """
        SELECT r.id, r.state FROM runs r WHERE (r.state = 'failed') <> EXISTS
        (SELECT 1 FROM steps s WHERE s.run_id = r.id AND s.state = 'dead' AND s.generation = 0)
        AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.run_id = r.id AND s.generation > 0)
        AND COALESCE(r.reason, '') NOT LIKE '%cannot be compiled%'""",
    "what is over has a time at which it ended": """
        SELECT id FROM runs WHERE (state IN ('running', 'queued')) <> (ended_at IS NULL) UNION ALL
        SELECT id FROM steps WHERE (state IN ('done', 'dead', 'cancelled')) <> (finished_at IS NOT NULL)""",
    "nothing is silent: a step that is dead, unknown or cancelled has a reason": """
        SELECT id, state FROM steps WHERE state IN ('dead', 'unknown', 'cancelled') AND reason IS NULL""",
    "nothing is silent: a delivery that did not arrive has a reason": """
        SELECT id, state FROM deliveries WHERE reason IS NULL
        AND state IN ('deferred', 'failed', 'rejected', 'unknown', 'suppressed', 'expired')""",
    "only a running step is leased": """
        SELECT id FROM steps WHERE (state = 'running') <> (lease_until IS NOT NULL)""",
    "one delivery per step and generation": """
        SELECT step_id, generation FROM deliveries GROUP BY step_id, generation HAVING COUNT(*) > 1""",
    "a message that is done has a delivery": """
        SELECT s.id FROM steps s WHERE s.kind = 'message' AND s.state = 'done'
        AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.step_id = s.id AND d.generation = s.generation)
        AND NOT EXISTS (SELECT 1 FROM runs r JOIN steps o ON o.run_id = r.id JOIN deliveries d ON d.step_id = o.id
            WHERE r.id = s.run_id AND r.moved_from IS NOT NULL AND o.path = s.path)""",
    "an unknown step has an unknown delivery": """
        SELECT s.id, d.state FROM steps s JOIN deliveries d ON d.step_id = s.id AND d.generation = s.generation
        WHERE s.state = 'unknown' AND d.state <> 'unknown'""",
    "an accepted delivery says when it was": """
        SELECT id FROM deliveries WHERE state IN ('accepted', 'delivered', 'read') AND accepted_at IS NULL""",
    "a cancelled step leaves no delivery pending": """
        SELECT d.id FROM deliveries d JOIN steps s ON s.id = d.step_id AND s.generation = d.generation
        WHERE s.state = 'cancelled' AND d.state IN ('queued', 'deferred', 'sending')""",
}  # fmt: skip

AT_REST: Final[dict[str, str]] = {
    "nothing runs": "SELECT id, lease_until FROM steps WHERE state = 'running'",
    "nothing is being sent": "SELECT id FROM deliveries WHERE state = 'sending'",
    "nothing ready is overdue": "SELECT id, due_at FROM steps WHERE state = 'ready' AND due_at <= :now",
    "no wait is overdue": "SELECT id, due_at FROM steps WHERE state IN ('waiting', 'unknown') AND due_at <= :now",
    "no receipt is parked whose delivery is known": """
        SELECT r.id FROM receipts r JOIN deliveries d ON d.workspace_id = r.workspace_id AND d.channel = r.channel
        AND d.provider_id = r.provider_id WHERE r.delivery_id IS NULL""",
}  # fmt: skip
"""What holds besides when no worker has anything to do."""

_ADDRESSES: Final = ("phone", "email", "zalo_user_id", "status", "owner")


async def check(database: Storage, *, now: int | None = None, whole: bool = True) -> None:
    """Raise when a law is broken. With `now` (microseconds) the laws of a database at rest are checked too.

    `whole`: nothing was deleted because it was old, so that what is counted can be counted again.
    """
    breaches = await database.read(_breaches, now, whole)
    assert not breaches, "\n".join(breaches)


def _breaches(unit: SqlUnit, now: int | None, whole: bool) -> list[str]:
    laws = {**LAWS, **(AT_REST if now is not None else {})}
    found = []
    for law, query in laws.items():
        rows = _rows(unit, query, **({"now": now} if ":now" in query else {}))
        if rows:
            found.append(f"{law}: {len(rows)} breaches, {[tuple(row) for row in rows[:5]]}")
    return found + _wrong_keys(unit) + _wrong_columns(unit) + (_wrong_counts(unit) if whole else [])


def _rows(unit: SqlUnit, query: str, **values: Any) -> Sequence[Any]:
    return unit.connection.execute(text("/* by the test itself */ " + query), values).all()


def _wrong_keys(unit: SqlUnit) -> list[str]:
    """A delivery's key is that of its step and generation, and nothing else."""
    rows = _rows(
        unit,
        "SELECT d.id, d.workspace_id, s.run_id, s.path, s.iteration, d.generation, d.idempotency_key"
        " FROM deliveries d JOIN steps s ON s.id = d.step_id",
    )
    wrong = [row[0] for row in rows if idempotency_key(*row[1:6]) != row[6]]
    return [f"a delivery's key is made of its step and generation: {wrong[:5]}"] if wrong else []


def _wrong_columns(unit: SqlUnit) -> list[str]:
    """The columns beside a contact's attributes repeat them."""
    wrong = [
        row[0]
        for row in _rows(unit, f"SELECT id, attributes, {', '.join(_ADDRESSES)} FROM contacts")
        if [msgspec.json.decode(row[1]).get(name) for name in _ADDRESSES] != list(row[2:])
    ]
    wrong += [
        row[0]
        for row in _rows(unit, "SELECT id, attributes, status, assignee FROM records")
        if [msgspec.json.decode(row[1]).get(name) for name in ("status", "assignee")] != list(row[2:])
    ]
    return [f"columns repeat the attributes: {wrong[:5]}"] if wrong else []


def _wrong_counts(unit: SqlUnit) -> list[str]:
    """What is counted of a contact is what is stored of it."""
    kinds = {row[0]: None for row in _rows(unit, "SELECT DISTINCT type FROM records")}
    expected: dict[tuple[str, str], int] = {}
    for contact_id, event_type, data in _rows(
        unit, "SELECT contact_id, type, data FROM events WHERE contact_id IS NOT NULL"
    ):
        for kind in activity_kinds(event_type, kinds, msgspec.json.decode(data)):
            expected[contact_id, kind] = expected.get((contact_id, kind), 0) + 1
    stored = {(row[0], row[1]): row[2] for row in _rows(unit, "SELECT contact_id, kind, count FROM activity")}
    wrong = [key for key in expected.keys() | stored.keys() if expected.get(key) != stored.get(key)]
    return [f"activity counts the events: {wrong[:5]}"] if wrong else []
