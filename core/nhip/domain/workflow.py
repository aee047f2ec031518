"""A workflow as an admin writes it: triggers, conditions, settings, nested steps."""

from datetime import timedelta
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


class Reentry(Struct):
    """Whether a contact may enter again: always, never (``once``), or ``after`` a time since its last entry."""

    once: bool = False
    after: timedelta | None = None


class Conversion(Struct):
    """Which event within which time after entry counts as a conversion."""

    event: str
    within: timedelta


class Settings(Struct):
    """How contacts enter a workflow and what it is measured by."""

    reentry: Reentry = Reentry()
    single: bool = False
    """``mode: single``: a contact that is in the workflow does not enter again. Otherwise runs go in parallel."""
    conversion: Conversion | None = None


class ActionStep(Struct):
    """Do something, by an action plugin; ``fallback`` lists changes to ``config`` that are tried after a refusal."""

    id: str
    action: str
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    fallback: tuple[dict[str, Any], ...] = ()


class WaitStep(Struct):
    """Wait for a length of time."""

    id: str
    duration: timedelta


class IfStep(Struct):
    """Go one of two ways."""

    id: str
    condition: Node
    then: tuple["Step", ...] = ()
    otherwise: tuple["Step", ...] = ()


class ExitStep(Struct):
    """End the run here."""

    id: str
    reason: str


Step = ActionStep | WaitStep | IfStep | ExitStep


class Definition(Struct):
    """A whole workflow, parsed and found well-formed."""

    name: str
    title: str
    triggers: tuple[TriggerUse, ...]
    conditions: Node | None
    settings: Settings
    steps: tuple[Step, ...]
