"""Checks that every plugin should pass, shipped or not.

Call them from a test of your own plugin::

    def test_it_conforms() -> None:
        check_trigger(OrderStatus, {"to": ["delivered"]})

    async def test_it_tells_the_truth() -> None:
        async with ZaloStandIn() as zalo:
            await check_delivery(ZaloZns, zalo, lambda key: message("+84987654321", key, ...))

Each raises :class:`Nonconforming` with everything that it found.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, get_args

import msgspec

from nhip.domain.errors import InvalidInput, PluginRefused
from nhip.domain.messages import Accepted, DeliveryClass, Message, NotSent, Outcome, Rejected
from nhip.domain.verdict import Verdict
from nhip.plugin_api import Action, Bundle, Channel, Condition, Facts, Lowered, Plugin, RecordType, Trigger
from nhip.plugin_rules import Sort, check_class, struct_schema
from nhip.testing.contexts import open_channel
from nhip.testing.standins.faults import Fault, Faults
from nhip.testing.standins.ledger import Ledger

_OUTCOMES: Final = get_args(Outcome)
_PATIENCE_SECONDS: Final = 1.0
_DEADLINE_SECONDS: Final = 0.4


class Nonconforming(AssertionError):
    """What a plugin does not keep; ``findings`` has one text each."""

    def __init__(self, name: str, findings: Sequence[str]) -> None:
        super().__init__("\n".join([f"{name} does not conform:", *(f"  - {finding}" for finding in findings)]))
        self.findings = tuple(findings)


class ProviderStandIn(Protocol):
    """What :func:`check_delivery` needs of a stand-in; all of :mod:`nhip.testing.standins` have it."""

    faults: Faults
    ledger: Ledger

    def config(self) -> Mapping[str, Any]:
        """A configuration that comes here."""
        ...

    def secrets(self) -> Mapping[str, str]:
        """The secrets that belong to it."""
        ...

    async def close(self) -> None:
        """Go down."""


def check_trigger(cls: type[Trigger], *configs: Mapping[str, Any]) -> None:
    """Check a trigger, and that it lowers each of these configurations purely and to something."""
    findings = _rules("trigger", cls)
    for config in _configs(cls, configs, findings):
        try:
            first, second = cls().lower(config), cls().lower(config)
        except InvalidInput as error:
            if configs:
                findings.append(f"lower() refuses the configuration {config}: {error}")
            continue
        if first != second or type(first) is not Lowered:
            findings.append(f"lower() does not answer with the same Lowered twice for {config}")
        elif not (first.event_types or first.scans) or not all(first.event_types):
            findings.append(f"lower() names no event type and no scan for {config}")
    _report(cls, findings)


def check_condition(cls: type[Condition], *configs: Mapping[str, Any], facts: Facts | None = None) -> None:
    """Check a condition, and that its verdict is the same twice, also over facts that say nothing."""
    findings = _rules("condition", cls)
    now = datetime(2026, 11, 21, 8, tzinfo=UTC)
    for config in _configs(cls, configs, findings):
        for known in ({}, facts or {}):
            try:
                first, second = (cls().check(config, known, now) for _ in range(2))
            except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked for
                findings.append(f"check() raises {error!r} over the facts {known}")
                continue
            if first != second or type(first) is not Verdict:
                findings.append(f"check() does not answer with the same Verdict twice over the facts {known}")
    _report(cls, findings)


def check_action(cls: type[Action], *configs: Mapping[str, Any]) -> None:
    """Check an action, and that it finds no fault with these configurations."""
    findings = _rules("action", cls)
    for config in _configs(cls, configs, findings):
        problems = cls().check(config)
        if configs:
            findings += [f"check() finds {problem.code} at {problem.path!r} in {config}" for problem in problems]
    _report(cls, findings)


def check_channel(cls: type[Channel]) -> None:
    """Check what a channel declares: its classes must agree with what it overrides."""
    findings = _rules("channel", cls)
    findings += _undescribed(cls.secrets_type, "secrets_type")
    dedupes = cls.delivery_class is DeliveryClass.DEDUPES
    if dedupes != (cls.dedupe_seconds > 0):
        findings.append(f"delivery_class is {cls.delivery_class} and dedupe_seconds is {cls.dedupe_seconds}")
    can_receive = cls.receive is not Channel.receive
    takes_calls = cls.read_call is not Channel.read_call and cls.answer_call is not Channel.answer_call
    if cls.capabilities.voice != takes_calls:
        findings.append("capabilities and read_call() with answer_call() disagree about telephone calls")
    # What becomes of a call is told to its call control.
    if not takes_calls and (cls.capabilities.receipts or cls.capabilities.inbound) != can_receive:
        findings.append("capabilities and receive() disagree about receipts and inbound messages")
    can_look_up = cls.look_up is not Channel.look_up
    if cls.delivery_class is DeliveryClass.TRACEABLE and not (cls.capabilities.receipts or can_look_up):
        findings.append("it is traceable, and neither has receipts nor can look a message up")
    _report(cls, findings)


def check_record_type(cls: type[RecordType]) -> None:
    """Check a record type: every field described, all optional."""
    findings = _rules("record_type", cls)
    findings += _undescribed(cls.fields_type, "fields_type")
    _report(cls, findings)


def check_bundle(cls: type[Bundle]) -> None:
    """Check a bundle."""
    _report(cls, _rules("bundle", cls))


async def check_delivery(
    cls: type[Channel], standin: ProviderStandIn, make: Callable[[str], Message], *, patience: float = _PATIENCE_SECONDS
) -> None:
    """Check that a channel never says what the provider's ledger denies; ``make`` makes a message with a given key.

    One outcome per message, whatever happens: ``accepted`` means exactly one effect, ``rejected`` and ``not_sent`` mean
    none, and the deadline is kept. The same key twice is one effect where the channel ``dedupes``. At the end the
    stand-in is closed, and a message is ``not_sent``.
    """
    findings: list[str] = []
    async with open_channel(cls, standin.config(), standin.secrets()) as channel:
        if list(await channel.send([], patience)):
            findings.append("an empty batch has outcomes")
        keys = [f"batch{number}" for number in range(3)]
        findings += _lies(keys, await channel.send([make(key) for key in keys], patience), standin.ledger)
        for fault in Fault:
            key = fault.value.replace("_", "")
            standin.faults.script([fault])
            started = time.monotonic()
            outcomes = await channel.send([make(key)], _DEADLINE_SECONDS)
            if time.monotonic() - started > _DEADLINE_SECONDS + 1:
                findings.append(f"the deadline is not kept when the provider does {fault}")
            findings += _lies([key], outcomes, standin.ledger)
            if cls.delivery_class is DeliveryClass.DEDUPES:
                findings += await _repeat(channel, make(key), standin.ledger, patience)
        await standin.close()
        [outcome] = await channel.send([make("outage")], patience)
        if not isinstance(outcome, NotSent):
            findings.append(f"a provider that is down gives {outcome} instead of not_sent")
    _report(cls, findings)


async def _repeat(channel: Channel, message: Message, ledger: Ledger, patience: float) -> list[str]:
    [outcome] = await channel.send([message], patience)
    effects = ledger.references()[message.idempotency_key]
    if isinstance(outcome, Accepted) and effects == 1:
        return []
    return [f"repeating {message.idempotency_key} gives {outcome} and {effects} effects; it should dedupe"]


def _lies(keys: Sequence[str], outcomes: Sequence[Outcome], ledger: Ledger) -> Iterable[str]:
    if len(outcomes) != len(keys):
        yield f"{len(keys)} messages have {len(outcomes)} outcomes"
    effects = ledger.references()
    for key, outcome in zip(keys, outcomes, strict=False):
        if not isinstance(outcome, _OUTCOMES):
            yield f"{key} has the outcome {outcome!r}, which is none"
        elif isinstance(outcome, Accepted) and effects[key] != 1:
            yield f"{key} is accepted and had {effects[key]} effects"
        elif isinstance(outcome, Rejected | NotSent) and effects[key]:
            yield f"{key} is {outcome} and had {effects[key]} effects"


def _rules(sort: Sort, cls: type[Plugin]) -> list[str]:
    try:
        check_class(sort, cls)
    except PluginRefused as error:
        raise Nonconforming(f"{cls.__module__}.{cls.__qualname__}", [error.detail]) from error
    findings = _undescribed(cls.config_type, "config_type")
    if not (cls.__doc__ or "").strip():
        findings.append("the class has no docstring")
    if not (sys.modules[cls.__module__].__doc__ or "").strip():
        findings.append("its module has no docstring")
    return findings


def _undescribed(struct: type[msgspec.Struct], where: str) -> list[str]:
    properties: Mapping[str, Mapping[str, Any]] = struct_schema(struct, None).get("properties", {})
    return [
        f"{where} does not describe its field {name!r}"
        for name, schema in properties.items()
        if not schema.get("description")
    ]


def _configs(cls: type[Plugin], configs: Sequence[Mapping[str, Any]], findings: list[str]) -> list[Any]:
    """The configurations as the plugin's own type; without any, its defaults if it has defaults for everything.

    Defaults alone may mean nothing, so that a plugin may find fault with them, but not fail over them.
    """
    if not configs:
        required = any(field.required for field in msgspec.structs.fields(cls.config_type))
        configs = [] if required else [{}]
    read: list[Any] = []
    for config in configs:
        try:
            read.append(msgspec.convert(dict(config), cls.config_type))
        except msgspec.ValidationError as error:
            findings.append(f"the configuration {config} does not fit: {error}")
    return read


def _report(cls: type[Plugin], findings: Sequence[str]) -> None:
    if findings:
        raise Nonconforming(f"{cls.__module__}.{cls.__qualname__}", findings)
