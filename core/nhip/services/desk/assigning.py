"""Who gets something, within one unit. What was chosen counts when its action succeeds, and is stored with it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nhip.domain.assignment import Assigned, Passed
from nhip.domain.customers import Staff
from nhip.domain.errors import ActionFailed
from nhip.domain.teams import ReachedBy, Team, Who
from nhip.domain.times import from_micros
from nhip.engine.desk.assignment import NO_ADDRESS, UNKNOWN, Candidate, choose
from nhip.engine.desk.teams import gather
from nhip.plugin_api import Assign
from nhip.ports import Unit
from nhip.services.workspace.calendars import closed_days

WORK: Final = ("task", "ticket")
"""The records that an employee has to do."""
MOST_RULES: Final = 8
"""How often one may fall back on another."""


class Assigning:
    """The turns of one workspace in one unit."""

    def __init__(self, unit: Unit, workspace_id: int, now: int) -> None:
        self._unit = unit
        self._workspace_id = workspace_id
        self._now = from_micros(now)
        self._closed = closed_days(unit, workspace_id)
        self._turns: dict[tuple[str, str], str | None] = {}
        """Who had the last turn of each pool that is held."""
        self._changed: set[tuple[str, str]] = set()
        self._loads: dict[str, int] = {}
        self._given: Counter[str] = Counter()
        """What this unit gave to whom; it is not among the stored records yet."""
        self._pending: list[tuple[tuple[str, str] | None, str]] = []

    def assign(
        self, to: Assign | str, facts: Mapping[str, Any], contact_id: str | None, *, reachable_by: str | None = None,
        turns: str = "",
    ) -> Assigned:  # fmt: skip
        """Choose by a rule and by those that it falls back on.

        Args:
            to: the rule, its words filled in.
            facts: of the run.
            contact_id: whose records say which store was last.
            reachable_by: the field with the address that whoever is chosen must have.
            turns: turns apart from those of others who choose from the same employees.

        Raises:
            ActionFailed: no rule chose anybody, and one names an employee who does not exist.
        """
        passed: list[Passed] = []
        missing: list[str] = []
        word = ""
        for rule, is_word in _rules(to):
            word = rule.to
            name, key = _named(word, facts), None
            if name is None:
                pool, people = self._pool(word, facts, contact_id)
                key = (pool, f"{rule.how}{turns}") if people else None
            elif (person := self._unit.staff.find(self._workspace_id, [name]).get(name)) is not None:
                people = [person]
            elif word == "owner":
                # Whoever keeps the contacts elsewhere need not have told us of their employees.
                return self._taken(name, word, None, passed)
            else:
                missing.append(name)
                passed.append(Passed(staff=name, reason=UNKNOWN))
                continue
            last = self._last(key) if key is not None else None
            loads = self._loads_of(people) if rule.how == "least_busy" else {}
            candidates = [
                Candidate(person=one, load=loads.get(one.external_id, 0), obstacle=_obstacle(one, reachable_by))
                for one in people
            ]
            absences = not (is_word and name is not None)
            choice = choose(
                candidates, rule.how, last, self._now, hours=rule.working_hours, absences=absences, closed=self._closed
            )
            passed += choice.passed
            if choice.staff is not None:
                return self._taken(choice.staff, word, key, passed)
        if missing:
            raise ActionFailed(f"there is no employee {', '.join(map(repr, missing))}")
        return Assigned(staff=None, to=word, passed=tuple(passed))

    def team(
        self, to: str, facts: Mapping[str, Any], contact_id: str | None, *, who: Who, reached_by: ReachedBy | None,
        most: int,
    ) -> Team:  # fmt: skip
        """Everybody of a department or a store, ``most`` of them at most. Nobody's turn changes."""
        _, people = self._pool(to, facts, contact_id)
        return gather(people, who, self._now, reached_by=reached_by, most=most, closed=self._closed)

    def keep(self) -> None:
        """The action that chose has succeeded."""
        for key, staff in self._pending:
            self._given[staff] += 1
            if key is not None:
                self._turns[key] = staff
                self._changed.add(key)
        self._pending.clear()

    def forget(self) -> None:
        """The action that chose has failed: nobody had a turn."""
        self._pending.clear()

    def store(self) -> None:
        """Write who had the last turns."""
        for pool, how in sorted(self._changed):
            last = self._turns[pool, how]
            if last is not None:
                self._unit.assignments.take_turn(self._workspace_id, pool, how, last)
        self._changed.clear()

    # --- who may ------------------------------------------------------------------------------------------------------

    def _pool(self, word: str, facts: Mapping[str, Any], contact_id: str | None) -> tuple[str, list[Staff]]:
        sort, _, name = word.partition(":")
        if sort == "department":
            return word, self._unit.staff.in_department(self._workspace_id, name)
        if word == "store":
            name = (facts.get("contact") or {}).get("store") or ""
        elif word == "last_store":
            name = self._last_store(contact_id) or (facts.get("contact") or {}).get("store") or ""
        elif sort != "store":
            return word, []  # the owner, and there is none
        return f"store:{name}", self._unit.staff.in_store(self._workspace_id, name) if name else []

    def _last_store(self, contact_id: str | None) -> str | None:
        if contact_id is None:
            return None
        found = self._unit.history.newest_records(self._workspace_id, contact_id)
        placed = [one for one in found if one.attributes.get("store")]
        return max(placed, key=lambda one: one.as_of).attributes["store"] if placed else None

    # --- turns --------------------------------------------------------------------------------------------------------

    def _last(self, key: tuple[str, str]) -> str | None:
        """Who had the last turn of a pool, which is held from now on."""
        if key not in self._turns:
            self._turns[key] = self._unit.assignments.lock_turn(self._workspace_id, *key)
        mine = [staff for pending, staff in self._pending if pending == key]
        return mine[-1] if mine else self._turns[key]

    def _loads_of(self, people: Sequence[Staff]) -> dict[str, int]:
        """What they have to do, with what this unit gave them. Asked after the turns are held."""
        names = [one.external_id for one in people]
        fresh = [name for name in names if name not in self._loads]
        if fresh:
            found = self._unit.assignments.loads(self._workspace_id, WORK, fresh)
            self._loads |= {name: found.get(name, 0) for name in fresh}
        pending = Counter(staff for _, staff in self._pending)
        return {name: self._loads[name] + self._given[name] + pending[name] for name in names}

    def _taken(self, staff: str, word: str, key: tuple[str, str] | None, passed: list[Passed]) -> Assigned:
        self._pending.append((key, staff))
        return Assigned(staff=staff, to=word, passed=tuple(passed))


def _named(word: str, facts: Mapping[str, Any]) -> str | None:
    """The one employee whom a word means, where it means one."""
    if word == "owner":
        return (facts.get("contact") or {}).get("owner") or None
    if word in ("store", "last_store") or word.startswith(("department:", "store:")):
        return None
    return word.removeprefix("staff:")


def _rules(to: Assign | str) -> Iterator[tuple[Assign, bool]]:
    """A rule and those that it falls back on, each with whether it is a word alone."""
    following: Assign | str | None = to
    for _ in range(MOST_RULES):
        if following is None:
            return
        is_word = isinstance(following, str)
        rule = Assign(to=following) if isinstance(following, str) else following
        yield rule, is_word
        following = rule.fallback


def _obstacle(person: Staff, reachable_by: str | None) -> str | None:
    return NO_ADDRESS if reachable_by is not None and not getattr(person, reachable_by) else None
