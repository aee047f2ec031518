"""What assignment and taxonomies need to be stored."""

from collections.abc import Sequence
from typing import Protocol

from nhip.domain.taxonomies import StoredTaxonomy


class AssignmentStore(Protocol):
    """Whose turn it is, and who has how much to do."""

    def lock_turn(self, workspace_id: int, pool: str, how: str) -> str | None:
        """Hold a pool's turns until the unit ends; answers who had the last one."""
        ...

    def take_turn(self, workspace_id: int, pool: str, how: str, last: str) -> None:
        """Write who had the last turn of a pool that is held."""
        ...

    def loads(self, workspace_id: int, types: Sequence[str], staff: Sequence[str]) -> dict[str, int]:
        """How many open records of these types these employees are assigned to; who has none is not in it."""
        ...


class TaxonomyStore(Protocol):
    """The words of a workspace for the records of a type, where they are not those that the type comes with."""

    def find(self, workspace_id: int, kind: str, *, lock: bool = False) -> StoredTaxonomy | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def insert(self, taxonomy: StoredTaxonomy) -> None:
        """Store the first words of a workspace's own."""
        ...

    def update(self, taxonomy: StoredTaxonomy) -> None:
        """The caller holds the row."""
        ...

    def close_records(self, workspace_id: int, kind: str, ended: Sequence[str]) -> None:
        """Other statuses than before end the records of a type: those in them are closed, the others open."""
        ...
