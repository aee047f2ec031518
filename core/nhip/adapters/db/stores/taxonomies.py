"""The words that workspaces have for their records."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, null, or_, select, update

from nhip.adapters.db.assignment_tables import taxonomies
from nhip.adapters.db.tables import records
from nhip.domain.taxonomies import StoredTaxonomy, Taxonomy

_COLUMNS: Final = [taxonomies.c[name] for name in StoredTaxonomy.__struct_fields__]
_decode: Final = msgspec.json.Decoder(Taxonomy).decode


def _values(taxonomy: StoredTaxonomy) -> dict[str, Any]:
    return {**msgspec.structs.asdict(taxonomy), "content": msgspec.json.encode(taxonomy.content).decode()}


class SqlTaxonomies:
    """Implements :class:`nhip.ports.TaxonomyStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, kind: str, *, lock: bool = False) -> StoredTaxonomy | None:
        query = select(*_COLUMNS).where(taxonomies.c.workspace_id == workspace_id, taxonomies.c.type == kind)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else StoredTaxonomy(**{**row._mapping, "content": _decode(row._mapping["content"])})

    def insert(self, taxonomy: StoredTaxonomy) -> None:
        self._connection.execute(insert(taxonomies).values(**_values(taxonomy)))

    def update(self, taxonomy: StoredTaxonomy) -> None:
        place = (taxonomies.c.workspace_id == taxonomy.workspace_id, taxonomies.c.type == taxonomy.type)
        self._connection.execute(update(taxonomies).where(*place).values(**_values(taxonomy)))

    def close_records(self, workspace_id: int, kind: str, ended: Sequence[str]) -> None:
        place = (records.c.workspace_id == workspace_id, records.c.type == kind)
        over = records.c.status.in_(ended)
        self._connection.execute(
            update(records).where(*place, records.c.closed_at.is_(None), over).values(closed_at=records.c.updated_at)
        )
        self._connection.execute(
            update(records)
            .where(*place, records.c.closed_at.is_not(None), or_(records.c.status.is_(None), ~over))
            .values(closed_at=null())
        )
