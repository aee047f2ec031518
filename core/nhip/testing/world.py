"""A world to tell stories in: one engine on a database of its own, a clock that a test moves, channels that write down.

It is synchronous, for plain test functions::

    with World() as world:
        world.contact("KH-1", name="Hoa", phone="0987654321")
        world.channel("zns-main")
        world.template("hello", text="Chào {{ contact.name }}")
        world.workflow({"name": "thanks", "triggers": […], "steps": […]})
        world.event("order.updated", contact="KH-1", order={"external_id": "DH-1", "status": "delivered"})
        world.advance(days=90)
        assert [message.text for message in world.sent("zns-main")] == ["Chào Hoa"]

Nothing happens in the background: what an event starts is done before :meth:`World.event` answers, and what time sets
off is done by :meth:`World.advance`, which jumps from one moment with work to the next.
"""

import asyncio
import itertools
import random
import shutil
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from nhip.bootstrap import Engine
from nhip.catalog import Catalog
from nhip.domain.authored import ChannelDraft, TemplateDraft
from nhip.domain.customers import Staff
from nhip.domain.errors import InvalidInput, NotFound, Problem
from nhip.domain.events import EventReceipt, IncomingEvent
from nhip.domain.messages import Inbound, Receipt, ReceiptStatus, RejectionReason
from nhip.domain.past_events import Explanation
from nhip.domain.segments import SegmentDraft
from nhip.domain.telesales import OPEN_STATES, CallReport, CampaignDraft, EntryFilter
from nhip.domain.times import format_time, parse_duration, parse_time, to_micros
from nhip.engine.decoding import convert
from nhip.plugin_api import AddressKind
from nhip.ports import Unit
from nhip.services import contacts, explain, records, scores, staff
from nhip.services.channel_accounts import ChannelAccounts
from nhip.services.intake import CloudEvent
from nhip.services.receipts import Arrival
from nhip.services.segments import Segments
from nhip.services.templates import Templates
from nhip.services.workflows import Workflows
from nhip.settings import Settings
from nhip.testing import opening, recording, sight
from nhip.testing.clock import START, VirtualClock
from nhip.testing.clockwork import Clockwork
from nhip.testing.plain_yaml import read_definition
from nhip.testing.recording import Origin, Recorder, Rule, SentMessage

T = TypeVar("T")

_ACTOR: Final = "world"
_CLOSED: Final = "a World is open inside `with World() as world:` only"


class World:
    """One workspace of one engine, open inside ``with``.

    Args:
        start: when the story begins: an aware datetime or RFC 3339; see :data:`nhip.testing.clock.START`.
        plugins: modules with plugins, or their names, beside those that are installed.
        allow, deny: which installed plugins load, as ``NHIP_PLUGINS_ALLOW`` and ``NHIP_PLUGINS_DENY`` say it.
        patience: real seconds that the work of one moment may take.
    """

    def __init__(
        self,
        *,
        start: datetime | str = START,
        plugins: Sequence[ModuleType | str] = (),
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        patience: float = 60.0,
    ) -> None:
        self._clock = VirtualClock(_moment(start))
        self._load = partial(opening.load_catalog, tuple(plugins), tuple(allow), tuple(deny))
        self._patience = patience
        self._numbers = itertools.count(1)
        self._channels: dict[str, str] = {}
        self._recorder = Recorder(self._origin, lambda now: now.astimezone(self._clock.zone))
        self._runner: asyncio.Runner | None = None
        self._folder: Path | None = None
        self._opened: Engine | None = None
        self._clockwork: Clockwork | None = None
        self._workspace_id = 0
        self._last_event: str | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._folder is not None:
            raise RuntimeError("a World is opened once; make another one")
        _stand_alone()
        catalog = self._load()
        catalog = replace(catalog, channels=recording.recording_channels(catalog.channels, self._recorder))
        self._folder = opening.new_folder()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        try:
            self._run(self._open, opening.settings(self._folder), catalog)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine and remove everything."""
        try:
            if self._opened is not None:
                self._run(self._opened.stop)
        finally:
            self._opened = self._clockwork = None
            if self._runner is not None:
                self._runner.close()
                self._runner = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _open(self, settings: Settings, catalog: Catalog) -> None:
        self._opened = await Engine.start(
            settings, migrate=False, embedded=False, catalog=catalog, clock=self._clock,
            database=opening.new_database(),
        )  # fmt: skip
        # The jitter of retries is the same in every run of a story.
        self._opened.execution.chance = random.Random(0).random
        self._workspace_id = await self._opened.database.transact(opening.find_workspace)
        self._clockwork = Clockwork(self._opened, self._workspace_id, self._clock, self._patience)

    @property
    def engine(self) -> Engine:
        """The engine itself, for what has no word here. Its coroutines run on the world's own event loop only."""
        if self._opened is None:
            raise RuntimeError(_CLOSED)
        return self._opened

    @property
    def clockwork(self) -> Clockwork:
        """What moves the clock."""
        if self._clockwork is None:
            raise RuntimeError(_CLOSED)
        return self._clockwork

    # --- what is there ------------------------------------------------------------------------------------------------

    def contact(self, external_id: str, /, **fields: Any) -> None:
        """Put a contact, as ``PUT /v1/contacts/{external_id}`` does: what it changes may start workflows."""
        self._put(lambda: contacts.change(self.engine.intake, external_id, fields))

    def record(self, kind: str, external_id: str, /, **fields: Any) -> None:
        """Put a record, as ``PUT /v1/records/{kind}/{external_id}`` does; ``contact`` is its owner."""
        self._put(lambda: records.change(self.engine.intake, kind, external_id, fields))

    def staff(self, external_id: str, /, **fields: Any) -> None:
        """Put an employee."""
        said = convert({**fields, "external_id": external_id}, Staff)
        person = staff.change(self.engine.intake, said)
        self._write(lambda unit, now: staff.put(unit, self._workspace_id, _ACTOR, person, now))

    def account(self, external_id: str, /, **attributes: Any) -> None:
        """Put a company that contacts may belong to."""
        self._write(lambda unit, now: staff.put_account(unit, self._workspace_id, _ACTOR, external_id, attributes, now))

    def segment(self, name: str, /, condition: Mapping[str, Any]) -> None:
        """Make or replace a segment: a condition tree over ``contact.…``."""
        draft = SegmentDraft(condition=dict(condition))
        segments = Segments(self.engine.catalog)
        self._write(
            lambda unit, now: segments.save(unit, self._workspace_id, name, draft, if_match=None, actor=_ACTOR, now=now)
        )

    def campaign(self, name: str, /, **draft: Any) -> None:
        """Make or replace a telesales campaign, as ``PUT /v1/telesales-campaigns/{name}`` takes it."""
        said = convert(draft, CampaignDraft)
        self._write(
            lambda unit, now: self.engine.telesales.save(
                unit, self._workspace_id, name, said, if_match=None, actor=_ACTOR, now=now
            )
        )

    def call(self, campaign: str, contact: str, outcome: str, **said: Any) -> None:
        """An agent says what came of calling a contact of a campaign: ``answered``, ``no_answer``, ``busy``,
        ``refused`` or ``call_back`` (with ``call_back_at``).

        Raises:
            ValueError: nobody has to call this contact in the campaign.
        """
        report = convert({"outcome": outcome, **said}, CallReport)

        def tell(unit: Unit, now: int) -> None:
            telesales = self.engine.telesales
            listed = telesales.entries(unit, self._workspace_id, campaign, EntryFilter(), None, 1000, now)
            mine = [
                one.entry.id
                for one in listed
                if one.contact is not None and one.contact.external_id == contact and one.entry.state in OPEN_STATES
            ]
            if not mine:
                raise ValueError(f"nobody has to call {contact!r} in {campaign!r}")
            telesales.report(unit, self._workspace_id, campaign, mine[0], report, actor=_ACTOR, now=now)

        self._write(tell)

    def score_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace the rules of the score, as ``PUT /v1/score-rules`` takes them."""
        said = {"rules": [dict(rule) for rule in rules]}
        self._write(
            lambda unit, now: scores.save(
                unit, self._workspace_id, said, catalog=self.engine.catalog, if_match=None, actor=_ACTOR, now=now
            )
        )

    def channel(
        self,
        name: str,
        type: str | None = None,  # noqa: A002
        *,
        address: AddressKind | str = AddressKind.PHONE,
        price: Mapping[str, Any] | None = None,
        per_second: int | None = None,
    ) -> None:
        """Make a channel account that accepts every message and writes it down.

        ``type`` names an installed channel (``zalo_zns``) in whose place it stands, with that channel's kind of
        address, rules for templates, and ways after a time-out; it needs no configuration. Without it, ``address`` says
        what it sends to: ``phone``, ``email``, ``zalo_user``, or ``none`` where the account itself says where.
        """
        chosen = type or recording.KINDS[AddressKind(address)]
        rate = {"rate_limit": {"per_second": per_second}} if per_second else {}
        draft = convert({"name": name, "type": chosen, **({"price": price} if price else {}), **rate}, ChannelDraft)
        accounts = ChannelAccounts(self.engine.catalog, self.engine.vault, lambda url: None)
        self._write(lambda unit, now: accounts.create(unit, self._workspace_id, draft, _ACTOR, now))
        self._channels[name] = chosen

    def template(self, name: str, /, *, channel: str | None = None, **content: Any) -> None:
        """Make or replace a template: ``text``, ``subject``, ``html``, ``params``, ``message_class``, ….

        It is made for the type of ``channel``, or for the ``channel_type`` that is said; where neither is, for the type
        that all channels of this world share.
        """
        said = content if "channel_type" in content else {"channel_type": self._type_for(channel), **content}
        draft = convert(said, TemplateDraft)
        templates = Templates(self.engine.catalog, self.engine.renderer)
        self._write(
            lambda unit, now: templates.save(
                unit, self._workspace_id, name, draft, if_match=None, actor=_ACTOR, now=now
            )
        )

    def workflow(self, definition: Mapping[str, Any] | str | Path) -> tuple[Problem, ...]:
        """Save a definition, or the one in a JSON or YAML file, and publish it; answers the warnings.

        Raises:
            InvalidInput: it tells all problems, each with its place.
        """
        said = definition if isinstance(definition, Mapping) else read_definition(Path(definition))
        name = str(said.get("name", ""))
        workflows = Workflows(self.engine.catalog)

        def save(unit: Unit, now: int) -> tuple[Problem, ...]:
            workflows.save(unit, self._workspace_id, name, said, if_match=None, actor=_ACTOR, now=now)
            return workflows.publish(unit, self._workspace_id, name, if_match=None, actor=_ACTOR, now=now).warnings

        return self._write(save)

    def pause(self, workflow: str) -> None:
        """Pause a workflow: it starts nothing, and its runs stand still."""
        service = Workflows(self.engine.catalog)
        self._write(lambda unit, now: service.pause(unit, self._workspace_id, workflow, actor=_ACTOR, now=now))

    def resume(self, workflow: str) -> None:
        """End a pause: what it held back is done."""
        service = Workflows(self.engine.catalog)
        self._write(lambda unit, now: service.resume(unit, self._workspace_id, workflow, actor=_ACTOR, now=now))

    # --- what happens -------------------------------------------------------------------------------------------------

    def event(
        self,
        kind: str,
        /,
        contact: str | Mapping[str, Any] | None = None,
        *,
        id: str | None = None,  # noqa: A002
        source: str = "world",
        time: datetime | str | None = None,
        data: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> EventReceipt:
        """Let an event come in, and do what follows from it at once.

        ``contact`` is an external id or a snapshot; ``data``, and every further keyword, is the event's data, so that
        ``order={"external_id": "DH-1", "status": "delivered"}`` is a snapshot of an order.
        """
        snapshot = {"external_id": contact} if isinstance(contact, str) else contact
        said = {**({} if snapshot is None else {"contact": dict(snapshot)}), **(data or {}), **more}
        envelope = CloudEvent(
            id=id or f"event-{next(self._numbers)}",
            source=source,
            type=kind,
            time=format_time(_moment(time)) if time is not None else None,
            data=msgspec.to_builtins(said),
        )
        with _all_problems():
            receipt = self._run(self._submit, self.engine.intake.event(envelope))
        self._last_event = receipt.id
        return receipt

    def advance(
        self,
        duration: timedelta | str | None = None,
        *,
        to: datetime | str | None = None,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let time pass, and do what falls due at the moment at which it does.

        By a duration (``days=90``, or ``"P90D"`` as in workflows), or ``to`` a moment.

        Raises:
            ValueError: the moment has passed already.
            EndlessWork: what is due does not end.
        """
        span = parse_duration(duration) if isinstance(duration, str) else duration or timedelta()
        span += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        until = to_micros(_moment(to) if to is not None else self._clock.now()) + span // timedelta(microseconds=1)
        if until < self._clock.micros():
            raise ValueError(f"it is {self.now.isoformat()} already, and time does not run backwards")
        self._run(self.clockwork.advance, until)

    def receipt(
        self,
        channel: str,
        status: str,
        *,
        contact: str | None = None,
        code: str | None = None,
        detail: str | None = None,
    ) -> None:
        """The provider reports ``delivered``, ``read`` or ``failed`` of the last message that it took.

        ``contact`` means the last one to this contact.

        Raises:
            ValueError: it took none.
        """
        mine = self.sent(channel, contact=contact)
        if not mine:
            raise ValueError(f"no message went out through {channel!r}{f' to {contact}' if contact else ''}")
        report = Receipt(
            receipt_id=f"receipt-{next(self._numbers)}", status=ReceiptStatus(status), idempotency_key=mine[-1].key,
            code=code, detail=detail,
        )  # fmt: skip

        def receive(unit: Unit, _now: int) -> None:
            account = unit.published.channels(self._workspace_id, [channel])[channel]
            self.engine.receipts.receive(unit, [Arrival(account, Inbound(receipts=(report,)))])

        self._write(receive)

    # --- what providers do --------------------------------------------------------------------------------------------

    def refuses(
        self,
        channel: str,
        code: str = "refused",
        *,
        reason: RejectionReason | str = RejectionReason.UNREACHABLE,
        contact: str | None = None,
        times: int | None = None,
    ) -> None:
        """From now on the provider refuses messages, with its own ``code``.

        ``reason`` says what the refusal means: ``unreachable`` and ``refused`` (this person), ``invalid`` (this
        message), ``configuration`` (this account). ``contact`` limits it to one contact, ``times`` to so many messages.
        """
        self._tell(channel, Rule(outcome=recording.refusal(code, reason), contact=contact, left=times))

    def times_out(
        self, channel: str, *, arrives: bool = False, contact: str | None = None, times: int | None = None
    ) -> None:
        """From now on the provider does not answer; ``arrives`` says whether it takes the messages all the same."""
        self._tell(channel, Rule(outcome=recording.TIME_OUT, arrives=arrives, contact=contact, left=times))

    def unavailable(self, channel: str, *, contact: str | None = None, times: int | None = None) -> None:
        """From now on the provider cannot be reached: messages surely do not go out, and are tried again."""
        self._tell(channel, Rule(outcome=recording.UNAVAILABLE, contact=contact, left=times))

    def accepts(self, channel: str, *, contact: str | None = None) -> None:
        """From now on the provider takes messages again."""
        self._recorder.forget(self._known(channel), contact)

    # --- what can be seen ---------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The world's time, in the zone of its start."""
        return self._clock.shown()

    @property
    def next_due(self) -> datetime | None:
        """When the next thing happens by itself; ``None`` where nothing will."""
        due = self._run(self.clockwork.next_due)
        return None if due is None else self._clock.shown(due)

    def sent(
        self,
        channel: str | None = None,
        *,
        contact: str | None = None,
        workflow: str | None = None,
        template: str | None = None,
    ) -> list[SentMessage]:
        """The messages that providers took, in order."""
        return [
            one for one in self.attempts(channel, contact=contact, workflow=workflow, template=template) if one.arrived
        ]

    def attempts(
        self,
        channel: str | None = None,
        *,
        contact: str | None = None,
        workflow: str | None = None,
        template: str | None = None,
    ) -> list[SentMessage]:
        """The messages that channels were asked to send, also those that were refused or lost, in order."""
        if channel is not None:
            self._known(channel)
        return [
            one
            for one in self._recorder.attempts
            if channel in (None, one.channel)
            and contact in (None, one.contact)
            and workflow in (None, one.workflow)
            and template in (None, one.template)
        ]

    def deliveries(
        self, channel: str | None = None, *, contact: str | None = None, workflow: str | None = None
    ) -> list[sight.SeenDelivery]:
        """What became of messages, also of those that never went out, each with its state and reason."""
        return self._read(sight.find_deliveries, self._clock.shown, channel=channel, contact=contact, workflow=workflow)

    def runs(
        self, workflow: str | None = None, *, contact: str | None = None, state: str | None = None
    ) -> list[sight.SeenRun]:
        """Runs with their steps, the oldest first."""
        return self._read(sight.find_runs, self._clock.shown, workflow=workflow, contact=contact, state=state)

    def contact_facts(self, external_id: str) -> dict[str, Any]:
        """A contact as conditions and templates see it: its fields, ``score``, ``activity``.

        Raises:
            NotFound: there is no such contact.
        """
        return self._read(sight.find_contact, external_id)

    def records(self, kind: str, *, contact: str | None = None, status: str | None = None) -> list[dict[str, Any]]:
        """Records of a type, the oldest first.

        Raises:
            NotFound: there is no such record type.
        """
        records.check_type(self.engine.intake, kind)
        return self._read(sight.find_records, kind, contact=contact, status=status)

    def events(
        self,
        type: str | None = None,  # noqa: A002
        *,
        contact: str | None = None,
    ) -> list[sight.SeenEvent]:
        """Everything that happened, with what the engine derived and what actions emitted, the oldest first."""
        return self._read(sight.find_events, self._clock.shown, type=type, contact=contact)

    def explain(self, event: EventReceipt | str | None = None, *, workflow: str | None = None) -> Explanation:
        """Why an event started what it started and nothing else; without one, the last event that came in.

        Raises:
            NotFound: there is no such event.
        """
        identifier = event.id if isinstance(event, EventReceipt) else event or self._last_event
        if identifier is None:
            raise NotFound("event", "any")
        engine = self.engine

        def ask(unit: Unit, workspace_id: int) -> Explanation:
            return explain.explain(unit, engine.versions, engine.customs, workspace_id, identifier, workflow)

        return self._read(ask)

    # --- the way there ------------------------------------------------------------------------------------------------

    def _run(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Run a coroutine function to its end on the world's own event loop."""
        if self._runner is None:
            raise RuntimeError(_CLOSED)
        _stand_alone()
        return self._runner.run(work(*args))

    def _read(self, look: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return self._run(lambda: self.engine.database.read(look, self._workspace_id, *args, **kwargs))

    def _write(self, change: Callable[[Unit, int], T]) -> T:
        """Change something in one unit, and do what follows."""

        async def write() -> T:
            answer = await self.engine.database.transact(change, self._clock.micros())
            await self.clockwork.settle()
            return answer

        with _all_problems():
            return self._run(write)

    def _put(self, make: Callable[[], IncomingEvent]) -> None:
        with _all_problems():
            self._run(self._submit, make())

    async def _submit(self, event: IncomingEvent) -> EventReceipt:
        [receipt] = await self.engine.inbox.submit(self._workspace_id, [event])
        await self.clockwork.settle()
        return receipt

    async def _origin(self, delivery_id: str) -> Origin:
        found = await self.engine.database.read(_delivery, self._workspace_id, delivery_id)
        return Origin(contact=found.contact, template=found.template, workflow=found.workflow)

    def _tell(self, channel: str, rule: Rule) -> None:
        self._recorder.tell(self._known(channel), rule)

    def _known(self, channel: str) -> str:
        if channel not in self._channels:
            raise NotFound("channel", channel)
        return channel

    def _type_for(self, channel: str | None) -> str:
        if channel is not None:
            return self._channels[self._known(channel)]
        types = set(self._channels.values()) or {recording.KINDS[AddressKind.PHONE]}
        if len(types) > 1:
            raise ValueError(
                f"the channels are of the types {', '.join(sorted(types))}: say channel=… for this template"
            )
        return types.pop()


def _stand_alone() -> None:
    """See that no event loop runs here; raises ``RuntimeError`` where one does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("a World has an event loop of its own: use it in a plain function, not in an async one")


def _moment(said: datetime | str) -> datetime:
    """A time with its zone as it was said; raises ``ValueError`` where it has none."""
    if isinstance(said, datetime):
        if said.tzinfo is None:
            raise ValueError("a time needs a zone: 2026-03-02T09:00:00+07:00")
        return said
    parse_time(said)
    return datetime.fromisoformat(said)


def _delivery(unit: Unit, workspace_id: int, delivery_id: str) -> Any:
    return unit.history.delivery(workspace_id, delivery_id)


@contextmanager
def _all_problems() -> Iterator[None]:
    """Tell every problem of an input, not the first one alone."""
    try:
        yield
    except InvalidInput as error:
        said = "\n".join(f"{problem.path or 'input'}: {problem.message} [{problem.code}]" for problem in error.problems)
        raise InvalidInput(error.problems, said) from None
