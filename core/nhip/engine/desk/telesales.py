"""Decide who calls, when, and whether a call is tried again. Pure; times are aware, answers in UTC."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from nhip.domain.customers import Staff
from nhip.domain.duty import Absence
from nhip.domain.struct import Struct
from nhip.domain.telesales import CallBacks, CallingHours, Outcome, Retry, RetryRules, Turn
from nhip.domain.times import parse_duration
from nhip.domain.workflow import WaitWindow
from nhip.engine.definitions.reading_waits import DAYS
from nhip.engine.facts.calendars import ClosedDays, always_open
from nhip.engine.facts.moments import zone
from nhip.engine.times.waits import window_opening

FINAL: Final = frozenset({Outcome.ANSWERED, Outcome.REFUSED})
"""The outcomes after which nobody calls again."""
SOONEST_RETRY: Final = timedelta(minutes=1)
LATEST_RETRY: Final = timedelta(days=365)


class NextCall(Struct):
    """What follows from a call: the next one's time in UTC, or nothing."""

    due: datetime | None
    counts: dict[str, int]

    @property
    def is_final(self) -> bool:
        """Whether nobody calls again."""
        return self.due is None


def window_of(hours: CallingHours) -> WaitWindow:
    """The hours in the form in which the engine reckons with them."""
    return WaitWindow(
        from_=time.fromisoformat(hours.from_),
        to=time.fromisoformat(hours.to),
        days=tuple(sorted({DAYS.index(day) for day in hours.days})),
        timezone=hours.timezone,
        holidays=hours.holidays,
    )


def calling_time(hours: CallingHours, wanted: datetime, closed: ClosedDays = always_open) -> datetime:
    """``wanted`` where it lies within the hours, else when they open next. ``closed`` is the workspace's calendar."""
    return window_opening(window_of(hours), {}, wanted, closed).astimezone(UTC)


def holiday_now(hours: CallingHours, now: datetime, closed: ClosedDays) -> str | None:
    """The title of the holiday that alone keeps agents from calling now, where one does."""
    if calling_time(hours, now, closed) <= now or calling_time(hours, now) > now:
        return None
    today = now.astimezone(zone(hours.timezone)).date()
    return closed(today)


def next_agent(agents: Sequence[str], active: Collection[str], last: str | None) -> str | None:
    """Whose turn it is, in the order of the campaign: the next one after ``last`` who is active; ``None`` for nobody.

    So each gets one before anybody gets a second, as long as the same are active.
    """
    start = agents.index(last) + 1 if last in agents else 0
    in_turn = (*agents[start:], *agents[:start])
    return next((agent for agent in in_turn if agent in active), None)


def away_from(absences: Iterable[Absence], since: datetime) -> datetime | None:
    """The first moment from ``since`` on at which somebody is away; ``None`` for never."""
    return min((max(since, one.from_) for one in absences if one.until > since), default=None)


def goes_back_at(
    person: Staff | None, taken_at: datetime | None, due: datetime, hold: timedelta | None, now: datetime, *,
    here: bool = False,
) -> datetime | None:  # fmt: skip
    """When an agent has an entry no more unless something else happens to it; ``None`` for never.

    Args:
        person: the agent; ``None`` for one who may not call in the campaign.
        taken_at: since when they call, where they took it.
        due: when it may be called.
        hold: how long they may call without an outcome.
        now: aware.
        here: whether they were seen just now, so that an absence that goes on does not count.
    """
    if person is None or not person.active:
        return now
    since = now if taken_at is not None else max(now, due)
    absences = [one for one in person.absences if not (here and one.from_ <= since)]
    moments = (away_from(absences, since), taken_at + hold if taken_at is not None and hold is not None else None)
    return min((moment for moment in moments if moment is not None), default=None)


def taken_since(history: Sequence[Turn]) -> int | None:
    """Since when it is taken, of an entry that is."""
    return next((turn.at for turn in reversed(history) if turn.what == "taken"), None)


def late_agents(history: Sequence[Turn]) -> frozenset[str]:
    """Those from whom it went back and whom nobody followed: what they still say of their call counts."""
    late = set[str]()
    for turn in reversed(history):
        if turn.what in ("taken", "called"):
            break
        if turn.what == "returned" and turn.agent is not None:
            late.add(turn.agent)
    return frozenset(late)


def next_call(
    outcome: Outcome,
    counts: Mapping[str, int],
    call_back_at: datetime | None,
    rules: RetryRules,
    hours: CallingHours,
    now: datetime,
    closed: ClosedDays = always_open,
) -> NextCall:
    """Decide whether and when a contact is called again; ``counts`` are the outcomes of the calls before this one."""
    came = counts.get(outcome, 0) + 1
    added = {**counts, outcome.value: came}
    if outcome in FINAL:
        return NextCall(due=None, counts=added)
    rule: Retry | CallBacks | None = getattr(rules, outcome.value)
    if rule is None or (rule.times is not None and came > rule.times):
        return NextCall(due=None, counts=added)
    wanted = now + parse_duration(rule.after) if isinstance(rule, Retry) else call_back_at or now
    return NextCall(due=calling_time(hours, wanted, closed), counts=added)
