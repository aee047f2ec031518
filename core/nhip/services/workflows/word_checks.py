"""Whether the words that a definition has for records are those of the workspace's taxonomies."""

from collections.abc import Iterator, Sequence
from typing import Final

from nhip.catalog import Catalog
from nhip.domain.errors import Problem
from nhip.engine.customers.taxonomies import LISTS, misplaced, unknown
from nhip.engine.definitions.definition import Reference
from nhip.ports import Unit
from nhip.services.workspace.taxonomies import Taxonomies

_CONFIG: Final = ".config."


def word_problems(
    unit: Unit, catalog: Catalog, workspace_id: int, references: Sequence[Reference]
) -> Iterator[Problem]:
    """What names a word that there is not: references of sorts such as ``ticket.sub_type``."""
    taxonomies = Taxonomies(catalog)
    named: dict[str, dict[str, list[Reference]]] = {}
    for one in references:
        kind, dot, field = one.kind.partition(".")
        if dot and field in LISTS:
            named.setdefault(kind, {}).setdefault(one.path.partition(_CONFIG)[0], []).append(one)
    for kind, places in named.items():
        taxonomy = taxonomies.of(unit, workspace_id, kind)
        if taxonomy is None:
            continue
        for words in places.values():
            types = [one.name for one in words if one.kind == f"{kind}.type"]
            for one in words:
                problem = unknown(taxonomy, kind, one.kind.partition(".")[2], one.name, one.path)
                if problem is None and types and one.kind == f"{kind}.sub_type":
                    problem = misplaced(taxonomy, one.name, types, one.path)
                if problem is not None:
                    yield problem
