"""Scenarios: stories in files, told in a world of their own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET

from nhip.domain.errors import InvalidInput, NhipError, NotFound, invalid
from nhip.domain.times import parse_time
from nhip.testing.clock import START
from nhip.testing.clockwork import EndlessWork
from nhip.testing.expectations import Contains, Failure, Matching, differences, told
from nhip.testing.plain_yaml import read_definition
from nhip.testing.recording import SentMessage
from nhip.testing.scenario_file import (
    SUFFIX,
    Expect,
    ExpectedMessage,
    Faults,
    GivenChannel,
    Then,
    part,
    read_scenario,
)
from nhip.testing.world import World


class ScenarioFailed(AssertionError):
    """What was expected is not so."""

    def __init__(self, path: Path, failures: Sequence[Failure]) -> None:
        super().__init__("\n".join(f"{path}: {failure}" for failure in failures))
        self.path = path
        self.failures = tuple(failures)


class Scenario:
    """One scenario file."""

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            InvalidInput: it has not the shape of a scenario; the path of each problem names the file and the place.
        """
        self.path = path
        self._text = read_scenario(path)
        self._faults = Faults(path)
        self.title = self._text.title or path.name.removesuffix(SUFFIX)

    def run(self, *, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        """Tell the story, until the first expectation that fails. ``allow`` and ``deny`` are as those of ``World``.

        Raises:
            ScenarioFailed: with everything that differs there.
            InvalidInput: a part of it is not possible; the path of each problem names the file and the place.
        """
        with ExitStack() as stack:
            with self._at("start"):
                world = World(start=self._text.start or START, plugins=self._text.plugins, allow=allow, deny=deny)
            with self._at("plugins"):
                stack.enter_context(world)
            self._give(world)
            _Telling(self.path, world).tell(self._text.then, self._at)

    def _give(self, world: World) -> None:
        given = self._text.given
        for name, person in given.staff.items():
            with self._at(f"given.staff.{name}"):
                world.staff(name, **person)
        for name, company in given.accounts.items():
            with self._at(f"given.accounts.{name}"):
                world.account(name, **company)
        for name, channel in given.channels.items():
            place = f"given.channels.{name}"
            said = self._faults.convert(channel or {}, GivenChannel, place)
            with self._at(place):
                world.channel(name, said.type, address=said.address, price=said.price, per_second=said.per_second)
        for name, template in given.templates.items():
            with self._at(f"given.templates.{name}"):
                world.template(name, **self._content(template))
        for name, contact in given.contacts.items():
            with self._at(f"given.contacts.{name}"):
                world.contact(name, **contact)
        for position, record in enumerate(given.records):
            place = f"given.records[{position}]"
            with self._at(place):
                _put_record(world, record, self._faults, place)
        for name, condition in given.segments.items():
            with self._at(f"given.segments.{name}"):
                world.segment(name, condition)
        for name, campaign in given.campaigns.items():
            with self._at(f"given.campaigns.{name}"):
                world.campaign(name, **campaign)
        if given.holidays:
            with self._at("given.holidays"):
                world.calendar(given.holidays)
        if given.score_rules:
            with self._at("given.score_rules"):
                world.score_rules(given.score_rules)
        for position, workflow in enumerate(given.workflows):
            named = f" ({workflow})" if isinstance(workflow, str) else ""
            with self._at(f"given.workflows[{position}]{named}"):
                world.workflow(self._content(workflow))

    def _content(self, said: dict[str, Any] | str) -> dict[str, Any]:
        """What stands here, or in the file that is named here."""
        return read_definition(self.path.parent / said) if isinstance(said, str) else said

    @contextmanager
    def _at(self, place: str) -> Iterator[None]:
        """What goes wrong here is told with its place."""
        try:
            yield
        except InvalidInput as error:
            if error.problems and error.problems[0].path.startswith(f"{self.path}: "):
                raise
            raise self._faults.under(place, error) from None
        except NhipError as error:
            raise self._faults.at(place, error.code, error.detail) from None
        except ValueError as error:
            raise self._faults.at(place, "bad_value", str(error)) from None
        except EndlessWork as error:
            raise self._faults.at(place, "endless_work", str(error)) from None


class _Telling:
    """One telling of a story."""

    def __init__(self, path: Path, world: World) -> None:
        self._path = path
        self._faults = Faults(path)
        self._world = world
        self._looked = 0
        """How many messages had been sent at the last look at messages."""

    def tell(self, steps: Sequence[Then], at: Any) -> None:
        for position, step in enumerate(steps):
            place = f"then[{position}].{step.word}"
            if step.expect is not None:
                with at(place):
                    failures = list(self._check(step.expect, place))
                if failures:
                    raise ScenarioFailed(self._path, failures)
            else:
                with at(place):
                    self._do(step, place)

    def _do(self, step: Then, place: str) -> None:
        world = self._world
        if step.event is not None:
            said = step.event
            world.event(said.type, said.contact, id=said.id, source=said.source, time=said.time, data=said.data)
        elif step.contact is not None:
            [name], fields = part(step.contact, ("external_id",), self._faults, place)
            world.contact(name, **fields)
        elif step.record is not None:
            _put_record(world, step.record, self._faults, place)
        elif step.advance is not None:
            _advance(world, step.advance)
        elif step.receipt is not None:
            world.receipt(**msgspec.structs.asdict(step.receipt))
        elif step.call is not None:
            world.call(
                **{name: value for name, value in msgspec.structs.asdict(step.call).items() if value is not None}
            )
        elif step.refuses is not None:
            world.refuses(**msgspec.structs.asdict(step.refuses))
        elif step.times_out is not None:
            world.times_out(**msgspec.structs.asdict(step.times_out))
        elif step.unavailable is not None:
            world.unavailable(**msgspec.structs.asdict(step.unavailable))
        elif step.accepts is not None:
            world.accepts(**msgspec.structs.asdict(step.accepts))
        elif step.pause is not None:
            world.pause(step.pause)
        elif step.resume is not None:
            world.resume(step.resume)

    def _check(self, expect: Expect, place: str) -> Iterator[Failure]:
        world = self._world
        if expect.sent is not None or expect.nothing_sent:
            yield from self._messages(expect, place)
        yield from _RUNS.counts(
            [_wanted(one) for one in expect.runs],
            [{**msgspec.structs.asdict(run), "stands_on": list(run.stands_on)} for run in world.runs()],
            f"{place}.runs",
        )
        for name, fields in expect.contacts.items():
            yield from self._contact(name, fields, f"{place}.contacts.{name}")
        for position, wanted in enumerate(expect.records):
            said, count = _wanted(wanted)
            kind, fields = said.pop("type"), said.pop("fields", {})
            seen = world.records(kind)
            yield from _RECORDS.fits({**said, **fields}, count, seen, f"{place}.records[{position}]")
        yield from _DELIVERIES.counts(
            [_wanted(one) for one in expect.deliveries],
            [msgspec.structs.asdict(one) for one in world.deliveries()],
            f"{place}.deliveries",
        )
        yield from _EVENTS.counts(
            [_wanted(one) for one in expect.events],
            [msgspec.structs.asdict(one) for one in world.events()],
            f"{place}.events",
        )

    def _messages(self, expect: Expect, place: str) -> Iterator[Failure]:
        sent = self._world.sent()
        new, self._looked = [_facts(message) for message in sent[self._looked :]], len(sent)
        if expect.nothing_sent and new:
            seen = "; ".join(_message_told(one) for one in new)
            yield Failure(place=f"{place}.nothing_sent", expected="no message", seen=seen)
        elif expect.sent is not None:
            yield from _MESSAGES.all_of([_message(one) for one in expect.sent], new, f"{place}.sent")

    def _contact(self, name: str, fields: Mapping[str, Any], place: str) -> Iterator[Failure]:
        try:
            facts = self._world.contact_facts(name)
        except NotFound:
            yield Failure(place=place, expected=f"a contact {name}", seen="none")
            return
        tags = facts.get("tags") or []
        for word, is_wanted in (("has_tags", True), ("lacks_tags", False)):
            wrong = [tag for tag in fields.get(word) or () if (tag in tags) is not is_wanted]
            if wrong:
                expected = f"{'the tag' if is_wanted else 'no tag'} {', '.join(map(told, wrong))}"
                yield Failure(place=f"{place}.{word}", expected=expected, seen=told(tags))
        rest = {key: value for key, value in fields.items() if key not in ("has_tags", "lacks_tags")}
        yield from differences(rest, facts, place)


def find_scenarios(paths: Sequence[Path]) -> list[Path]:
    """The scenario files among these files and in these folders, without repeats.

    Raises:
        InvalidInput: there is none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        found |= dict.fromkeys(sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path])
    if not found:
        raise invalid(", ".join(map(str, paths)), "no_scenario", f"there is no file *{SUFFIX} here")
    return list(found)


_OWN: Final = frozenset({"id", "created_at", "updated_at"})


def _put_record(world: World, raw: Mapping[str, Any], faults: Faults, place: str) -> None:
    [kind, name], fields = part(raw, ("type", "external_id"), faults, place)
    world.record(kind, name, **fields)


def _advance(world: World, said: str) -> None:
    if said.startswith("P"):
        world.advance(said)
    else:
        world.advance(to=said)


def _wanted(expected: Any) -> tuple[dict[str, Any], int]:
    """The fields that were said, and how often."""
    said = {name: value for name in expected.__struct_fields__ if (value := getattr(expected, name)) is not UNSET}
    count: int = said.pop("count")
    if isinstance(said.get("stands_on"), str):
        said["stands_on"] = [said["stands_on"]]
    return said, count


def _message(expected: ExpectedMessage) -> tuple[dict[str, Any], int]:
    said, count = _wanted(expected)
    if "at" in said:
        said["at"] = parse_time(said["at"])
    if "contains" in said:
        texts = said["contains"]
        said["contains"] = Contains(texts=(texts,) if isinstance(texts, str) else tuple(texts))
    return said, count


def _facts(message: SentMessage) -> dict[str, Any]:
    return {**msgspec.structs.asdict(message), "contains": message.words}


def _message_told(one: Mapping[str, Any]) -> str:
    words = one["text"] or one["subject"] or one["params"] or one["html"]
    return f"{one['template']} by {one['channel']} to {one['contact']} at {one['at'].isoformat()}: {told(words)}"


def _run_told(one: Mapping[str, Any]) -> str:
    return f"{one['workflow']} of {one['contact']} is {one['state']}"


def _record_told(one: Mapping[str, Any]) -> str:
    return told({name: value for name, value in one.items() if name not in _OWN})


def _delivery_told(one: Mapping[str, Any]) -> str:
    why = f" ({one['reason']})" if one["reason"] else ""
    return f"{one['template']} by {one['channel']} to {one['contact']} is {one['state']}{why}"


def _event_told(one: Mapping[str, Any]) -> str:
    return f"{one['type']} of {one['contact']}"


_MESSAGES: Final = Matching("message", _message_told)
_RUNS: Final = Matching("run", _run_told)
_RECORDS: Final = Matching("record", _record_told)
_DELIVERIES: Final = Matching("delivery", _delivery_told)
_EVENTS: Final = Matching("event", _event_told)
