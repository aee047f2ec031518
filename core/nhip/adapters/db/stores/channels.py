"""Channel accounts, as admins keep them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from nhip.adapters.db import tables
from nhip.domain.authored import StoredChannel

_channels = tables.channels
_COLUMNS = [_channels.c[name] for name in StoredChannel.__struct_fields__]
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _stored(row: Row[Any]) -> StoredChannel:
    return StoredChannel(**{**row._mapping, "config": _decode(row._mapping["config"])})


def _values(channel: StoredChannel) -> dict[str, Any]:
    return {**msgspec.structs.asdict(channel), "config": msgspec.json.encode(channel.config).decode()}


class SqlChannels:
    """Implements :class:`nhip.ports.ChannelStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredChannel | None:
        query = select(*_COLUMNS).where(_channels.c.workspace_id == workspace_id, _channels.c.name == name)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _stored(row)

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredChannel]:
        query = select(*_COLUMNS).where(_channels.c.workspace_id == workspace_id)
        if after is not None:
            query = query.where(_channels.c.name > after)
        return [_stored(row) for row in self._connection.execute(query.order_by(_channels.c.name).limit(limit))]

    def insert(self, channel: StoredChannel) -> None:
        self._connection.execute(insert(_channels).values(**_values(channel)))

    def update(self, channel: StoredChannel) -> None:
        self._connection.execute(
            update(_channels)
            .where(_channels.c.workspace_id == channel.workspace_id, _channels.c.name == channel.name)
            .values(**_values(channel))
        )

    def delete(self, workspace_id: int, name: str) -> None:
        self._connection.execute(
            delete(_channels).where(_channels.c.workspace_id == workspace_id, _channels.c.name == name)
        )

    def end_renewal(self, workspace_id: int, name: str) -> None:
        self._connection.execute(
            update(_channels)
            .where(_channels.c.workspace_id == workspace_id, _channels.c.name == name)
            .values(secrets_lock_owner=None, secrets_lock_until=None)
        )
