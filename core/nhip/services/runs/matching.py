"""The published workflows of each workspace, indexed in memory and kept as fresh as the database."""

import logging
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from nhip.catalog import Catalog
from nhip.domain.configured import PublishedVersion
from nhip.domain.scans import DateScan, MomentScan, Scan, scan_key
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.customers.score_rules import ScoreBook
from nhip.engine.definitions.definition import Compiled, compile_definition
from nhip.engine.matching.index import Entry, MatchIndex, is_below
from nhip.engine.times.dates import Watch, watch_of
from nhip.ports import Unit
from nhip.services.runs.score_books import load_book
from nhip.services.workspace.taxonomies import ended_statuses

log = logging.getLogger("nhip.matching")

_CACHED_VERSIONS: Final = 4096


@contextmanager
def isolated(version: PublishedVersion) -> Iterator[None]:
    """One workflow that does not compile any more, because a plugin is gone or broken, never stops the others."""
    try:
        yield
    except Exception:
        log.exception("workflow not compiled", extra={"workflow": version.workflow, "version": version.number})


class Versions:
    """Compiled versions, the least recently used dropped first. A version never changes, so neither does its entry."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._compiled: OrderedDict[str, tuple[Compiled, int]] = OrderedDict()
        self._queues: dict[tuple[int, str], tuple[int, bool]] = {}

    def get(self, unit: Unit, workspace_id: int, ids: Sequence[str]) -> Mapping[str, Compiled]:
        """The compiled versions of these ids, loading those that are not at hand.

        One that does not compile any more, because a plugin is gone, is not among them.
        """
        missing = [one for one in dict.fromkeys(ids) if one not in self._compiled]
        if missing:
            for version in unit.published.versions(workspace_id, missing):
                with isolated(version):
                    self.add(version)
        found = {}
        for one in ids:
            compiled = self._compiled.get(one)
            if compiled is not None:
                self._compiled.move_to_end(one)
                found[one] = compiled[0]
        while len(self._compiled) > _CACHED_VERSIONS:
            self._compiled.popitem(last=False)
        return found

    def add(self, version: PublishedVersion) -> Compiled:
        """Compile a version and keep it."""
        compiled = compile_definition(version.definition, self._catalog, version_id=version.id)
        self._compiled[version.id] = (compiled, version.number)
        return compiled

    def queues(self, unit: Unit, workspace_id: int, workflow: str, newest: int) -> bool:
        """Whether any version of a workflow, up to its newest, queues its runs. Call it in units that publish nothing,
        for it is remembered.
        """
        known, queues = self._queues.get((workspace_id, workflow), (0, False))
        if not queues and known < newest:
            queues = unit.published.queues(workspace_id, workflow, known, newest)
            self._queues[workspace_id, workflow] = newest, queues
        return queues

    def number(self, version_id: str) -> int:
        """The number, within its workflow, of a version at hand."""
        return self._compiled[version_id][1]


class Matcher:
    """Which workflows an event concerns.

    The index is compared with the workspace's ``publish_version`` inside each unit, so a publish that was answered is
    seen by the next event in every process, and no message between processes is needed.
    """

    def __init__(self, catalog: Catalog, versions: Versions, customs: CustomConditions) -> None:
        self._catalog = catalog
        self._versions = versions
        self._customs = customs
        self._indexes: dict[int, MatchIndex] = {}
        self._known: dict[int, int] = {}
        self._current: dict[int, dict[str, str]] = {}
        self._heard: dict[int, set[str]] = {}
        self._begins_by: dict[int, dict[str, frozenset[str]]] = {}
        self._deciding: dict[int, Counter[str]] = {}
        """How many workflows' runs begin by a field."""
        self._scans: dict[int, dict[str, dict[str, Scan]]] = {}
        self._books: dict[int, ScoreBook | None] = {}
        self._watches: dict[int, tuple[Watch, ...]] = {}
        self._ended: dict[int, dict[str, frozenset[str]]] = {}
        self._reads: dict[tuple[int, str], bool] = {}

    def refresh(self, unit: Unit, workspace_id: int) -> MatchIndex:
        """The workspace's index, brought up to what is published now."""
        index = self._indexes.get(workspace_id)
        if index is None:
            index = self._indexes[workspace_id] = MatchIndex(self._customs)
            self._known[workspace_id] = -1
            self._current[workspace_id] = {}
            self._scans[workspace_id] = {}
            self._begins_by[workspace_id] = {}
            self._deciding[workspace_id] = Counter()
            self._heard[workspace_id] = unit.published.heard(workspace_id)
        known = self._known[workspace_id]
        newest = unit.published.publish_version(workspace_id)
        if newest != known:
            for name, state, version in unit.published.changed_since(workspace_id, known):
                index.retire(name)
                self._current[workspace_id].pop(name, None)
                self._scans[workspace_id].pop(name, None)
                self._deciding[workspace_id] -= Counter(self._begins_by[workspace_id].pop(name, ()))
                if state == "active" and version is not None:
                    with isolated(version):
                        compiled = self._versions.add(version)
                        index.publish(name, compiled.entries)
                        self._current[workspace_id][name] = version.id
                        self._heard[workspace_id] |= compiled.hears
                        if read := compiled.program.reads_at_entry:
                            self._begins_by[workspace_id][name] = read
                            self._deciding[workspace_id].update(read)
                        if compiled.scans:
                            self._scans[workspace_id][name] = {scan_key(scan): scan for scan in compiled.scans}
            asked = self.scans(workspace_id).values()
            dated = {watch_of(scan) for scan in asked if isinstance(scan, DateScan | MomentScan)}
            self._watches[workspace_id] = tuple(sorted(dated, key=lambda watch: watch.key))
            self.read_scores(unit, workspace_id)
            self.read_ended(unit, workspace_id)
            self._known[workspace_id] = newest
            self._reads = {key: reads for key, reads in self._reads.items() if key[0] != workspace_id}
        return index

    def reads(self, workspace_id: int, prefix: str) -> bool:
        """Whether it depends on this part of the facts which runs begin, and how, or what a score becomes; ask after
        :meth:`refresh`.
        """
        reads = self._reads.get((workspace_id, prefix))
        if reads is None:
            book = self.scores(workspace_id)
            reads = (
                self._indexes[workspace_id].reads(prefix)
                or (book is not None and book.reads(prefix))
                or any(is_below(prefix, field) for field in self._deciding[workspace_id])
            )
            self._reads[workspace_id, prefix] = reads
        return reads

    def version_of(self, workspace_id: int, workflow: str) -> str | None:
        """The version of a workflow that may start runs, where one may; ask after :meth:`refresh`."""
        return self._current[workspace_id].get(workflow)

    def publish_version(self, workspace_id: int) -> int:
        """What :meth:`refresh` found last: it rises with every change of what is published, and of a segment."""
        return self._known[workspace_id]

    def heard(self, workspace_id: int) -> AbstractSet[str]:
        """The types of events that a run may wait for, or that may end one; ask after :meth:`refresh`.

        Those of versions that are published no more are among them, because runs may stand on them.
        """
        return self._heard[workspace_id]

    def scans(self, workspace_id: int) -> dict[str, Scan]:
        """What the time triggers of the workflows ask that may start runs, by key; ask after :meth:`refresh`."""
        return {key: scan for mine in self._scans[workspace_id].values() for key, scan in mine.items()}

    def asking(self, workspace_id: int) -> Iterator[tuple[str, str, Mapping[str, Scan]]]:
        """Each workflow that may start runs, with its version's id and what its time triggers ask, by key; ask after
        :meth:`refresh`.
        """
        mine = self._scans[workspace_id]
        for workflow, version_id in self._current[workspace_id].items():
            yield workflow, version_id, mine.get(workflow, {})

    def watches(self, workspace_id: int) -> Sequence[Watch]:
        """The fields whose days those scans need to find; ask after :meth:`refresh`."""
        return self._watches.get(workspace_id, ())

    def ended(self, workspace_id: int) -> Mapping[str, frozenset[str]]:
        """Per record type, the statuses in which a record is over; ask after :meth:`refresh`."""
        return self._ended.get(workspace_id, {})

    def read_ended(self, unit: Unit, workspace_id: int) -> None:
        """Bring the statuses that end records up to date."""
        self._ended[workspace_id] = ended_statuses(unit, self._catalog, workspace_id)

    def read_scores(self, unit: Unit, workspace_id: int) -> None:
        """Bring the workspace's score rules up to date."""
        self._books[workspace_id] = load_book(unit, workspace_id, self._customs)

    def scores(self, workspace_id: int) -> ScoreBook | None:
        """The workspace's score rules, where it ever had any; ask after :meth:`refresh`."""
        return self._books.get(workspace_id)

    def match(self, index: MatchIndex, event_type: str, facts: Mapping[str, Any], now: datetime) -> Sequence[Entry]:
        """The entries that hold, in a stable order."""
        return index.match(event_type, facts, now)
