"""Notices every statement that touches a workspace's rows without naming the workspace."""

import re
from collections.abc import Callable
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, event

from nhip.adapters.db import statements, tables
from tests.support.world import TEST_SQL

_TABLES: Final = "|".join(name for name, table in tables.metadata.tables.items() if "workspace_id" in table.c)
_TOUCHES: Final = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:{_TABLES})\b", re.IGNORECASE)
_NAMES: Final = re.compile(r"""workspace_id"?\s*(?:=|IN\b)""", re.IGNORECASE)
_INSERTS: Final = re.compile(r"^\s*(?:WITH i1 AS \()?INSERT INTO \w+ \(", re.IGNORECASE)
_INTO: Final = re.compile(r"\bINSERT INTO \w+ \(([^)]*)\)", re.IGNORECASE)

_ROW: Final = r"SELECT id, workspace_id, .* FROM"
_BY_ID: Final = r".* WHERE .*\"id\" = "

ALLOWED: Final[dict[str, str]] = {
    # The work queue serves all workspaces at once; every row it answers names its own.
    r"^WITH due AS .* UPDATE steps SET state = 'running'": "the claim takes what is due, whosever it is",
    rf"^{_ROW} steps WHERE state = 'running' AND lease_until <": "expired leases",
    rf"^{_ROW} steps WHERE state = 'waiting' AND due_at <=": "due waits",
    rf"^{_ROW} steps WHERE state = 'unknown' AND": "unknown steps",
    r"^SELECT 1 FROM steps WHERE state = 'ready' AND leases_lost > 0": "whether anything has to be done alone",
    r"^SELECT contacts\.(workspace_id, \S+|score_due_at) FROM contacts WHERE contacts\.score_due_at <=": "due scores",
    r"^SELECT score_rules\..* FROM score_rules WHERE score_rules\.recount_after IS NOT NULL": "new score rules",
    r"^SELECT segments\.workspace_id, segments\.name FROM segments WHERE segments\.due_at <=": "segments to look at",
    r"^SELECT telesales_entries\.workspace_id, .* FROM telesales_entries WHERE \S+\.closed_at IS": "entries to go back",
    r"^SELECT enrolments\.workspace_id, enrolments\.id FROM enrolments WHERE enrolments\.due_at <=": "enrolments",
    # What the queue answered is then reached by the ids it answered.
    r"^SELECT id, (workspace_id, .*|epoch, state, .*) FROM steps WHERE id (IN|= ANY)": "claimed steps, by their ids",
    r"^UPDATE steps SET \"state\" = " + _BY_ID: "claimed steps, by their ids",
    r"^UPDATE runs SET \"state\" = " + _BY_ID: "the runs of claimed steps, by their ids",
    rf"^{_ROW} deliveries WHERE step_id (IN|= ANY)": "the deliveries of claimed steps",
    r"^UPDATE deliveries SET \"state\" = " + _BY_ID: "deliveries that this unit has read in their workspace",
    r"^UPDATE receipts SET \"delivery_id\" = " + _BY_ID: "receipts that this unit has read there",
    r"^SELECT d\.id, d\.workspace_id, .* FROM receipts r JOIN deliveries d ON d\.workspace_id = r\.": "parked receipts",
    # Every worker asks what is due of all workspaces; each row says whose it is, and is then looked at there.
    r"^SELECT workspace_id, key FROM scans WHERE due_at <=": "which scans are due",
    r"^SELECT workspace_id, watch FROM date_watches WHERE state <> 'kept'": "which days are not kept yet",
    r"^SELECT workspace_id, name, published_version, published_version_id FROM workflows WHERE": "what is new",
    # What operators watch is counted over all workspaces; it shows how much there is, and nothing of it.
    r"^SELECT count\(\*\) AS count_1 FROM steps WHERE steps\.state = '\w+'$": "how many steps are open",
    r"^SELECT count\(\*\) AS count_1 FROM \(SELECT \S+ AS one FROM steps WHERE steps\.state": "how many are overdue",
    r"^SELECT min\(steps\.due_at\) AS min_1 FROM steps WHERE steps\.state = 'ready'": "how long the oldest waits",
    r"^SELECT deliveries\.state, count\(\*\) AS count_1 FROM deliveries WHERE deliveries\.id >=": "what was sent",
    # What is old is found over all workspaces, and deleted in its own.
    r"^SELECT id, workspace_id, [\w, ]+ FROM (runs|events) WHERE id > \S+ AND id < \S+ ORDER BY": "what is old",
    r"^DELETE FROM (refusals|receipts) WHERE .*\bid IN \(SELECT id FROM \1 WHERE .*\bid < ": "what is old",
    r"^DELETE FROM telesales_entries WHERE id IN \(SELECT id FROM telesales_entries WHERE id < ": "what is old",
    r"^SELECT workspace_id, channel, call_id FROM calls WHERE started_at <": "what is old",
    r"^DELETE FROM idempotent_requests WHERE .* WHERE idempotent_requests\.created_at < ": "what is old",
    r"^UPDATE deliveries SET maybe_sent_at = created_at WHERE state IN": "a migration, over all of them",
    r"^UPDATE steps SET wanted_at = created_at": "a migration, over all of them",
    r"^SELECT accounts\.workspace_id, .* FROM accounts$": "a migration, over all of them",
    r"^UPDATE records SET assignee = (json_extract\(|attributes::json)": "a migration, over all of them",
    r"^UPDATE records SET closed_at = updated_at WHERE \(type = 'task'": "a migration, over all of them",
    r"^UPDATE telesales_campaigns SET hold_minutes = \d+$": "a migration, over all of them",
    r"^SELECT \S+, \S+, (\w+)\.updated_at FROM telesales_entries WHERE": "a migration, over all of them",
    r"^UPDATE telesales_entries SET back_at=\S+ WHERE \S+\.closed_at IS": "a migration, over all of them",
    r"^UPDATE telesales_entries SET back_at=.* WHERE telesales_entries\.id =": "a migration, over all of them",
    r"^INSERT INTO _alembic_tmp_": "a migration, over all of them",
    # An address that is a secret by itself says which workspace is meant.
    r"^SELECT .*, workspace_id FROM channels WHERE hook_token = ": "a provider knows the token, not the workspace",
    r"^SELECT workspace_id, .* FROM sources WHERE hook_token = ": "a sender knows the token, not the workspace",
    r"^SELECT id, .*, workspace_id FROM records WHERE id = \S+ AND type = ": "a signed address is for a ticket",
    r"^SELECT api_keys\..* WHERE api_keys\.id = ": "a caller knows the key, not the workspace",
}
"""Statements that may do without, each with its reason."""

_ALLOWED: Final = [re.compile(pattern, re.DOTALL) for pattern in ALLOWED]


def is_confined(statement: str) -> bool:
    """Whether a statement names its workspace, needs none, or may do without."""
    flat = " ".join(statement.split())
    if flat.startswith(TEST_SQL.strip()) or not _TOUCHES.search(flat):
        return True
    plain = flat.replace('"', "")
    if _INSERTS.match(plain) and all("workspace_id" in columns.split(", ") for columns in _INTO.findall(plain)):
        return True
    return bool(_NAMES.search(flat.partition(" WHERE ")[2])) or any(one.search(flat) for one in _ALLOWED)


class Guard:
    """Listens to every engine; `strays` are the statements that are not confined."""

    def __init__(self) -> None:
        self.strays: set[str] = set()
        self._seen: set[str] = set()
        self._direct = {name: getattr(statements, name) for name in ("fetch", "change", "change_many")}

    def __enter__(self) -> Self:
        event.listen(Engine, "before_cursor_execute", self._hear)
        for name, execute in self._direct.items():
            setattr(statements, name, self._heard(execute))
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._hear)
        for name, execute in self._direct.items():
            setattr(statements, name, execute)

    def _heard(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """What is handed to a driver directly passes SQLAlchemy's event by."""

        def listening(connection: Connection, text: str, values: Any) -> Any:
            self._hear(None, None, text)
            return execute(connection, text, values)

        return listening

    def _hear(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement not in self._seen:
            self._seen.add(statement)
            if not is_confined(statement):
                self.strays.add(" ".join(statement.split()))
