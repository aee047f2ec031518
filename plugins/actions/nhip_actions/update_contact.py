"""Changes the contact: fields, tags, and further information.

Example, after a customer did not answer three times::

    {"id": "mark", "action": "update_contact", "config": {
        "set": {"status": "Lost"},
        "add_tags": ["Không phản hồi"], "remove_tags": ["Quan tâm"],
        "append": {"care_log": "No answer to {{ run.workflow }}"}}}

``set`` changes a field of the contact, or one of its custom fields as ``custom.size``. ``append`` and ``replace`` are
for further information: a name that is no field of a contact is one of its custom fields.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, ActionFailed, Config, LocalAction, LocalContext, Problem, hookimpl

Tags = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)]
Values = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=100)], Any], Meta(max_length=50)]

OWN_FIELDS = frozenset(
    {
        "lifecycle", "name", "phone", "email", "zalo_user_id", "status", "owner", "source", "industry", "segment",
        "birthday", "language", "timezone", "store", "account", "company_name",
    }
)  # fmt: skip
"""The contact's fields that an action may change; every other name is a custom field."""


class UpdateContactConfig(Config):
    """What changes about the contact."""

    set: Annotated[Values, Meta(description="Fields and their new values; null empties a field.")] = field(
        default_factory=dict
    )
    add_tags: Annotated[Tags, Meta(description="Tags to put on.")] = ()
    remove_tags: Annotated[Tags, Meta(description="Tags to take off.")] = ()
    append: Annotated[
        Values,
        Meta(description="Adds to what a field says: a text on a new line, items that a list does not have yet."),
    ] = field(default_factory=dict)
    replace: Annotated[Values, Meta(description="Puts these values in the place of what the fields say.")] = field(
        default_factory=dict
    )


class UpdateContact(LocalAction):
    """Changes the contact's fields, tags and further information."""

    kind = "update_contact"
    config_type = UpdateContactConfig

    def check(self, config: UpdateContactConfig) -> Sequence[Problem]:
        """Something must change, each field once and to what it may be, and tags by their own lists."""
        named: dict[str, str] = {}
        problems: list[Problem] = []
        for part in ("set", "append", "replace"):
            for name, value in getattr(config, part).items():
                path = f"{part}.{name}"
                found = _misfit(name, value, path, is_exact=part == "set")
                if found is not None:
                    problems.append(found)
                    continue
                for place in _places(name, value, is_exact=part == "set"):
                    if place in named:
                        said = f"{place.removeprefix('custom.')!r} is changed by {named[place]} already"
                        problems.append(Problem(path=path, code="duplicate", message=said))
                    named[place] = part
        if not (named or problems or config.add_tags or config.remove_tags):
            problems.append(Problem(path="", code="nothing_to_do", message="nothing is changed"))
        return problems

    def references(self, config: UpdateContactConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The new owner, where it is said in so many words."""
        owners = [(f"{part}.owner", getattr(config, part).get("owner")) for part in ("set", "replace")]
        return {"staff": [(path, name) for path, name in owners if isinstance(name, str) and name and "{{" not in name]}

    def run(self, context: LocalContext, config: UpdateContactConfig) -> Mapping[str, Any]:
        """Change it, in one go; the output is what the changed fields said before."""
        changes: dict[str, Any] = {}
        for name, value in context.render(config.set).items():
            _put(changes, _place(name, exact=True), value)
        for name, value in context.render(config.replace).items():
            _put(changes, _place(name, exact=False), value)
        for name, value in context.render(config.append).items():
            place = _place(name, exact=False)
            _put(changes, place, _appended(place, _read(context.facts.get("contact", {}), place), value))
        previous = context.update_contact(
            changes, add_tags=context.render(config.add_tags), remove_tags=context.render(config.remove_tags)
        )
        return {"previous": dict(previous)}


def _place(name: str, exact: bool) -> str:
    """Where a name of the configuration leads: ``status`` or ``custom.size``."""
    return name if exact or name in OWN_FIELDS or name == "tags" or name.startswith("custom.") else f"custom.{name}"


def _places(name: str, value: Any, *, is_exact: bool) -> list[str]:
    """Everything that a name of the configuration changes: ``custom`` with an object is several fields."""
    if is_exact and name == "custom" and isinstance(value, Mapping):
        return [f"custom.{one}" for one in value]
    return [_place(name, is_exact)]


def _misfit(name: str, value: Any, path: str, *, is_exact: bool) -> Problem | None:
    """Why a field cannot be changed so, as far as that can be told before a run."""
    if name == "tags":
        return Problem(path=path, code="not_allowed", message="tags change by add_tags and remove_tags")
    if name == "custom":
        if is_exact and isinstance(value, Mapping):
            return None
        return Problem(path=path, code="not_allowed", message="name one of the custom fields: custom.size")
    if name == "custom.":
        return Problem(path=path, code="bad_value", message="custom. is followed by a name")
    if is_exact and name not in OWN_FIELDS and not name.startswith("custom."):
        said = f"a workflow changes no field {name!r} of a contact; a field of your own is custom.{name}"
        return Problem(path=path, code="unknown_field", message=said)
    if name not in OWN_FIELDS or (isinstance(value, str) and "{{" in value):
        return None
    if value is not None and not isinstance(value, str):
        return Problem(path=path, code="bad_value", message=f"{name} is a text, or null")
    if name == "lifecycle" and value not in ("lead", "customer"):
        return Problem(path=path, code="bad_value", message="lifecycle is lead or customer")
    return None


def _put(changes: dict[str, Any], place: str, value: Any) -> None:
    if place.startswith("custom."):
        changes.setdefault("custom", {})[place.removeprefix("custom.")] = value
    elif place == "custom" and isinstance(value, Mapping):
        changes.setdefault("custom", {}).update(value)
    else:
        changes[place] = value


def _read(contact: Mapping[str, Any], place: str) -> Any:
    if place.startswith("custom."):
        return (contact.get("custom") or {}).get(place.removeprefix("custom."))
    return contact.get(place)


def _appended(place: str, old: Any, new: Any) -> Any:
    """What a field says with something added to it.

    Raises:
        ActionFailed: it is neither a text nor a list, or what is added is not.
    """
    if new is None or new in ("", []):
        return old
    if old is None or old in ("", []):
        return new
    if isinstance(old, (list, tuple)):
        more = new if isinstance(new, (list, tuple)) else [new]
        return [*old, *(item for item in more if item not in old)]
    if not isinstance(old, str):
        raise ActionFailed(f"nothing can be added to {place}, which is neither a text nor a list")
    if isinstance(new, bool) or not isinstance(new, (str, int, float)):
        raise ActionFailed(f"{place} is a text, and only a text can be added to it")
    return f"{old}\n{new}"


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [UpdateContact]
