"""Scenario files: what may stand in a ``*.scenario.yaml``, and how it is read.

The shape is described for people in ``docs/testing.md``. Every fault is told with its file and its place:
``thanks.scenario.yaml: then[3].expect.sent[0].channel``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nhip.domain.errors import InvalidInput, Problem, invalid
from nhip.domain.struct import Struct
from nhip.engine.facts.decoding import convert
from nhip.testing.plain_yaml import read_file

T = TypeVar("T")

SUFFIX: Final = ".scenario.yaml"
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Times = Annotated[int, Meta(ge=1)]


class GivenChannel(Struct):
    """A channel account; see :meth:`nhip.testing.World.channel`."""

    type: str | None = None
    address: str = "phone"
    price: dict[str, Any] | None = None
    per_second: int | None = None


class Given(Struct):
    """What is there when the story begins. All of it is put before any workflow is published, and starts nothing."""

    staff: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    contacts: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    records: list[dict[str, Any]] = msgspec.field(default_factory=list)
    segments: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Condition trees over ``contact.…``."""
    campaigns: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Telesales campaigns."""
    holidays: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """The workspace's calendar."""
    score_rules: list[dict[str, Any]] = msgspec.field(default_factory=list)
    channels: dict[str, dict[str, Any] | None] = msgspec.field(default_factory=dict)
    templates: dict[str, dict[str, Any] | str] = msgspec.field(default_factory=dict)
    """Templates, or files with one."""
    workflows: list[dict[str, Any] | str] = msgspec.field(default_factory=list)
    """Definitions, or files with one."""


class ThenEvent(Struct):
    """An event comes in."""

    type: str
    contact: str | dict[str, Any] | None = None
    """An external id, or a snapshot."""
    id: str | None = None
    source: str = "world"
    time: str | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class ThenReceipt(Struct):
    """The provider reports what became of the last message that it took."""

    channel: str
    status: str
    contact: str | None = None
    code: str | None = None
    detail: str | None = None


class ThenRefuses(Struct):
    """From now on the provider refuses messages."""

    channel: str
    code: str = "refused"
    reason: str = "unreachable"
    contact: str | None = None
    times: Times | None = None


class ThenTimesOut(Struct):
    """From now on the provider does not answer."""

    channel: str
    arrives: bool = False
    contact: str | None = None
    times: Times | None = None


class ThenUnavailable(Struct):
    """From now on the provider cannot be reached."""

    channel: str
    contact: str | None = None
    times: Times | None = None


class ThenAccepts(Struct):
    """From now on the provider takes messages again."""

    channel: str
    contact: str | None = None


class ThenCall(Struct):
    """An agent says what came of a call."""

    campaign: str
    contact: str
    outcome: str
    call_back_at: str | None = None
    note: str | None = None
    agent: str | None = None


class ExpectedMessage(Struct, omit_defaults=True):
    """A message that was sent: what is left out may be anything."""

    channel: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    """The address; a phone number in any spelling."""
    contact: str | UnsetType = UNSET
    template: str | UnsetType = UNSET
    workflow: str | UnsetType = UNSET
    message_class: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    provider_template_id: str | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    contains: str | list[str] | UnsetType = UNSET
    """What its subject, text, html and parameters together contain."""
    at: str | UnsetType = UNSET
    """The moment."""
    count: Count = 1


class ExpectedRun(Struct, omit_defaults=True):
    """Runs as they stand now."""

    workflow: str | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET
    stands_on: str | list[str] | UnsetType = UNSET
    """The ids of the steps that it has come to and not left."""
    count: Count = 1


class ExpectedRecord(Struct, omit_defaults=True):
    """Records as they are now."""

    type: str
    external_id: str | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    status: str | UnsetType | None = UNSET
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    count: Count = 1


class ExpectedDelivery(Struct, omit_defaults=True):
    """Messages, sent or not, as they stand now."""

    channel: str | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    template: str | UnsetType = UNSET
    workflow: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET
    count: Count = 1


class ExpectedEvent(Struct, omit_defaults=True):
    """Events that happened since the beginning, those that the engine derived among them."""

    type: str
    contact: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    count: Count = 1


class Expect(Struct):
    """What must be so at this point of the story."""

    sent: list[ExpectedMessage] | None = None
    """All messages since the last look at messages, in any order."""
    nothing_sent: bool = False
    """No message went out since the last look at messages."""
    runs: list[ExpectedRun] = msgspec.field(default_factory=list)
    contacts: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """By external id, fields and what they hold; and ``has_tags`` and ``lacks_tags``."""
    records: list[ExpectedRecord] = msgspec.field(default_factory=list)
    deliveries: list[ExpectedDelivery] = msgspec.field(default_factory=list)
    events: list[ExpectedEvent] = msgspec.field(default_factory=list)


class Then(Struct):
    """One step of the story: exactly one of these."""

    event: ThenEvent | None = None
    contact: dict[str, Any] | None = None
    record: dict[str, Any] | None = None
    advance: str | None = None
    """A duration (``P90D``), or the moment until which time passes."""
    receipt: ThenReceipt | None = None
    refuses: ThenRefuses | None = None
    times_out: ThenTimesOut | None = None
    unavailable: ThenUnavailable | None = None
    accepts: ThenAccepts | None = None
    call: ThenCall | None = None
    pause: str | None = None
    resume: str | None = None
    expect: Expect | None = None

    @property
    def word(self) -> str:
        """Which of them it is."""
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not None)


class ScenarioText(Struct):
    """A whole file."""

    then: Annotated[list[Then], Meta(min_length=1)]
    title: str = ""
    start: str | None = None
    """When it begins: RFC 3339."""
    plugins: list[str] = msgspec.field(default_factory=list)
    """Modules with plugins, beside the installed ones."""
    given: Given = msgspec.field(default_factory=Given)


def read_scenario(path: Path) -> ScenarioText:
    """Read a file and see that it has the shape.

    Raises:
        InvalidInput: it cannot be read, or has not; each problem's path begins with the file's.
    """
    raw = read_file(path)
    with_file = Faults(path)
    scenario = with_file.convert(raw, ScenarioText, "")
    for position, step in enumerate(scenario.then):
        said = [name for name in Then.__struct_fields__ if getattr(step, name) is not None]
        if len(said) != 1:
            seen = ", ".join(said) or "none"
            raise with_file.at(
                f"then[{position}]",
                "bad_value",
                f"one of {', '.join(Then.__struct_fields__)} is expected; seen: {seen}",
            )
        expect = step.expect
        if expect is not None and expect.sent is not None and expect.nothing_sent:
            raise with_file.at(f"then[{position}].expect", "contradiction", "say sent or nothing_sent, not both")
    return scenario


class Faults:
    """Tells the faults of one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def convert(self, raw: Any, wanted: type[T], place: str) -> T:
        """A part of the file as a struct.

        Raises:
            InvalidInput: it is none.
        """
        try:
            return convert(raw, wanted)
        except InvalidInput as error:
            raise self.under(place, error) from None

    def at(self, place: str, code: str, message: str) -> InvalidInput:
        """One fault at a place."""
        return invalid(self._name(place), code, message)

    def under(self, place: str, error: InvalidInput) -> InvalidInput:
        """The faults of a part, with their places in the whole."""
        return InvalidInput(
            [
                Problem(path=self._name(join(place, one.path)), code=one.code, message=one.message)
                for one in error.problems
            ]
        )

    def _name(self, place: str) -> str:
        return f"{self._path}: {place}" if place else str(self._path)


def join(place: str, path: str) -> str:
    """A path under a place: ``then[0].event`` and ``data.contact`` are ``then[0].event.data.contact``."""
    if not place or not path:
        return place or path
    return f"{place}{path}" if path.startswith("[") else f"{place}.{path}"


def part(
    raw: Mapping[str, Any], names: tuple[str, ...], faults: Faults, place: str
) -> tuple[list[str], dict[str, Any]]:
    """Take texts that must be there out of an object: their values, and the rest.

    Raises:
        InvalidInput: one is missing, or no text.
    """
    for name in names:
        if not isinstance(raw.get(name), str):
            raise faults.at(join(place, name), "missing", "a text is expected here")
    return [raw[name] for name in names], {name: value for name, value in raw.items() if name not in names}
