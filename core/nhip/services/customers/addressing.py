"""Whom a message is for, and where it goes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nhip.domain.customers import Staff
from nhip.engine.incoming.phones import normalise_phone
from nhip.plugin_api import AddressKind, Assign, MessageRequest
from nhip.ports import Renderer

ADDRESS_FIELDS: Final = {
    AddressKind.PHONE: "phone",
    AddressKind.EMAIL: "email",
    AddressKind.ZALO_USER: "zalo_user_id",
}
"""The field of a contact or an employee that a channel sends to."""
DEPARTMENT: Final = "department:"
STAFF: Final = "staff:"
TURNS: Final = ":messages"
"""Turns of those who get messages, apart from those of who gets work."""


def filled_in(request: MessageRequest, renderer: Renderer, facts: Mapping[str, Any]) -> MessageRequest:
    """A request with its recipient and its data filled in.

    Raises:
        TemplateError: an undefined name or a text that cannot be compiled.
    """
    if not request.data and "{{" not in request.to:
        return request
    to = str(renderer.render_value(request.to, facts)).strip() if "{{" in request.to else request.to
    return msgspec.structs.replace(request, to=to, data=renderer.render_value(request.data, facts))


def on_duty(to: str) -> Assign:
    """Somebody of a department: who is at work, or where nobody is, whoever is not away."""
    return Assign(to=to, working_hours=True, fallback=Assign(to=to))


def of_person(person: Staff | None, field: str) -> str | None:
    """The address of an employee who works here."""
    return getattr(person, field, None) if person is not None and person.active else None


def literal(kind: AddressKind, text: str) -> str | None:
    """An address as it was written, in the form that the engine keeps; ``None`` where it is none of that kind."""
    match kind:
        case AddressKind.PHONE:
            return normalise_phone(text)
        case AddressKind.EMAIL:
            return text.lower() if "@" in text else None
        case _:
            return text or None
