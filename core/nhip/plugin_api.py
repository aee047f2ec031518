"""The base classes that plugins extend, and the contexts that the engine hands them.

A plugin's hook returns *classes*. A class says its ``kind`` and its ``config_type`` (a frozen
:class:`Config` whose fields are described) and does its verb. Everything a plugin may use is re-exported by ``nhip``.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, dataclass_transform

import msgspec
from msgspec import Meta

from nhip.domain.assignment import Assigned, How
from nhip.domain.calls import CallAnswer, CallPlan, CallRequest, spoken_plan
from nhip.domain.conditions import Node
from nhip.domain.errors import MalformedInput, Problem
from nhip.domain.messages import (
    Content,
    DeliveryClass,
    Inbound,
    InboundRequest,
    Message,
    MessageClass,
    Money,
    Outcome,
)
from nhip.domain.scans import Scan
from nhip.domain.struct import Struct
from nhip.domain.taxonomies import Taxonomy
from nhip.domain.teams import ReachedBy, Team, Who
from nhip.domain.telesales import QueuedCall
from nhip.domain.verdict import Verdict

Facts = Mapping[str, Any]
"""What a decision reads: ``{"contact": {…}, "order": {…}, "previous": {…}, "event": {…}, "run": {…}, …}``."""
CALENDAR: Final = " calendar"
"""The name under which the workspace's calendar travels with the facts of a condition; no record type has it."""


def holiday_of(facts: Facts, day: date) -> str | None:
    """The title of the holiday that a day is in the workspace's calendar, or ``None``: for :meth:`Condition.check`.

    The day is one of the place that the condition is about. Facts without a calendar have no holidays.
    """
    calendar: Callable[[date], str | None] | None = facts.get(CALENDAR)
    return calendar(day) if calendar is not None else None


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every plugin's configuration. Describe each field: ``Annotated[…, msgspec.Meta(description=…)]``."""


class NoConfig(Config):
    """For a plugin with nothing to configure."""


class Plugin:
    """What all kinds of plugin share."""

    kind: ClassVar[str]
    """The name in workflow definitions, unique among plugins of its sort: lower-case words joined by underscores."""
    config_type: ClassVar[type[Config]] = NoConfig


# --- triggers ---------------------------------------------------------------------------------------------------------


class Lowered(Struct):
    """What a trigger's configuration means to the engine: these event types, and these tests of their facts."""

    event_types: tuple[str, ...]
    condition: Node | None = None
    where: Any = None
    """A condition tree as it was written in the configuration's own field ``where``. The core parses it, because only
    the core knows every condition plugin; it must hold together with ``condition``; its faults are told at ``where``.
    """
    scans: tuple[Scan, ...] = ()
    """What a time trigger asks again and again. The core asks it, makes an event of each answer
    (:data:`nhip.domain.scans.SCAN_EVENTS`), and adds that type and the test that the answer is this trigger's.
    """


class Trigger(Plugin):
    """What kind of event starts a workflow."""

    @abstractmethod
    def lower(self, config: Any) -> Lowered:
        """Say which events concern this configuration. Pure: the engine calls it once, when a workflow is published.

        Raises:
            InvalidInput: the configuration contradicts itself; paths are relative to it (``to[0]``).
        """

    def references(self, config: Any) -> Mapping[str, Sequence[tuple[str, str]]]:
        """What must exist when the workflow is published, as :meth:`Action.references`."""
        return {}


# --- conditions -------------------------------------------------------------------------------------------------------


class Condition(Plugin):
    """A kind of test that workflow conditions may use: ``{"condition": kind, "config": {…}}``."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Roots of the facts it reads (``contact``, ``order``); the engine loads them in bulk."""

    @abstractmethod
    def check(self, config: Any, facts: Facts, now: datetime) -> Verdict:
        """Decide. Pure: the same arguments always give the same verdict. ``now`` is aware, in UTC."""


# --- actions ----------------------------------------------------------------------------------------------------------


class Assign(Config):
    """Who gets something: a person, or whoever of several is next. See :meth:`LocalContext.assign`."""

    to: Annotated[
        str,
        Meta(
            description="owner (of the contact), staff:<external id>, department:<name>, store (the contact's), "
            "store:<code>, or last_store (of the contact's youngest order, ticket or other record that names one).",
            min_length=1,
            max_length=200,
        ),
    ]
    how: Annotated[
        How, Meta(description="Of several: the next in turn, or whoever has the fewest open tasks and tickets.")
    ] = "round_robin"
    working_hours: Annotated[bool, Meta(description="Only somebody who is within their working hours.")] = False
    fallback: Annotated[
        "Assign | str | None", Meta(description="Who gets it where nobody can, in the same way or as a word alone.")
    ] = None


class LocalContext(Protocol):
    """The open unit of work of a local action: what it does here commits together with its step, or not at all."""

    @property
    def now(self) -> datetime:
        """The time of this attempt, aware and in UTC."""
        ...

    @property
    def facts(self) -> Facts:
        """What the run's decisions read, as it is now."""
        ...

    @property
    def step_id(self) -> str:
        """The step that runs."""
        ...

    @property
    def idempotency_key(self) -> str:
        """The key of this effect: the same over all retries."""
        ...

    def render(self, value: Any) -> Any:
        """Fill in the ``{{ … }}`` of every text inside ``value`` with the facts.

        Raises:
            TemplateError: an undefined name or a text that cannot be compiled.
        """

    def update_contact(
        self,
        changes: Mapping[str, Any],
        *,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        contact: str | None = None,
    ) -> Mapping[str, Any]:
        """Change the run's contact, or the one with that external id; answers with the old values of what changed.

        Raises:
            ActionFailed: the contact does not exist, or a value is refused.
        """
        ...

    def find_record(self, record_type: str, external_id: str) -> Mapping[str, Any] | None:
        """A record as it is now, with what this action changed of it; ``None`` where there is none."""
        ...

    def save_record(
        self, record_type: str, external_id: str | None, fields: Mapping[str, Any], *, create: bool
    ) -> Mapping[str, Any]:
        """Create a record of the run's contact (``create=True``; a missing id is made) or change one; answers with it.

        Raises:
            ActionFailed: no such record, an unknown type, or a value is refused.
        """
        ...

    def answer_call(self, plan: CallPlan) -> bool:
        """Let the call that the run is about go on like this, when its provider asks next.

        Answers ``False``, and nothing is kept, where another run answers that call already: the first one does, to the
        end of the call.
        """
        ...

    def employee_phone(self, external_id: str) -> str | None:
        """The telephone number (E.164) of an employee who works here, where there is one."""
        ...

    def assign(self, to: Assign | str) -> Assigned:
        """Choose who gets something; nobody, where nobody can. The turn counts if the action succeeds.

        Whoever left or is away is passed over, and with ``working_hours`` whoever is not within theirs; on holidays of
        the workspace's calendar nobody is, unless their hours say so. Of a word alone ``owner`` and an external id,
        with ``staff:`` before it or without, mean that person also while they are away. Two workers that choose at once
        never give the same turn.

        Raises:
            ActionFailed: it names an employee who does not exist, and nobody to fall back on.
        """
        ...

    def holiday(self, day: date) -> str | None:
        """The title of the holiday that a day is in the workspace's calendar, or ``None``.

        The day is one of the place that the action is about: turn a time into that place's date first.
        """
        ...

    def team(self, to: str, *, who: Who, reached_by: ReachedBy | None, most: int) -> Team:
        """Everybody of ``department:<name>``, ``store:<code>``, ``store`` (of the contact) or ``last_store``, at most
        ``most`` of them in the order of their external ids; nobody, where there is no such department or store.

        With ``reached_by``, whoever has no such address, or the same as somebody before, is passed over.
        """
        ...

    def records(self, record_type: str, *, closed: bool = False) -> Sequence[Mapping[str, Any]]:
        """The contact's records of a type as they were when the action began, the youngest first, of the last 100.

        ``closed`` asks for those that are over (:attr:`RecordType.closed`), the last of them first.
        """
        ...

    def enqueue_call(
        self, campaign: str, *, priority: int = 0, note: str | None = None, distribute: bool | None = None
    ) -> QueuedCall:
        """Let the run's contact be called in a telesales campaign, or answer with the entry that it has there already
        and that is not over. ``distribute`` gives it to the agent whose turn it is; ``None`` does as the campaign says.
        What comes of the call is the event ``telesales.outcome``.

        Raises:
            ActionFailed: no such campaign, or it is not for such contacts.
        """
        ...

    def account_of(self, company: str, *, create: bool) -> Mapping[str, Any] | None:
        """The account of that name, whatever its case and spaces; the oldest where there are several. ``create`` makes
        one where there is none.
        """
        ...

    def emit(self, event_type: str, data: Mapping[str, Any]) -> str:
        """Let an event happen to the run's contact, with this run as its cause; answers with its id.

        An external id under the name of a record type (``{"ticket": "TK-1"}``) says which one it is about.
        """
        ...

    def start_workflow(self, name: str, data: Mapping[str, Any]) -> str:
        """Let the run's contact enter another workflow, if that one's conditions, re-entry and mode let it; its
        triggers are not asked. ``data`` is the data of the event that it enters by. Answers with that event's id.
        """
        ...

    def stop_workflow(self, name: str) -> int:
        """End the contact's other runs of a workflow; answers how many there are."""
        ...


class HttpResponse(Struct):
    """An answer over HTTP, read up to the client's size limit."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: the body is not JSON (``msgspec.DecodeError`` is one).
        """
        return msgspec.json.decode(self.body)


class HttpClient(Protocol):
    """The guarded client: refuses private addresses (unless the process allows them), follows no redirect, bounded."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> HttpResponse:
        """Send one request; ``timeout`` in seconds over all of it.

        Raises:
            NotSentError: the request surely did not go out (name, connection, TLS, refused address).
            AmbiguousOutcome: it may have gone out, and no readable answer came.
        """
        ...


class RemoteContext(Protocol):
    """What a remote action may use. It runs outside any transaction and may be cancelled at its deadline."""

    @property
    def now(self) -> datetime:
        """The time of this attempt, aware and in UTC."""
        ...

    @property
    def facts(self) -> Facts:
        """What the run's decisions read, as it is now."""
        ...

    @property
    def idempotency_key(self) -> str:
        """The key of this effect: the same over all retries."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that remain for the call."""
        ...

    @property
    def http(self) -> HttpClient:
        """The guarded client."""
        ...

    def render(self, value: Any) -> Any:
        """As :meth:`LocalContext.render`."""


class MessageRequest(Struct):
    """Which message a step wants delivered; the engine renders, governs, sends and records it."""

    channel: str
    """A channel account's name."""
    template: str = ""
    """A template's name; empty where ``content`` has the words."""
    to: str = "contact"
    """``contact``, ``owner``, ``staff:<id>``, ``department:<name>`` (one of it, in turn) or an address.

    The engine fills in its ``{{ … }}``.
    """
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    """More facts for the template, under ``data``; the engine fills in their ``{{ … }}``."""
    content: Content | None = None
    """Words of its own in the place of a template's, as their source text."""
    message_class: MessageClass | None = None
    """Overrides the template's."""


class Action(Plugin):
    """What a step does. Extend :class:`LocalAction`, :class:`RemoteAction` or :class:`MessageAction`."""

    effect: ClassVar[Literal["local", "remote", "message"]]
    contacts: ClassVar[Literal["lead", "customer"] | None] = None
    """Whom it is for, where it is not for everybody. A workflow that can only bring others to it is not published."""

    def check(self, config: Any) -> Sequence[Problem]:
        """Faults that types cannot say, found when a workflow is validated; paths relative to the configuration."""
        return ()

    def references(self, config: Any) -> Mapping[str, Sequence[tuple[str, str]]]:
        """What must exist when the workflow is published: ``{"channel": [("channel", name)], "template": […]}``.

        Per sort, pairs of the path inside the configuration and the name there.
        """
        return {}


class Await(Struct):
    """What a local action waits for before its step is done: an event of the run's contact, but not for ever."""

    events: tuple[str, ...]
    """Types of events, of those that the action says it ``hears``."""
    timeout: timedelta
    where: Node | None = None
    """What has to hold of the event."""


class Result(Struct):
    """What a local action came to, or what it waits for."""

    output: dict[str, Any] = msgspec.field(default_factory=dict)
    """Becomes ``steps.<id>.output`` when the step is done."""
    outcome: str = "done"
    """Becomes ``steps.<id>.outcome``."""
    wait: Await | None = None


class LocalAction(Action):
    """Touches only our database: exactly once, in the transaction that records the step."""

    effect = "local"
    hears: ClassVar[tuple[str, ...]] = ()
    """The types of events that it may wait for."""

    @abstractmethod
    def run(self, context: LocalContext, config: Any) -> Mapping[str, Any] | Result:
        """Do it; the answer becomes ``steps.<id>.output``, unless it is a :class:`Result` that says more.

        Raises:
            ActionFailed: final; nothing of it is stored but the reason.
        """

    def heard(
        self, context: LocalContext, config: Any, output: Mapping[str, Any], event: Mapping[str, Any]
    ) -> Mapping[str, Any] | Result:
        """What it waited for came: ``output`` is that of the :class:`Result` that waited, ``event`` has ``id``,
        ``type``, ``time`` and ``data``. It may wait again.

        Raises:
            ActionFailed: as :meth:`run`.
        """
        return Result(output={**output, "event": event["data"]}, outcome="event")

    def timed_out(self, context: LocalContext, config: Any, output: Mapping[str, Any]) -> Mapping[str, Any] | Result:
        """What it waited for did not come in time. As :meth:`heard`."""
        return Result(output=dict(output), outcome="timeout")


class RemoteAction(Action):
    """Calls something outside: effectively once, with an idempotency key and a deadline."""

    effect = "remote"

    @abstractmethod
    async def run(self, context: RemoteContext, config: Any) -> Mapping[str, Any]:
        """Do it; the answer becomes ``steps.<id>.output``.

        Raises:
            ActionFailed: final.
            ActionUnavailable: try again later.
            NotSentError: as ``ActionUnavailable``.
            AmbiguousOutcome: the step becomes ``unknown``.
        """


class MessageAction(Action):
    """Asks for a message to be delivered."""

    effect = "message"

    @abstractmethod
    def message(self, config: Any, facts: Facts) -> MessageRequest:
        """Say which message. Pure."""


# --- channels ---------------------------------------------------------------------------------------------------------


class AddressKind(StrEnum):
    """What a channel sends to."""

    PHONE = "phone"
    EMAIL = "email"
    ZALO_USER = "zalo_user"
    URL = "url"
    NONE = "none"
    """The account itself says where (a webhook's url, the console)."""


class Capabilities(Struct):
    """What a channel can do."""

    address: AddressKind
    html: bool = False
    subject: bool = False
    provider_templates: bool = False
    """Content is an approved template at the provider with parameters, not free text."""
    media: bool = False
    batch_size: int = 1
    """How many messages one call of ``send`` may carry."""
    receipts: bool = False
    inbound: bool = False
    voice: bool = False
    """It places and takes telephone calls: it overrides :meth:`Channel.read_call` and :meth:`Channel.answer_call`."""
    in_flight: int = 50
    """How many calls of ``send`` may be under way at once for one account."""


class SecretStore(Protocol):
    """One channel account's secrets: write-only for people, rotating for programs."""

    async def read(self) -> Mapping[str, str]:
        """The secrets as they are stored now."""
        ...

    async def replace(
        self, seen: Mapping[str, str], renew: Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
    ) -> Mapping[str, str]:
        """Renew under a lock over all processes, and store before answering.

        When the stored secrets are no longer the ``seen`` ones somebody else renewed them: those are answered and
        ``renew`` is not called. What ``renew`` raises passes through, and nothing is stored.
        """
        ...


class ChannelContext(Protocol):
    """What a channel account may use."""

    @property
    def name(self) -> str:
        """The account's name."""
        ...

    @property
    def http(self) -> HttpClient:
        """The guarded client."""
        ...

    @property
    def secrets(self) -> SecretStore:
        """The account's secrets."""
        ...

    @property
    def receipt_url(self) -> str | None:
        """The public URL of this account's hook, where one is configured (``NHIP_PUBLIC_URL``)."""
        ...

    def call_url(self, public_url: str | None = None) -> str | None:
        """Where a provider reaches this account's call control, at ``/answer`` and ``/event`` beneath it.

        It is below the address given, or else below ``NHIP_PUBLIC_URL``; ``None`` where neither is known.
        """
        ...

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        ...


Occasion = Literal["unrouted", "trouble", "test"]
_SPARE_WORDS: Final[Mapping[Occasion, str]] = {
    "unrouted": "Cảm ơn quý khách đã gọi. Hiện chưa có ai tiếp nhận cuộc gọi này, xin quý khách gọi lại sau.",
    "trouble": "Xin lỗi quý khách, tổng đài đang gặp sự cố. Xin quý khách vui lòng gọi lại sau ít phút.",
    "test": "Đây là cuộc gọi thử.",
}


class Channel(Plugin):
    """A way to reach people. One instance serves one channel account, for as long as its configuration stands."""

    secrets_type: ClassVar[type[Config]] = NoConfig
    delivery_class: ClassVar[DeliveryClass]
    capabilities: ClassVar[Capabilities]
    dedupe_seconds: ClassVar[int] = 0
    """For ``dedupes``: for how long the provider remembers a key."""

    def __init__(self, config: Any, context: ChannelContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Send; exactly one outcome per message, in order. ``timeout`` in seconds for the whole call.

        It does not raise for what a provider may do; an exception is a bug, and each message of it is ``ambiguous``.
        """

    async def close(self) -> None:
        """Release connections."""

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """Faults of a template for this channel: a missing subject, no provider template id."""
        return ()

    async def receive(self, request: InboundRequest) -> Inbound:
        """Verify and read a provider's request to this account's hook.

        Raises:
            SignatureMismatch: it is not the provider's.
            MalformedInput: it cannot be read.
        """
        return Inbound()

    async def read_call(self, request: InboundRequest) -> CallRequest:
        """Verify and read a provider's request to this account's call control: it asks what a call shall do next, or
        reports what became of it.

        Raises:
            SignatureMismatch: it is not the provider's.
            MalformedInput: it cannot be read, or this channel takes no calls.
        """
        raise MalformedInput(f"the channel {self.kind!r} takes no calls")

    def answer_call(self, call: CallRequest, plan: CallPlan) -> CallAnswer:
        """Write a plan in the provider's words. Pure: the same arguments always give the same answer.

        A plan without steps ends the call. What a step asks has to come back with a ``turn`` that is one higher.
        """
        raise MalformedInput(f"the channel {self.kind!r} takes no calls")

    def spare_plan(self, occasion: Occasion) -> CallPlan:
        """What is heard where no workflow says anything: none concerns the call, something went wrong, or whoever looks
        after the account tries out whether it can call.
        """
        return spoken_plan(_SPARE_WORDS[occasion])

    async def look_up(self, messages: Sequence[Message]) -> Sequence[Outcome | None]:
        """Ask the provider what became of messages with an ambiguous outcome; ``None`` where it cannot tell yet."""
        return [None] * len(messages)


# --- record types and bundles -----------------------------------------------------------------------------------------


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class RecordFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of a record type's fields. Every field must have a default: a snapshot may say only some of them.

    The engine adds ``external_id``, ``contact``, ``status`` and ``custom`` to each type by itself.
    """


class RecordType(Plugin):
    """A business object that belongs to a contact: an order, a deal, a ticket."""

    fields_type: ClassVar[type[RecordFields]]
    statuses: ClassVar[tuple[str, ...]] = ()
    """The usual statuses, for people who configure; any status is accepted."""
    amount_field: ClassVar[str | None] = None
    """The money field that ``contact.activity.<type>.total`` sums up."""
    closed: ClassVar[tuple[str, ...]] = ()
    """The statuses in which it is over. What is not over counts as its ``assignee``'s work, where it has that field."""
    taxonomy: ClassVar[Taxonomy | None] = None
    """The words for its fields ``status``, ``type``, ``sub_type`` and ``source``, until a workspace has its own."""
    event_fields: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Per verb of its events, the fields of the event's data that the record takes over where the event names it by its
    external id alone: with ``{"rated": ("rating",)}``, ``ticket.rated`` with ``{"ticket": "TK-1", "rating": 5}``.
    """
    event_statuses: ClassVar[Mapping[str, str]] = {}
    """Per verb of its events, the status that the record then has, unless the event says one or it is over already."""


class Bundle(Plugin):
    """A package of recipes for one trade: workflows with their templates, and scenarios that prove them."""

    title: ClassVar[str]
    version: ClassVar[str]
    folder: ClassVar[Path]
    """Where its recipes are: a folder for each, with ``workflow.yaml``, a folder ``templates`` with a file for each
    template, and files ``*.scenario.yaml``.
    """


__all__ = [
    "Action",
    "AddressKind",
    "Assign",
    "Assigned",
    "Await",
    "Bundle",
    "Capabilities",
    "Channel",
    "ChannelContext",
    "Condition",
    "Config",
    "Facts",
    "HttpClient",
    "HttpResponse",
    "LocalAction",
    "LocalContext",
    "Lowered",
    "MessageAction",
    "MessageRequest",
    "Money",
    "NoConfig",
    "Plugin",
    "QueuedCall",
    "RecordFields",
    "RecordType",
    "RemoteAction",
    "RemoteContext",
    "Result",
    "SecretStore",
    "Taxonomy",
    "Trigger",
    "holiday_of",
]
