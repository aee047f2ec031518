"""Templates, as admins keep them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from nhip.adapters.db import tables
from nhip.domain.authored import StoredTemplate
from nhip.domain.messages import Content, MessageClass

_templates = tables.templates
_COLUMNS = [_templates.c[name] for name in StoredTemplate.__struct_fields__]
_decode = msgspec.json.Decoder(Content).decode


def _stored(row: Row[Any]) -> StoredTemplate:
    values = {**row._mapping}
    values["content"] = _decode(values["content"])
    values["message_class"] = MessageClass(values["message_class"])
    return StoredTemplate(**values)


def _values(template: StoredTemplate) -> dict[str, Any]:
    values = msgspec.structs.asdict(template)
    values["content"] = msgspec.json.encode(template.content).decode()
    values["message_class"] = template.message_class.value
    return values


class SqlTemplates:
    """Implements :class:`nhip.ports.TemplateStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredTemplate | None:
        query = select(*_COLUMNS).where(_templates.c.workspace_id == workspace_id, _templates.c.name == name)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _stored(row)

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredTemplate]:
        query = select(*_COLUMNS).where(_templates.c.workspace_id == workspace_id)
        if after is not None:
            query = query.where(_templates.c.name > after)
        return [_stored(row) for row in self._connection.execute(query.order_by(_templates.c.name).limit(limit))]

    def insert(self, template: StoredTemplate) -> None:
        self._connection.execute(insert(_templates).values(**_values(template)))

    def update(self, template: StoredTemplate) -> None:
        self._connection.execute(
            update(_templates)
            .where(_templates.c.workspace_id == template.workspace_id, _templates.c.name == template.name)
            .values(**_values(template))
        )

    def delete(self, workspace_id: int, name: str) -> None:
        self._connection.execute(
            delete(_templates).where(_templates.c.workspace_id == workspace_id, _templates.c.name == name)
        )
