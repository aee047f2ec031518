"""What a taxonomy allows. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from nhip.domain.errors import Problem
from nhip.domain.taxonomies import Taxonomy, Term

LISTS: Final = {"status": "statuses", "type": "types", "sub_type": "sub_types", "source": "sources"}
"""Per field of a record, the list of the taxonomy that says what it may hold."""


def codes(taxonomy: Taxonomy, field: str) -> frozenset[str]:
    """What a field may hold."""
    terms: tuple[Term, ...] = getattr(taxonomy, LISTS[field])
    return frozenset(term.code for term in terms)


def faults(taxonomy: Taxonomy) -> Iterator[Problem]:
    """What is wrong with a taxonomy by itself."""
    for name in LISTS.values():
        seen: set[str] = set()
        for number, term in enumerate(getattr(taxonomy, name)):
            if term.code in seen:
                yield Problem(
                    path=f"{name}[{number}].code", code="duplicate", message=f"{term.code!r} is in the list twice"
                )
            seen.add(term.code)
    types = codes(taxonomy, "type")
    for number, sub_type in enumerate(taxonomy.sub_types):
        if sub_type.type not in types:
            message = f"there is no type {sub_type.type!r}"
            yield Problem(path=f"sub_types[{number}].type", code="unknown_type", message=message)


def unknown(taxonomy: Taxonomy, kind: str, field: str, value: str, path: str) -> Problem | None:
    """The problem of a value that the taxonomy does not have."""
    known = codes(taxonomy, field)
    if value in known:
        return None
    word = field.replace("_", "-")
    message = f"there is no {kind} {word} {value!r}; there are {', '.join(sorted(known)) or 'none'}"
    return Problem(path=path, code=f"unknown_{field}", message=message)


def misplaced(taxonomy: Taxonomy, sub_type: str, types: Collection[str], path: str) -> Problem | None:
    """The problem of a sub-type that belongs to none of these types. One that there is not is no matter here."""
    owner = next((one.type for one in taxonomy.sub_types if one.code == sub_type), None)
    if owner is None or owner in types:
        return None
    message = f"the sub-type {sub_type!r} belongs to the type {owner!r}"
    return Problem(path=path, code="misplaced_sub_type", message=message)


def misfits(taxonomy: Taxonomy, kind: str, said: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with what somebody says of a record of which other things are known already."""
    for field in LISTS:
        value = said.get(field)
        if value is not None and (problem := unknown(taxonomy, kind, field, str(value), field)):
            yield problem
    kind_of = said.get("type", known.get("type"))
    sub_type = said.get("sub_type", known.get("sub_type"))
    if sub_type is not None and kind_of is not None and ("type" in said or "sub_type" in said):
        problem = misplaced(taxonomy, str(sub_type), [str(kind_of)], "sub_type")
        if problem is not None:
            yield problem


def implied(taxonomy: Taxonomy, said: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from what somebody says of a record: a sub-type alone says its type."""
    if said.get("sub_type") is None or said.get("type", known.get("type")) is not None:
        return {}
    owner = next((one.type for one in taxonomy.sub_types if one.code == said["sub_type"]), None)
    return {} if owner is None else {"type": owner}


def ended(closed: Collection[str], taxonomy: Taxonomy | None) -> frozenset[str]:
    """The statuses in which a record is over: those that its type knows, unless the taxonomy says otherwise."""
    if taxonomy is None:
        return frozenset(closed)
    said = {one.code: one.resolved for one in taxonomy.statuses}
    return frozenset(code for code in {*closed, *said} if said.get(code, code in closed))
