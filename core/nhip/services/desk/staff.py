"""Employees, and the companies that contacts belong to: what the engine reads and never changes by itself."""

from typing import Any

from nhip.domain.customers import Staff
from nhip.domain.directory import Account
from nhip.domain.errors import NotFound, invalid
from nhip.engine.desk.assignment import shifts
from nhip.engine.facts.moments import zone_names
from nhip.engine.incoming.intake import Intake
from nhip.ports import Unit
from nhip.services.desk.call_queue import plan_again


def change(intake: Intake, person: Staff) -> Staff:
    """An employee with phone and email in the form the engine keeps.

    Raises:
        InvalidInput: with the place of each problem.
    """
    _check_presence(person)
    said = {"external_id": person.external_id, "phone": person.phone, "email": person.email}
    checked = intake.contact({name: value for name, value in said.items() if value is not None})
    return Staff(
        external_id=person.external_id,
        name=person.name,
        phone=checked.get("phone"),
        email=checked.get("email"),
        department=person.department,
        store=person.store,
        active=person.active,
        hours=person.hours,
        absences=person.absences,
    )


def _check_presence(person: Staff) -> None:
    several = isinstance(person.hours, tuple)
    for number, hours in enumerate(shifts(person)):
        if hours.timezone not in zone_names():
            place = f"hours[{number}]" if several else "hours"
            message = f"there is no time zone {hours.timezone!r}"
            raise invalid(f"{place}.timezone", "unknown_timezone", message)
    for number, absence in enumerate(person.absences):
        if absence.until <= absence.from_:
            raise invalid(f"absences[{number}].until", "bad_value", "an absence ends after it begins")


def put(unit: Unit, workspace_id: int, actor: str, person: Staff, now: int) -> Staff:
    """Make or change an employee; the whole of it is replaced. Telesales entries of who is away or has left go back."""
    unit.directory.put_staff(workspace_id, person, now)
    plan_again(unit, workspace_id, person.external_id, now)
    unit.audit.write(workspace_id, actor, "staff.put", person.external_id, now)
    return person


def one(unit: Unit, workspace_id: int, external_id: str) -> Staff:
    """One employee.

    Raises:
        NotFound: no such employee in this workspace.
    """
    found = unit.staff.find(workspace_id, [external_id]).get(external_id)
    if found is None:
        raise NotFound("staff", external_id)
    return found


def page(unit: Unit, workspace_id: int, department: str | None, *, after: str | None, limit: int) -> list[Staff]:
    """Employees by external id."""
    return unit.directory.staff(workspace_id, department, after=after, limit=limit)


def delete(unit: Unit, workspace_id: int, actor: str, external_id: str, now: int) -> None:
    """Take an employee away; their telesales entries go back.

    Raises:
        NotFound: no such employee in this workspace.
    """
    if not unit.directory.delete_staff(workspace_id, external_id):
        raise NotFound("staff", external_id)
    plan_again(unit, workspace_id, external_id, now)
    unit.audit.write(workspace_id, actor, "staff.delete", external_id, now)


# --- accounts ---------------------------------------------------------------------------------------------------------


def put_account(
    unit: Unit, workspace_id: int, actor: str, external_id: str, attributes: dict[str, Any], now: int
) -> Account:
    """Make or change a company; the whole of it is replaced."""
    unit.directory.put_account(workspace_id, external_id, attributes, now)
    unit.audit.write(workspace_id, actor, "account.put", external_id, now)
    return account(unit, workspace_id, external_id)


def account(unit: Unit, workspace_id: int, external_id: str) -> Account:
    """One company.

    Raises:
        NotFound: no such account in this workspace.
    """
    found = unit.directory.account(workspace_id, external_id)
    if found is None:
        raise NotFound("account", external_id)
    return found


def accounts(unit: Unit, workspace_id: int, *, after: str | None, limit: int) -> list[Account]:
    """Companies by external id."""
    return unit.directory.accounts(workspace_id, after=after, limit=limit)


def delete_account(unit: Unit, workspace_id: int, actor: str, external_id: str, now: int) -> None:
    """Take a company away; its contacts stay.

    Raises:
        NotFound: no such account in this workspace.
    """
    if not unit.directory.delete_account(workspace_id, external_id):
        raise NotFound("account", external_id)
    unit.audit.write(workspace_id, actor, "account.delete", external_id, now)
