"""The store of merges: what merged contacts were known by, and how what was theirs becomes another's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nhip.domain.customers import Contact
from nhip.domain.merging import Alias


class MergeStore(Protocol):
    """Contacts that were merged into others, and what is needed to merge more."""

    # --- who is whom --------------------------------------------------------------------------------------------------

    def hold(self, workspace_id: int) -> None:
        """Nobody merges contacts of this workspace until the unit ends: whom it found stays who they are."""
        ...

    def begin(self, workspace_id: int) -> None:
        """Wait for the units that hold, and let no others until this unit ends.

        From here on it waits for no row for long: whoever has one may want what is held here. The unit is run again.
        """
        ...

    def found(self, workspace_id: int, known_by: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Contact]:
        """The contacts that took in those who were known so: by pairs of kind and value."""
        ...

    def aliases(self, workspace_id: int, contact_id: str) -> Sequence[Alias]:
        """What the contacts were known by that were merged into one, the oldest merge first."""
        ...

    def remember(
        self, workspace_id: int, survivor_id: str, merged_id: str, known_by: Collection[tuple[str, str]], now: int
    ) -> None:
        """From now on whoever was known so, or was merged into the merged contact, is found as the survivor."""
        ...

    # --- what was theirs ----------------------------------------------------------------------------------------------

    def performing(self, workspace_id: int, contact_ids: Sequence[str]) -> set[str]:
        """Those of these contacts of whom a worker performs a step at this moment."""
        ...

    def open_entries(self, workspace_id: int, contact_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Campaign and id of the calls that are still to be made to these contacts, the oldest first."""
        ...

    def move(self, workspace_id: int, survivor: Contact, merged: Contact) -> Mapping[str, int]:
        """Everything that points at the merged contact points at the survivor, and the merged one is gone.

        Records and activity are the caller's: they are read, and changed as customers are. Answers how many events,
        runs and deliveries there were.

        Raises:
            Conflict: somebody is about to fill in the days of a watched field; the unit is run again.
        """
        ...
