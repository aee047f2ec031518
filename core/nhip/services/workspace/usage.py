"""Who still needs a channel account or a template."""

import msgspec

from nhip.catalog import Catalog
from nhip.domain.errors import Conflict, InvalidInput
from nhip.engine.definitions.definition import compile_definition, references
from nhip.ports import Unit


def check_unused(unit: Unit, catalog: Catalog, workspace_id: int, kind: str, name: str) -> None:
    """Refuse to take away what a workflow names that is published, or that runs still stand on.

    Raises:
        Conflict: ``data['workflows']`` names them.
    """
    workflows = set()
    written = msgspec.json.encode(name)
    for version in unit.published.versions(workspace_id, unit.workflows.versions_in_use(workspace_id)):
        if written not in msgspec.json.encode(version.definition):
            continue
        try:
            compiled = compile_definition(version.definition, catalog)
        except InvalidInput:  # a plugin of it is not installed any more, so what it names cannot be told
            continue
        if any((one.kind, one.name) == (kind, name) for one in references(compiled.definition, catalog)):
            workflows.add(version.workflow)
    if workflows:
        named = ", ".join(sorted(workflows))
        raise Conflict(f"the {kind} {name!r} is used by {named}", workflows=sorted(workflows))
