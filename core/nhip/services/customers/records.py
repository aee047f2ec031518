"""Records: business objects of registered types. A change goes the way of every event, as with contacts."""

from collections.abc import Mapping
from typing import Any

from nhip.domain.customers import Record
from nhip.domain.directory import RecordFilter
from nhip.domain.errors import NotFound
from nhip.domain.events import IncomingEvent
from nhip.engine.incoming.intake import Intake
from nhip.ports import Unit
from nhip.services.customers.contacts import named


def change(intake: Intake, kind: str, external_id: str, said: Mapping[str, Any]) -> IncomingEvent:
    """The event that a ``PUT`` of a record is; it is no event by itself.

    Raises:
        NotFound: no such record type.
        InvalidInput: with the place of each problem.
    """
    check_type(intake, kind)
    return intake.silent(contact=None, records=[intake.record(kind, named(external_id, said))])


def check_type(intake: Intake, kind: str) -> None:
    """See that there is such a record type.

    Raises:
        NotFound: there is none.
    """
    if kind not in intake.record_types:
        raise NotFound("record type", kind)


def one(unit: Unit, workspace_id: int, kind: str, external_id: str) -> Record:
    """One record.

    Raises:
        NotFound: no such record in this workspace.
    """
    found = unit.customers.records(workspace_id, kind, [external_id])
    if not found:
        raise NotFound(kind, external_id)
    return found[0]


def page(
    unit: Unit, workspace_id: int, kind: str, wanted: RecordFilter, *, after: str | None, limit: int
) -> list[Record]:
    """Records of a type in the order of their making."""
    return unit.directory.records(workspace_id, kind, wanted, after=after, limit=limit)


def delete(unit: Unit, workspace_id: int, actor: str, kind: str, external_id: str, now: int) -> None:
    """Take a record away; the events about it stay.

    Raises:
        NotFound: no such record in this workspace.
    """
    record = one(unit, workspace_id, kind, external_id)
    unit.directory.delete_record(workspace_id, record.id)
    unit.audit.write(workspace_id, actor, f"{kind}.delete", external_id, now)
