"""The log of changes. Whatever changes the configuration writes there, in its own unit, by ``unit.audit.write``."""

from nhip.domain.access import AuditEntry
from nhip.ports import Unit


def entries(
    unit: Unit, workspace_id: int, *, after: str | None, limit: int, action: str | None, target: str | None
) -> list[AuditEntry]:
    """The log, the newest first; ``after`` is the id of the last entry that was shown."""
    return unit.audit.entries(workspace_id, after=after, limit=limit, action=action, target=target)
