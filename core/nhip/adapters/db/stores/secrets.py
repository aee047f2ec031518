"""Sealed secrets of channel accounts, and the lock under which programs renew them."""

from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement

_READ = Statement("SELECT secrets FROM channels WHERE workspace_id = :workspace_id AND name = :name")
_LOCK = Statement(
    "UPDATE channels SET secrets_lock_owner = :owner, secrets_lock_until = :until"
    " WHERE workspace_id = :workspace_id AND name = :name AND (secrets_lock_until IS NULL OR secrets_lock_until < :now)"
)
_SAVE = Statement(
    "UPDATE channels SET secrets = :sealed, secrets_revision = secrets_revision + 1, updated_at = :now"
    " WHERE workspace_id = :workspace_id AND name = :name AND secrets_lock_owner = :owner"
)
_UNLOCK = Statement(
    "UPDATE channels SET secrets_lock_owner = NULL, secrets_lock_until = NULL"
    " WHERE workspace_id = :workspace_id AND name = :name AND secrets_lock_owner = :owner"
)


class SqlSecrets:
    """Implements :class:`nhip.ports.SecretRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, workspace_id: int, name: str) -> str | None:
        rows = _READ.run(self._connection, workspace_id=workspace_id, name=name)
        return rows[0][0] if rows else None

    def lock(self, workspace_id: int, name: str, owner: str, now: int, until: int) -> bool:
        return (
            _LOCK.execute(self._connection, workspace_id=workspace_id, name=name, owner=owner, now=now, until=until)
            == 1
        )

    def save(self, workspace_id: int, name: str, sealed: str, owner: str, now: int) -> bool:
        return (
            _SAVE.execute(self._connection, workspace_id=workspace_id, name=name, sealed=sealed, owner=owner, now=now)
            == 1
        )

    def unlock(self, workspace_id: int, name: str, owner: str) -> None:
        _UNLOCK.execute(self._connection, workspace_id=workspace_id, name=name, owner=owner)
