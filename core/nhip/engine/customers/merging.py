"""What two contacts are as one: whose values are kept, and which of their runs go on. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nhip.domain.customers import Contact
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.merging import MERGED_REASON, GivenUp, Keep, United
from nhip.domain.runs import OpenRun
from nhip.domain.workflow import Mode

IDENTITIES: Final = ("phone", "email", "zalo_user_id")
"""Fields by which people are found: where two contacts differ in one, only the client can say which is right."""
_COMPANY: Final = frozenset({"account", "company_name"})
"""Fields that say one thing together, so that they come from one contact."""
_FIELDS: Final = tuple(Keep.__struct_fields__)


def unite(survivor: Contact, merged: Contact, keep: Keep) -> United:
    """What the contact that stays shall say.

    Its own value is kept where both say something, but for those that ``keep`` gives to the other; what it does not say
    comes from the other; tags are joined, and a customer is a customer.

    Raises:
        InvalidInput: they differ in an identity and nobody said whose is kept, or ``keep`` names somebody else, or a
            contact that says nothing there.
    """
    problems: list[Problem] = []
    united = _Union(survivor, merged)
    has_company = any(not _is_empty(survivor.attributes.get(name)) for name in _COMPANY)
    for name in _FIELDS:
        said: str | None = getattr(keep, name)
        problem = _problem(survivor, merged, name, said)
        if problem is not None:
            problems.append(problem)
        elif said == merged.external_id and said != survivor.external_id:
            united.replace(name)
        elif said is None and name in _COMPANY and has_company:
            united.keep(name)
        else:
            united.fill(name)
    if problems:
        raise InvalidInput(problems)
    if merged.attributes.get("lifecycle") == "customer" and survivor.attributes.get("lifecycle") != "customer":
        united.fields["lifecycle"] = "customer"
        united.filled.append("lifecycle")
    united.join_custom()
    own = survivor.attributes.get("tags") or []
    tags = tuple(tag for tag in merged.attributes.get("tags") or [] if tag not in own)
    if tags:
        united.fields["tags"] = [*own, *tags]
    return United(fields=united.fields, filled=tuple(united.filled), tags=tags, given_up=united.given_up)


class _Union:
    """Two contacts' fields on the way of becoming one's."""

    def __init__(self, survivor: Contact, merged: Contact) -> None:
        self.survivor = survivor
        self.merged = merged
        self.fields: dict[str, Any] = {}
        self.filled: list[str] = []
        self.given_up: dict[str, GivenUp] = {}

    def replace(self, name: str) -> None:
        """The merged contact's value, in place of the other's."""
        mine, theirs = self.survivor.attributes.get(name), self.merged.attributes.get(name)
        if mine == theirs:
            return
        self.fields[name] = theirs
        self.filled.append(name)
        if not _is_empty(mine):
            self.given_up[name] = GivenUp(of=self.survivor.external_id, value=mine)

    def fill(self, name: str) -> None:
        """The survivor's value, or where it has none the other's."""
        if _is_empty(self.survivor.attributes.get(name)) and not _is_empty(self.merged.attributes.get(name)):
            self.replace(name)
        else:
            self.keep(name)

    def keep(self, name: str) -> None:
        """The survivor's value, or none."""
        mine, theirs = self.survivor.attributes.get(name), self.merged.attributes.get(name)
        if not _is_empty(theirs) and theirs != mine:
            self.given_up[name] = GivenUp(of=self.merged.external_id, value=theirs)

    def join_custom(self) -> None:
        """The keys of both; of a key that both have, the survivor's value."""
        own = self.survivor.attributes.get("custom") or {}
        new: dict[str, Any] = {}
        for key, value in (self.merged.attributes.get("custom") or {}).items():
            if _is_empty(own.get(key)) and not _is_empty(value):
                new[key] = value
                self.filled.append(f"custom.{key}")
            elif not _is_empty(value) and value != own[key]:
                self.given_up[f"custom.{key}"] = GivenUp(of=self.merged.external_id, value=value)
        if new:
            self.fields["custom"] = new


def _problem(survivor: Contact, merged: Contact, name: str, said: str | None) -> Problem | None:
    """What is wrong with what was said, or not said, of a field."""
    path = f"keep.{name}"
    values = {one.external_id: one.attributes.get(name) for one in (survivor, merged)}
    pair = f"{survivor.external_id!r} or {merged.external_id!r}"
    if said is None:
        differ = len(set(values.values())) > 1 and not any(map(_is_empty, values.values()))
        if name not in IDENTITIES or not differ:
            return None
        both = f"{survivor.external_id!r} and {merged.external_id!r} both have a {name}, and they differ"
        return Problem(path=path, code="differs", message=f"{both}: say whose is kept, {pair}")
    if said not in values:
        return Problem(path=path, code="unknown_contact", message=f"{said!r} is neither of the two: {pair}")
    if _is_empty(values[said]):
        return Problem(path=path, code="nothing_to_keep", message=f"{said!r} has no {name}")
    return None


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def leaving(mine: Sequence[OpenRun], theirs: Sequence[OpenRun], modes: Mapping[str, Mode]) -> list[tuple[OpenRun, str]]:
    """The runs of two contacts that do not go on when these are one, each with the reason.

    They end as if both had been one contact all along: of a workflow that is ``single`` the older run goes on, of one
    that starts over (``restart``) the younger. ``modes`` are by version; one that it does not know lets all go on.
    """
    is_mine = {run.id for run in mine}
    kept: dict[str, list[OpenRun]] = {}
    ended: list[tuple[OpenRun, str]] = []
    for run in sorted((*mine, *theirs), key=lambda run: run.id):
        standing = kept.setdefault(run.workflow, [])
        rivals = [one for one in standing if (one.id in is_mine) != (run.id in is_mine)]
        mode = modes.get(run.version_id)
        if rivals and mode is Mode.SINGLE:
            ended.append((run, MERGED_REASON))
            continue
        if rivals and mode is Mode.RESTART:
            ended += [(one, "restarted") for one in rivals]
            kept[run.workflow] = standing = [one for one in standing if one not in rivals]
        standing.append(run)
    return ended
