"""Published workflows, and the channels and templates that steps name, as the engine reads them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement
from nhip.domain.configured import ChannelAccount, PublishedVersion, Template
from nhip.domain.messages import Content, MessageClass, Money
from nhip.domain.workflow import Mode

_texts = msgspec.json.Decoder(list[str]).decode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_content = msgspec.json.Decoder(Content).decode

_PUBLISH_VERSION = Statement("SELECT publish_version FROM workspaces WHERE id = :workspace_id")
_CHANGED = Statement(
    "SELECT w.name, w.state, v.id, v.number, v.definition FROM workflows w"
    " LEFT JOIN workflow_versions v ON v.id = w.published_version_id AND v.workspace_id = w.workspace_id"
    " WHERE w.workspace_id = :workspace_id AND w.changed_version > :known"
)
_VERSIONS = Statement(
    "SELECT workflow, id, number, definition FROM workflow_versions WHERE workspace_id = :workspace_id AND {id in ids}"
)
_HEARD = Statement(
    "SELECT DISTINCT listens FROM workflow_versions WHERE workspace_id = :workspace_id AND listens IS NOT NULL"
)
_MENTIONS_QUEUES = Statement(
    "SELECT definition FROM workflow_versions WHERE workspace_id = :workspace_id AND workflow = :workflow"
    " AND number > :after AND number <= :upto AND definition LIKE :mentioned"
)
_PUBLISHED_SINCE = Statement(
    "SELECT workspace_id, name, published_version, published_version_id FROM workflows"
    " WHERE updated_at >= :since AND published_version_id IS NOT NULL ORDER BY workspace_id, name"
)
_CHANNEL_COLUMNS = (
    "name, id, type, config, rate_per_second, next_free_at, price_amount, price_currency, revision, hook_token"
)
_CHANNELS = Statement(
    f"SELECT {_CHANNEL_COLUMNS} FROM channels WHERE workspace_id = :workspace_id AND {{name in names}}"  # noqa: S608
)
_CHANNEL_BY_HOOK = Statement(
    f"SELECT {_CHANNEL_COLUMNS}, workspace_id FROM channels WHERE hook_token = :token"  # noqa: S608
)
_TEMPLATES = Statement(
    "SELECT name, channel_type, message_class, content, revision FROM templates"
    " WHERE workspace_id = :workspace_id AND {name in names}"
)
_LOCK_WORKFLOW = Statement("SELECT state FROM workflows WHERE workspace_id = :workspace_id AND name = :name", lock=True)
_LOCK_RATE = Statement(
    "SELECT next_free_at FROM channels WHERE workspace_id = :workspace_id AND name = :name", lock=True
)
_SET_RATE = Statement(
    "UPDATE channels SET next_free_at = :next_free_at WHERE workspace_id = :workspace_id AND name = :name"
)


def _account(row: Sequence[Any], workspace_id: int) -> ChannelAccount:
    price = Money(amount=row[6], currency=row[7] or "VND") if row[6] is not None else None
    return ChannelAccount(
        workspace_id=workspace_id, name=row[0], id=row[1], type=row[2], config=_decode(row[3]),
        rate_per_second=row[4], next_free_at=row[5], price=price, revision=row[8], hook_token=row[9],
    )  # fmt: skip


class SqlPublished:
    """Implements :class:`nhip.ports.PublishedStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def publish_version(self, workspace_id: int) -> int:
        rows = _PUBLISH_VERSION.run(self._connection, workspace_id=workspace_id)
        return rows[0][0] if rows else 0

    def changed_since(self, workspace_id: int, known: int) -> list[tuple[str, str, PublishedVersion | None]]:
        found = []
        for name, state, version_id, number, definition in _CHANGED.run(
            self._connection, workspace_id=workspace_id, known=known
        ):
            version = None
            if version_id is not None:
                version = PublishedVersion(workflow=name, id=version_id, number=number, definition=_decode(definition))
            found.append((name, state, version))
        return found

    def heard(self, workspace_id: int) -> set[str]:
        rows = _HEARD.run(self._connection, workspace_id=workspace_id)
        return {kind for row in rows for kind in _texts(row[0])}

    def queues(self, workspace_id: int, workflow: str, after: int, upto: int) -> bool:
        rows = _MENTIONS_QUEUES.run(
            self._connection, workspace_id=workspace_id, workflow=workflow, after=after, upto=upto,
            mentioned=f'%"{Mode.QUEUED}"%',
        )  # fmt: skip
        return any(_decode(row[0]).get("settings", {}).get("mode") == Mode.QUEUED for row in rows)

    def published_since(self, since: int) -> list[tuple[int, str, int, str]]:
        return [(row[0], row[1], row[2], row[3]) for row in _PUBLISHED_SINCE.run(self._connection, since=since)]

    def versions(self, workspace_id: int, ids: Sequence[str]) -> list[PublishedVersion]:
        return [
            PublishedVersion(workflow=row[0], id=row[1], number=row[2], definition=_decode(row[3]))
            for row in _VERSIONS.run(self._connection, workspace_id=workspace_id, ids=list(ids))
        ]

    def channels(self, workspace_id: int, names: Sequence[str]) -> dict[str, ChannelAccount]:
        rows = _CHANNELS.run(self._connection, workspace_id=workspace_id, names=list(names))
        return {row[0]: _account(row, workspace_id) for row in rows}

    def channel_by_hook(self, token: str) -> ChannelAccount | None:
        rows = _CHANNEL_BY_HOOK.run(self._connection, token=token)
        return _account(rows[0], rows[0][10]) if rows else None

    def templates(self, workspace_id: int, names: Sequence[str]) -> dict[str, Template]:
        return {
            row[0]: Template(
                name=row[0],
                channel_type=row[1],
                message_class=MessageClass(row[2]),
                content=_content(row[3]),
                revision=row[4],
            )
            for row in _TEMPLATES.run(self._connection, workspace_id=workspace_id, names=list(names))
        }

    def lock_workflow(self, workspace_id: int, workflow: str) -> str:
        rows = _LOCK_WORKFLOW.run(self._connection, workspace_id=workspace_id, name=workflow)
        return str(rows[0][0]) if rows else ""

    def lock_rate(self, workspace_id: int, channel: str) -> int:
        rows = _LOCK_RATE.run(self._connection, workspace_id=workspace_id, name=channel)
        return rows[0][0] if rows else 0

    def set_rate(self, workspace_id: int, channel: str, next_free_at: int) -> None:
        _SET_RATE.execute(self._connection, workspace_id=workspace_id, name=channel, next_free_at=next_free_at)
