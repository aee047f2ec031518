"""A workflow as an admin writes it: triggers, conditions, settings, nested steps."""

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from nhip.domain.conditions import Node
from nhip.domain.struct import Struct


class WorkflowState(StrEnum):
    """``draft``: never published. ``paused`` starts no runs and sends nothing new. ``archived`` is put away."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class TriggerUse(Struct):
    """One trigger of a workflow, with its configuration as written."""

    id: str
    type: str
    config: dict[str, Any] = msgspec.field(default_factory=dict)


# --- settings ---------------------------------------------------------------------------------------------------------


class Reentry(Struct):
    """Whether a contact may enter again: always, never (``once``), or ``after`` a time since its last entry."""

    once: bool = False
    after: timedelta | None = None


class Mode(StrEnum):
    """What happens when a contact enters a workflow that it is in."""

    PARALLEL = "parallel"
    """The runs go side by side."""
    SINGLE = "single"
    """It does not enter."""
    RESTART = "restart"
    """The run under way ends, and the new one begins."""
    QUEUED = "queued"
    """The new run begins when those before it are over."""


class ExitWhen(Struct):
    """What ends a run before its next step: an event of the run's contact, or a condition, or both together."""

    events: tuple[str, ...] = ()
    """Types of events; where there are none, the condition is asked before each step."""
    where: Node | None = None


class Conversion(Struct):
    """Which event within which time after entry counts as a conversion."""

    event: str
    within: timedelta


class TimeSaved(Struct):
    """What a person would have needed to do by hand what one run does."""

    minutes: float
    waste_percent: float = 0
    """How much of a person's time goes by beside the work itself, added to ``minutes``."""

    @property
    def human_minutes(self) -> float:
        """With what goes by beside the work."""
        return self.minutes * (1 + self.waste_percent / 100)


class Settings(Struct):
    """How contacts enter and leave a workflow, and what it is measured by."""

    reentry: Reentry = Reentry()
    mode: Mode = Mode.PARALLEL
    conversion: Conversion | None = None
    exit_when: tuple[ExitWhen, ...] = ()
    expires_after: timedelta | None = None
    """How late an action may begin that does not say so itself."""
    time_saved: TimeSaved | None = None


# --- steps ------------------------------------------------------------------------------------------------------------


class ActionStep(Struct):
    """Do something, by an action plugin; ``fallback`` lists changes to ``config`` that are tried after a refusal."""

    id: str
    action: str
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    fallback: tuple[dict[str, Any], ...] = ()
    expires_after: timedelta | None = None
    """How much later than it was due the action may begin; after that it is passed over. ``None`` is any time."""


class WaitFor(Struct, tag="for"):
    """Wait for a length of time. A day is 24 hours, whatever the clocks of the place do meanwhile."""

    duration: timedelta


class WaitUntil(Struct, tag="until"):
    """Wait until a time, or until a time or day that a field holds, ``days`` and ``offset`` before or after it."""

    moment: datetime | None = None
    day: str | None = None
    """A fixed day, as ``2026-12-24``."""
    field: str | None = None
    """The path of the field, where it is none of the two."""
    days: int = 0
    """Calendar days, counted where the contact is: the clock shows the same time on both."""
    offset: timedelta = timedelta()
    at: time | None = None
    """The time of that day, instead of the moment's own, or of the day's beginning."""
    timezone: str = "contact"


class WaitWindow(Struct, tag="window"):
    """Wait until the clock is within hours of some days; passes at once where it is. ``to`` before ``from_`` is
    reached on the next day.
    """

    from_: time
    to: time
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """The days on which the hours begin, Monday is 0."""
    timezone: str = "contact"
    holidays: bool = True
    """Whether they also begin on holidays of the workspace's calendar."""


class WaitEvent(Struct, tag="event"):
    """Wait for an event of the contact, but no longer than a time."""

    events: tuple[str, ...]
    timeout: timedelta
    where: Node | None = None


Waiting = WaitFor | WaitUntil | WaitWindow | WaitEvent


class WaitStep(Struct):
    """Do nothing for a while."""

    id: str
    wait: Waiting


class IfStep(Struct):
    """Go one of two ways."""

    id: str
    condition: Node
    then: tuple["Step", ...] = ()
    otherwise: tuple["Step", ...] = ()


class Way(Struct):
    """One way of a split."""

    weight: int
    """In percent."""
    name: str
    steps: tuple["Step", ...] = ()


class SplitStep(Struct):
    """Go one of several ways, by chance; the same contact always goes the same."""

    id: str
    ways: tuple[Way, ...]


class RepeatStep(Struct):
    """Do the steps again and again, ``times`` at most; ``until`` is asked before each pass."""

    id: str
    times: int
    until: Node | None
    steps: tuple["Step", ...]


class ExitStep(Struct):
    """End the run here."""

    id: str
    reason: str


Step = ActionStep | WaitStep | IfStep | SplitStep | RepeatStep | ExitStep


class Definition(Struct):
    """A whole workflow, parsed and found well-formed."""

    name: str
    title: str
    triggers: tuple[TriggerUse, ...]
    conditions: Node | None
    settings: Settings
    steps: tuple[Step, ...]
