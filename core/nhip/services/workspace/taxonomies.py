"""The words for records: those that a record type comes with, or a workspace's own."""

from collections.abc import Mapping
from typing import Any

from nhip.catalog import Catalog
from nhip.domain.errors import InvalidInput, NotFound
from nhip.domain.ids import new_id
from nhip.domain.taxonomies import StoredTaxonomy, Taxonomy
from nhip.engine.customers.taxonomies import ended, faults, implied, misfits
from nhip.ports import Unit
from nhip.services.workspace.revisions import check_match


class Taxonomies:
    """The service; its methods run inside units."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find(self, unit: Unit, workspace_id: int, kind: str, *, lock: bool = False) -> StoredTaxonomy:
        """What a workspace says of the records of a type, or what the type comes with.

        Raises:
            NotFound: records of this type have no taxonomy.
        """
        shipped = self._shipped(kind)
        if shipped is None:
            raise NotFound("taxonomy", kind)
        stored = unit.taxonomies.find(workspace_id, kind, lock=lock)
        return stored or StoredTaxonomy(
            workspace_id=workspace_id, type=kind, id=f"shipped-{kind}", content=shipped, revision=0, created_at=0,
            updated_at=0,
        )  # fmt: skip

    def of(self, unit: Unit, workspace_id: int, kind: str) -> Taxonomy | None:
        """The words for the records of a type, where they have any."""
        return self.find(unit, workspace_id, kind).content if self._shipped(kind) is not None else None

    def save(
        self,
        unit: Unit,
        workspace_id: int,
        kind: str,
        taxonomy: Taxonomy,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> StoredTaxonomy:
        """Let a workspace have its own words. Records that say others stay as they are.

        Raises:
            NotFound: records of this type have no taxonomy.
            InvalidInput: with the place of each problem: ``sub_types[3].type``.
            StaleRevision: ``if_match`` does not hold.
        """
        problems = list(faults(taxonomy))
        if problems:
            raise InvalidInput(problems)
        before = self.find(unit, workspace_id, kind, lock=True)
        check_match(before, if_match)
        if before.content == taxonomy:
            return before
        stored = StoredTaxonomy(
            workspace_id=workspace_id, type=kind, id=before.id if before.revision else new_id(), content=taxonomy,
            revision=before.revision + 1, created_at=before.created_at or now, updated_at=now,
        )  # fmt: skip
        if before.revision:
            unit.taxonomies.update(stored)
        else:
            unit.taxonomies.insert(stored)
        closed = self._catalog.record_types[kind].closed
        over = ended(closed, taxonomy)
        if over != ended(closed, before.content):
            unit.taxonomies.close_records(workspace_id, kind, sorted(over))
        unit.workflows.raise_publish_version(workspace_id)
        unit.audit.write(workspace_id, actor, "taxonomy.change", kind, now, {"revision": stored.revision})
        return stored

    def completed(
        self, unit: Unit, workspace_id: int, kind: str, said: Mapping[str, Any], known: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What an action says of a record, with what follows from it.

        Raises:
            InvalidInput: it says words that there are not.
        """
        taxonomy = self.of(unit, workspace_id, kind)
        if taxonomy is None:
            return dict(said)
        problems = list(misfits(taxonomy, kind, said, known))
        if problems:
            raise InvalidInput(problems)
        return {**said, **implied(taxonomy, said, known)}

    def _shipped(self, kind: str) -> Taxonomy | None:
        record_type = self._catalog.record_types.get(kind)
        return record_type.taxonomy if record_type is not None else None


def ended_statuses(unit: Unit, catalog: Catalog, workspace_id: int) -> dict[str, frozenset[str]]:
    """Per record type, the statuses in which a record of this workspace is over."""
    found: dict[str, frozenset[str]] = {}
    for kind, record_type in catalog.record_types.items():
        stored = unit.taxonomies.find(workspace_id, kind) if record_type.taxonomy is not None else None
        found[kind] = ended(record_type.closed, stored.content if stored is not None else record_type.taxonomy)
    return found
