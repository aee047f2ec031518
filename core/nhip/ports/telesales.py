"""The store of telesales."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nhip.domain.telesales import Campaign, Entry, EntryFilter, EntryPlace, GoingBack


class TelesalesStore(Protocol):
    """Campaigns, and who has to be called in them."""

    def campaign(self, workspace_id: int, name: str, *, lock: bool = False, share: bool = False) -> Campaign | None:
        """``lock`` holds the row until the unit ends; entries can be added to it all the same. ``share`` lets others
        hold it so, too, and nobody change it.
        """
        ...

    def campaigns(self, workspace_id: int, after: str | None, limit: int) -> Sequence[Campaign]:
        """By name, after a name."""
        ...

    def insert_campaign(self, campaign: Campaign) -> None:
        """Store a new campaign."""
        ...

    def update_campaign(self, campaign: Campaign) -> None:
        """The caller holds the row."""
        ...

    def set_last_agent(self, workspace_id: int, name: str, agent: str) -> None:
        """Whose turn was the last; the caller holds the row."""
        ...

    def delete_campaign(self, workspace_id: int, name: str) -> None:
        """Remove a campaign with its entries."""
        ...

    # --- entries ------------------------------------------------------------------------------------------------------

    def entry(self, workspace_id: int, campaign: str, entry_id: str, *, lock: bool = False) -> Entry | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def open_entry(self, workspace_id: int, campaign: str, contact_id: str) -> Entry | None:
        """The one that the contact has which is not closed."""
        ...

    def open_entries(self, workspace_id: int, campaign: str) -> Sequence[Entry]:
        """Those that are not closed, the oldest first, held until the unit ends."""
        ...

    def entries_of(self, workspace_id: int, agent: str) -> Sequence[Entry]:
        """An agent's that are not closed, in all campaigns, held until the unit ends."""
        ...

    def going_back(self, now: int, limit: int, but: Collection[tuple[int, str]]) -> Sequence[GoingBack]:
        """Entries of all workspaces whose agents have them no more, the longest due first; those of the campaigns in
        ``but``, each with its workspace, are left out.
        """
        ...

    def hold_going_back(self, workspace_id: int, campaign: str, ids: Sequence[str], now: int) -> Sequence[Entry]:
        """Those of these that still go back, held until the unit ends."""
        ...

    def take_next(
        self, workspace_id: int, campaign: str, agent: str, others: Collection[str], now: int
    ) -> Entry | None:
        """The entry that this agent calls next, held until the unit ends; one that somebody else holds is left to them.

        ``others`` are those whose entries are theirs: what belongs to anybody else is nobody's.
        """
        ...

    def entries(
        self,
        workspace_id: int,
        campaign: str,
        wanted: EntryFilter,
        after: EntryPlace | None,
        limit: int,
        *,
        now: int,
        hours_open: bool,
    ) -> Sequence[tuple[Entry, EntryPlace]]:
        """What is being called, what is due by priority, what is not due by time, what is closed; after a place."""
        ...

    def counts(self, workspace_id: int, campaign: str, now: int, *, hours_open: bool) -> Mapping[str, int]:
        """How many entries there are, by state."""
        ...

    def insert_entry(self, entry: Entry) -> None:
        """Store a new entry."""
        ...

    def update_entry(self, entry: Entry) -> None:
        """The caller holds the row."""
        ...
