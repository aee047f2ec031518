"""Telephone calls, and what was answered in them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db.call_tables import call_answers, calls
from nhip.adapters.db.statements import BulkInsert, BulkUpdate, Statement
from nhip.domain.calls import Call

_COLUMNS: Final = Call.__struct_fields__
_LIST: Final = ", ".join(_COLUMNS)
_ACCOUNT: Final = "workspace_id = :workspace_id AND channel = :channel"
_THESE: Final = f"{_ACCOUNT} AND {{call_id in call_ids}}"
_Key = tuple[int, str, str]
_KEY: Final = f"{_ACCOUNT} AND call_id = :call_id"
_INSERT = BulkInsert(calls, _COLUMNS, conflict=())
_SELECT = Statement(f"SELECT {_LIST} FROM calls WHERE {_THESE} ORDER BY call_id", lock=True)  # noqa: S608
_ENDED = Statement(
    f"SELECT {_LIST} FROM calls WHERE {_THESE} AND direction = 'outbound' AND state = 'ended'"  # noqa: S608
    " ORDER BY call_id"
)
_KNOWN: Final = (
    "direction", "caller", "called", "contact", "run_id", "plan", "turns", "state", "outcome", "duration", "reference",
    "recording", "updated_at",
)  # fmt: skip
_UPDATE = BulkUpdate(calls, _KNOWN, key=("workspace_id", "channel", "call_id"))
_INSERT_ANSWERS = BulkInsert(
    call_answers, ("workspace_id", "channel", "call_id", "turn", "plan", "created_at"), conflict=()
)
_ANSWERS = Statement(f"SELECT call_id, turn, plan FROM call_answers WHERE {_THESE}")  # noqa: S608
_RECORDS = Statement(
    "SELECT contact_id, attributes, as_of FROM records WHERE {contact_id in contact_ids}"
    " AND +workspace_id = :workspace_id ORDER BY as_of DESC, id DESC"
)
_OF_CONTACT = Statement(
    "SELECT workspace_id, channel, call_id FROM calls WHERE workspace_id = :workspace_id"
    " AND (contact = :contact OR caller = :phone OR (direction = 'outbound' AND called = :phone))"
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
        self._held: dict[_Key, Call] = {}
        """Nobody else can change these before the unit ends."""

    def hold(self, calls: Sequence[Call]) -> list[Call]:
        workspace_id, channel = calls[0].workspace_id, calls[0].channel
        found = self._find(workspace_id, channel, [call.call_id for call in calls])
        new = sorted((call for call in calls if call.call_id not in found), key=lambda call: call.call_id)
        if new:
            # Of two that find none, the second waits here until the first is stored, and then finds that one.
            _INSERT.run(self._connection, [msgspec.structs.astuple(call) for call in new])
            found |= self._find(workspace_id, channel, [call.call_id for call in new])
        self._held |= {(workspace_id, channel, call_id): call for call_id, call in found.items()}
        return [found[call.call_id] for call in calls]

    def _find(self, workspace_id: int, channel: str, call_ids: Sequence[str]) -> dict[str, Call]:
        keys = {one: (workspace_id, channel, one) for one in call_ids}
        held = {one: self._held[key] for one, key in keys.items() if key in self._held}
        others = [one for one in call_ids if one not in held]
        rows = (
            _SELECT.run(self._connection, workspace_id=workspace_id, channel=channel, call_ids=others) if others else ()
        )
        return held | {call.call_id: call for call in map(_call, rows)}

    def find(self, workspace_id: int, channel: str, call_id: str) -> Call | None:
        return self._find(workspace_id, channel, [call_id]).get(call_id)

    def ended(self, workspace_id: int, channel: str, call_ids: Sequence[str]) -> list[Call]:
        rows = _ENDED.run(self._connection, workspace_id=workspace_id, channel=channel, call_ids=list(call_ids))
        return [_call(row) for row in rows]

    def update(self, calls: Sequence[Call]) -> None:
        _UPDATE.run(
            self._connection,
            [
                (*(getattr(call, name) for name in _KNOWN), call.workspace_id, call.channel, call.call_id)
                for call in calls
            ],
        )

    def leave(self, workspace_id: int, channel: str, call_id: str, run_id: str, plan: str) -> None:
        call = self.find(workspace_id, channel, call_id)
        if call is not None and call.run_id in (None, run_id):
            call.run_id, call.plan = run_id, plan
            if (workspace_id, channel, call_id) not in self._held:
                self.update([call])

    def answered(self, workspace_id: int, channel: str, call_ids: Sequence[str]) -> dict[tuple[str, int], str]:
        rows = _ANSWERS.run(self._connection, workspace_id=workspace_id, channel=channel, call_ids=list(call_ids))
        return {(row[0], row[1]): row[2] for row in rows}

    def keep_answers(self, workspace_id: int, channel: str, answers: Sequence[tuple[str, int, str]], now: int) -> None:
        _INSERT_ANSWERS.run(
            self._connection, [(workspace_id, channel, call_id, turn, plan, now) for call_id, turn, plan in answers]
        )

    def last_stores(self, workspace_id: int, contact_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        rows = _RECORDS.run(self._connection, workspace_id=workspace_id, contact_ids=list(contact_ids))
        for contact_id, attributes, as_of in rows:
            if contact_id not in found:
                store = _decode(attributes).get("store")
                if isinstance(store, str) and store:
                    found[contact_id] = (store, as_of)
        return found

    def forget(self, workspace_id: int, contact: str, phone: str | None) -> None:
        self._delete(
            _OF_CONTACT.run(self._connection, workspace_id=workspace_id, contact=contact, phone=phone or contact)
        )

    def delete_old(self, before: int, limit: int) -> int:
        return self._delete(_OLD.run(self._connection, before=before, limit=limit))

    def _delete(self, keys: Sequence[Any]) -> int:
        for workspace_id, channel, call_id in keys:
            key = {"workspace_id": workspace_id, "channel": channel, "call_id": call_id}
            _DELETE_ANSWERS.execute(self._connection, **key)
            _DELETE.execute(self._connection, **key)
        return len(keys)


def _call(row: Sequence[Any]) -> Call:
    return Call(**dict(zip(_COLUMNS, row, strict=True)))
