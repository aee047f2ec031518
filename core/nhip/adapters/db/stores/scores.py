"""Score rules, and which scores have to be looked at."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from nhip.adapters.db.statements import Statement
from nhip.adapters.db.tables import contacts, score_rules
from nhip.domain.scores import StoredScoreRules

_COLUMNS = [score_rules.c[name] for name in StoredScoreRules.__struct_fields__]
_decode = msgspec.json.Decoder(list[dict[str, Any]]).decode
_ANY_DUE: Final = Statement("SELECT contacts.score_due_at FROM contacts WHERE contacts.score_due_at <= :now LIMIT 1")
_ANY_UNFINISHED: Final = Statement(
    "SELECT score_rules.revision FROM score_rules WHERE score_rules.recount_after IS NOT NULL LIMIT 1"
)


def _values(rules: StoredScoreRules) -> dict[str, Any]:
    return {**msgspec.structs.asdict(rules), "rules": msgspec.json.encode(rules.rules).decode()}


class SqlScores:
    """Implements :class:`nhip.ports.ScoreStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rules(self, workspace_id: int, *, lock: bool = False) -> StoredScoreRules | None:
        query = select(*_COLUMNS).where(score_rules.c.workspace_id == workspace_id)
        return self._one(query.with_for_update() if lock else query)

    def insert(self, rules: StoredScoreRules) -> None:
        self._connection.execute(insert(score_rules).values(**_values(rules)))

    def update(self, rules: StoredScoreRules) -> None:
        place = score_rules.c.workspace_id == rules.workspace_id
        self._connection.execute(update(score_rules).where(place).values(**_values(rules)))

    def is_due(self, now: int) -> bool:
        return bool(_ANY_DUE.run(self._connection, now=now) or _ANY_UNFINISHED.run(self._connection))

    def due(self, now: int, limit: int) -> list[tuple[int, str]]:
        query = select(contacts.c.workspace_id, contacts.c.id).where(contacts.c.score_due_at <= now)
        held = query.order_by(contacts.c.score_due_at).limit(limit).with_for_update(skip_locked=True)
        return [(row[0], row[1]) for row in self._connection.execute(held)]

    def recounting(self) -> StoredScoreRules | None:
        unfinished = select(*_COLUMNS).where(score_rules.c.recount_after.is_not(None))
        return self._one(unfinished.limit(1).with_for_update(skip_locked=True))

    def scored(self, workspace_id: int, after: str, limit: int) -> Sequence[str]:
        query = select(contacts.c.id).where(
            contacts.c.workspace_id == workspace_id, contacts.c.score_state.is_not(None), contacts.c.id > after
        )
        return list(self._connection.execute(query.order_by(contacts.c.id).limit(limit).with_for_update()).scalars())

    def _one(self, query: Any) -> StoredScoreRules | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else StoredScoreRules(**{**row._mapping, "rules": _decode(row._mapping["rules"])})
