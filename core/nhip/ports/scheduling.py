"""The stores of what time sets off."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from nhip.domain.standing import AskedScan, KeptDate, MetDate, Owner, StandingScan


class ScanStore(Protocol):
    """Scans, who asks them, and where they look."""

    def ask(self, workspace_id: int, workflow: str, keys: Iterable[str]) -> set[str]:
        """Write down that a workflow asks these scans and no others; answers those that it asks no more."""
        ...

    def asked(self, workspace_id: int) -> dict[str, set[str]]:
        """The keys of the scans that each workflow asks."""
        ...

    def asked_by(self, workspace_id: int, workflow: str) -> set[str]:
        """The keys of the scans that a workflow asks."""
        ...

    def written(self, workspace_id: int, keys: Sequence[str]) -> Sequence[AskedScan]:
        """These scans as they were written down, held until the unit ends; those that another version wrote, too."""
        ...

    def askers(self, workspace_id: int, keys: Iterable[str]) -> dict[str, bool]:
        """Those of these scans that any workflow asks, and whether an active one does."""
        ...

    def rest(self, workspace_id: int, keys: Iterable[str]) -> None:
        """Let these scans look no more, and stay where they are."""
        ...

    def resting(self, workspace_id: int, keys: Sequence[str]) -> Sequence[StandingScan]:
        """Those of these scans that rest, held until the unit ends."""
        ...

    def known(self, workspace_id: int, keys: Sequence[str]) -> set[str]:
        """Which of these scans stand already."""
        ...

    def insert(self, scans: Sequence[StandingScan]) -> None:
        """Store scans; one that stands already stays as it is."""
        ...

    def delete(self, workspace_id: int, keys: Iterable[str]) -> None:
        """Take scans away."""
        ...

    def due(self, now: int, limit: int) -> list[tuple[int, str]]:
        """Workspace and key of the scans that are due, the longest due first."""
        ...

    def take(self, workspace_id: int, key: str, now: int) -> StandingScan | None:
        """Hold a due scan until the unit ends; ``None`` where it is due no more, or somebody else holds it."""
        ...

    def save(self, scan: StandingScan) -> None:
        """Write how far a scan has come."""
        ...

    def wake(self, workspace_id: int, watch: str, now: int) -> None:
        """Let the scans of a watch that look later look now, because they have to look elsewhere, too."""
        ...

    def release(self, workspace_id: int, watch: str, now: int) -> None:
        """Let the scans of a watch look that could not yet."""
        ...

    def silent(
        self, workspace_id: int, kind: str, since: int, until: int, after: tuple[int, str], limit: int
    ) -> Sequence[tuple[str, str, int]]:
        """Contacts that were last active in this way after ``since`` and up to ``until``, by time and contact: id,
        external id, and that time.
        """
        ...

    def quiet(
        self, workspace_id: int, kind: str, since: int, until: int, after: tuple[int, str], limit: int
    ) -> Sequence[tuple[str, str, int]]:
        """As :meth:`silent`, of those that were active in no other way later."""
        ...

    def activity_kinds(self, workspace_id: int) -> list[str]:
        """The ways in which the contacts of a workspace are active."""
        ...

    def contacts(self, workspace_id: int, after: str, limit: int) -> list[tuple[str, str]]:
        """Id and external id, in the order of the latter."""
        ...

    def external_ids(self, workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
        """The names by which clients know these contacts."""
        ...


class DateStore(Protocol):
    """The days that date scans look for."""

    def watches(self, workspace_id: int, keys: Sequence[str]) -> dict[str, str]:
        """The state of each of these watches."""
        ...

    def set_watch(self, workspace_id: int, key: str, state: str) -> None:
        """Make a watch, or change its state; it begins at the beginning."""
        ...

    def unused(self, workspace_id: int) -> list[str]:
        """The watches that no scan needs any more."""
        ...

    def unsettled(self, limit: int) -> list[tuple[int, str]]:
        """Workspace and key of the watches that are being filled or emptied."""
        ...

    def take(self, workspace_id: int, key: str) -> tuple[str, str] | None:
        """Hold an unsettled watch until the unit ends: its state and cursor; ``None`` where somebody else does."""
        ...

    def move(self, workspace_id: int, key: str, cursor: str) -> None:
        """Write how far the filling of a watch has come."""
        ...

    def remove_watch(self, workspace_id: int, key: str) -> None:
        """Take away a watch that is empty, with its zones."""
        ...

    def empty(self, workspace_id: int, key: str, limit: int) -> int:
        """Delete some days of a watch; answers how many those were."""
        ...

    def owners(self, workspace_id: int, root: str, after: str, limit: int) -> list[Owner]:
        """Contacts, or records of a type, in the order of their external ids."""
        ...

    def records_of(self, workspace_id: int, kind: str, contact_ids: Sequence[str]) -> list[Owner]:
        """The records of these contacts."""
        ...

    def timezones(self, workspace_id: int, contact_ids: Sequence[str]) -> dict[str, str | None]:
        """The time zone of each of these contacts."""
        ...

    def keep(self, workspace_id: int, dates: Sequence[KeptDate]) -> None:
        """Store days, in place of those that were stored for the same fields."""
        ...

    def drop(self, workspace_id: int, owners: Mapping[str, Sequence[str]]) -> None:
        """Take away the days of these owners, per watch."""
        ...

    def zones(self, workspace_id: int, key: str) -> set[str]:
        """The time zones in which the days of a watch are met."""
        ...

    def add_zones(self, workspace_id: int, key: str, zones: Iterable[str]) -> None:
        """Add to them."""
        ...

    def met(
        self,
        workspace_id: int,
        watch: str,
        timezone: str,
        slot: int,
        until_day: int,
        after: str,
        limit: int,
        *,
        is_open: bool,
    ) -> list[MetDate]:
        """Whose day lies in a slot and is not later than ``until_day``, in the order of the owners' ids; of records
        that are over, only where not ``is_open``.
        """
        ...

    def between(
        self,
        workspace_id: int,
        watch: str,
        timezone: str,
        until_slot: int,
        after: tuple[int, str],
        limit: int,
        *,
        is_open: bool,
    ) -> list[MetDate]:
        """What lies after this slot and owner and up to ``until_slot``, in the order of slots and owners; of records
        that are over, only where not ``is_open``.
        """
        ...
