"""Telephone calls, and what was answered in them."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db.call_tables import call_answers, calls
from nhip.adapters.db.statements import BulkInsert, BulkUpdate, Statement
from nhip.domain.calls import Call

_COLUMNS: Final = Call.__struct_fields__
_LIST: Final = ", ".join(_COLUMNS)
_KEY: Final = "workspace_id = :workspace_id AND channel = :channel AND call_id = :call_id"
_INSERT = BulkInsert(calls, _COLUMNS, conflict=())
_SELECT = Statement(f"SELECT {_LIST} FROM calls WHERE {_KEY}", lock=True)  # noqa: S608
_KNOWN: Final = (
    "direction", "caller", "called", "contact", "turns", "state", "outcome", "duration", "reference", "recording",
    "updated_at",
)  # fmt: skip
_UPDATE = BulkUpdate(calls, _KNOWN, key=("workspace_id", "channel", "call_id"))
_LEAVE = Statement(
    f"UPDATE calls SET plan = :plan, run_id = :run_id WHERE {_KEY} AND (run_id IS NULL OR run_id = :run_id)"  # noqa: S608
)
_CLEAR = Statement(f"UPDATE calls SET plan = NULL WHERE {_KEY}")  # noqa: S608
_INSERT_ANSWER = BulkInsert(
    call_answers, ("workspace_id", "channel", "call_id", "turn", "plan", "created_at"), conflict=()
)
_ANSWER = Statement(f"SELECT plan FROM call_answers WHERE {_KEY} AND turn = :turn")  # noqa: S608
_RECORDS = Statement(
    "SELECT attributes, as_of FROM records WHERE contact_id = :contact_id AND workspace_id = :workspace_id"
    " ORDER BY as_of DESC, id DESC LIMIT 1000"
)
_OLD = Statement(
    "SELECT workspace_id, channel, call_id FROM calls WHERE started_at < :before ORDER BY started_at LIMIT :limit"
)
_DELETE_ANSWERS = Statement(f"DELETE FROM call_answers WHERE {_KEY}")  # noqa: S608
_DELETE = Statement(f"DELETE FROM calls WHERE {_KEY}")  # noqa: S608
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class SqlCalls:
    """Implements :class:`nhip.ports.CallStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hold(self, call: Call) -> tuple[Call, bool]:
        found = self.find(call.workspace_id, call.channel, call.call_id)
        if found is not None:
            return found, False
        # Of two that find none, the second waits here until the first is stored, and then finds that one.
        _INSERT.run(self._connection, [msgspec.structs.astuple(call)])
        found = self.find(call.workspace_id, call.channel, call.call_id)
        assert found is not None
        return found, found == call

    def find(self, workspace_id: int, channel: str, call_id: str) -> Call | None:
        rows = _SELECT.run(self._connection, workspace_id=workspace_id, channel=channel, call_id=call_id)
        return Call(**dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None

    def update(self, call: Call) -> None:
        values = tuple(getattr(call, name) for name in _KNOWN)
        _UPDATE.run(self._connection, [(*values, call.workspace_id, call.channel, call.call_id)])

    def leave(self, workspace_id: int, channel: str, call_id: str, run_id: str, plan: str) -> None:
        _LEAVE.execute(
            self._connection, workspace_id=workspace_id, channel=channel, call_id=call_id, run_id=run_id, plan=plan
        )

    def clear_plan(self, workspace_id: int, channel: str, call_id: str) -> None:
        _CLEAR.execute(self._connection, workspace_id=workspace_id, channel=channel, call_id=call_id)

    def answered(self, workspace_id: int, channel: str, call_id: str, turn: int) -> str | None:
        rows = _ANSWER.run(self._connection, workspace_id=workspace_id, channel=channel, call_id=call_id, turn=turn)
        return rows[0][0] if rows else None

    def keep_answer(self, workspace_id: int, channel: str, call_id: str, turn: int, plan: str, now: int) -> None:
        _INSERT_ANSWER.run(self._connection, [(workspace_id, channel, call_id, turn, plan, now)])

    def last_store(self, workspace_id: int, contact_id: str) -> tuple[str, int] | None:
        rows = _RECORDS.run(self._connection, workspace_id=workspace_id, contact_id=contact_id)
        stores = ((_decode(attributes).get("store"), as_of) for attributes, as_of in rows)
        return next(((store, as_of) for store, as_of in stores if isinstance(store, str) and store), None)

    def delete_old(self, before: int, limit: int) -> int:
        old = _OLD.run(self._connection, before=before, limit=limit)
        for workspace_id, channel, call_id in old:
            key = {"workspace_id": workspace_id, "channel": channel, "call_id": call_id}
            _DELETE_ANSWERS.execute(self._connection, **key)
            _DELETE.execute(self._connection, **key)
        return len(old)
