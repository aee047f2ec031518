"""Channels that send nothing and write down everything, with a provider behind them that does what a test says.

The engine sees real channel plugins. A world makes its own classes of them: one for each kind of address, and one in
the place of each installed channel, with that channel's addresses, delivery class and rules for templates.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final

import msgspec

from nhip.domain.errors import Problem
from nhip.domain.messages import (
    Accepted,
    Ambiguous,
    Content,
    DeliveryClass,
    Inbound,
    InboundRequest,
    Message,
    MessageClass,
    NotSent,
    Outcome,
    Receipt,
    Rejected,
    RejectionReason,
)
from nhip.domain.struct import Struct
from nhip.plugin_api import AddressKind, Capabilities, Channel

KINDS: Final[Mapping[AddressKind, str]] = {
    kind: f"recording_{kind}"
    for kind in (AddressKind.PHONE, AddressKind.EMAIL, AddressKind.ZALO_USER, AddressKind.NONE)
}
"""By what they send to, the types of the recording channels that stand for no installed one."""


class SentMessage(Struct):
    """One message that a channel was asked to send."""

    channel: str
    """The channel account's name."""
    to: str
    """The address in the form the engine keeps: E.164 for a phone."""
    contact: str | None
    """The contact's external id."""
    template: str | None
    workflow: str | None
    """The workflow that sent it."""
    at: datetime
    """When, in the zone of the world's start."""
    message_class: MessageClass
    subject: str | None
    text: str | None
    html: str | None
    provider_template_id: str | None
    params: dict[str, str]
    key: str
    """The idempotency key: the same over all attempts."""
    outcome: Outcome
    """What the channel answered."""
    arrived: bool
    """Whether the provider took it, whatever the channel could tell of that. A repeated key is taken once."""

    @property
    def words(self) -> str:
        """Everything that the recipient can read, one part a line."""
        return "\n".join(part for part in (self.subject, self.text, self.html, *self.params.values()) if part)


class Origin(Struct):
    """Whom a message is for, and what made it."""

    contact: str | None
    template: str
    workflow: str | None


class Rule(msgspec.Struct, kw_only=True):
    """What the provider of one channel account does from now on."""

    outcome: Outcome
    arrives: bool = False
    contact: str | None = None
    """Only for this contact, by external id."""
    left: int | None = None
    """For so many messages; ``None`` until it is told otherwise."""


class Recorder:
    """The providers of one world: what they took, and what they are told to do."""

    def __init__(self, find: Callable[[str], Awaitable[Origin]], shown: Callable[[datetime], datetime]) -> None:
        """``find`` names the origin of a delivery id, ``shown`` puts a time into the zone in which it is shown."""
        self.attempts: list[SentMessage] = []
        self._find = find
        self._shown = shown
        self._rules: dict[str, list[Rule]] = {}
        self._taken: dict[tuple[str, str], datetime] = {}

    def tell(self, channel: str, rule: Rule) -> None:
        """Let a rule stand before those that the channel account was told earlier."""
        self._rules.setdefault(channel, []).insert(0, rule)

    def forget(self, channel: str, contact: str | None) -> None:
        """Take away the rules of a channel account: all, or those for one contact."""
        kept = [rule for rule in self._rules.get(channel, ()) if contact is not None and rule.contact != contact]
        self._rules[channel] = kept

    async def take(self, channel: Channel, message: Message) -> Outcome:
        """A message comes to a channel account's provider."""
        name, now = channel.context.name, channel.context.now()
        origin = await self._find(message.delivery_id)
        key = (name, message.idempotency_key)
        taken_at = self._taken.get(key)
        repeated = (
            taken_at is not None
            and channel.delivery_class is DeliveryClass.DEDUPES
            and (now - taken_at).total_seconds() < channel.dedupe_seconds
        )
        rule = self._rule(name, origin.contact)
        outcome: Outcome = rule.outcome if rule else Accepted(provider_id=f"{name}-{len(self.attempts) + 1}")
        arrived = not repeated and (isinstance(outcome, Accepted) or (rule is not None and rule.arrives))
        if arrived:
            self._taken[key] = now
        self.attempts.append(
            SentMessage(
                channel=name, to=message.to, contact=origin.contact, template=origin.template,
                workflow=origin.workflow, at=self._shown(now), message_class=message.message_class,
                subject=message.content.subject, text=message.content.text, html=message.content.html,
                provider_template_id=message.content.provider_template_id, params=dict(message.content.params),
                key=message.idempotency_key, outcome=outcome, arrived=arrived,
            )
        )  # fmt: skip
        return outcome

    def _rule(self, channel: str, contact: str | None) -> Rule | None:
        for rule in self._rules.get(channel, ()):
            if rule.left != 0 and rule.contact in (None, contact):
                if rule.left is not None:
                    rule.left -= 1
                return rule
        return None


def refusal(code: str, reason: RejectionReason | str) -> Outcome:
    """The provider says no. Raises ``ValueError`` for a reason that is none."""
    return Rejected(reason=RejectionReason(reason), code=code)


TIME_OUT: Final = Ambiguous(code="timeout", detail="the provider did not answer in time")
UNAVAILABLE: Final = NotSent(code="unavailable", detail="the provider cannot be reached")


class RecordingChannel(Channel):
    """Gives each message to the recorder of its world. The classes in use are made by :func:`recording_channels`."""

    recorder: ClassVar[Recorder]
    stands_for: ClassVar[type[Channel] | None] = None

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """What the provider answers to each message."""
        return [await self.recorder.take(self, message) for message in batch]

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """As the channel that it stands for."""
        return cls.stands_for.check_content(content) if cls.stands_for else ()

    async def receive(self, request: InboundRequest) -> Inbound:
        """A provider's reports: receipts as a list in JSON."""
        return Inbound(receipts=tuple(msgspec.json.decode(request.body, type=list[Receipt])))


def recording_channels(installed: Mapping[str, type[Channel]], recorder: Recorder) -> dict[str, type[Channel]]:
    """A recording class for each kind of address, and one in the place of each installed channel, by type."""
    made: dict[str, type[Channel]] = {}
    for address, kind in KINDS.items():
        capabilities = Capabilities(address=address, html=True, subject=True, receipts=True)
        made[kind] = _make(kind, recorder, DeliveryClass.TRACEABLE, capabilities, 0, None)
    for kind, channel in installed.items():
        capabilities = msgspec.structs.replace(channel.capabilities, receipts=True)
        made[kind] = _make(kind, recorder, channel.delivery_class, capabilities, channel.dedupe_seconds, channel)
    return made


def _make(
    kind: str,
    recorder: Recorder,
    delivery_class: DeliveryClass,
    capabilities: Capabilities,
    dedupe_seconds: int,
    stands_for: type[Channel] | None,
) -> type[Channel]:
    return type(
        f"Recording_{kind}",
        (RecordingChannel,),
        {
            "__doc__": RecordingChannel.__doc__,
            "__module__": __name__,
            "kind": kind,
            "recorder": recorder,
            "delivery_class": delivery_class,
            "capabilities": capabilities,
            "dedupe_seconds": dedupe_seconds,
            "stands_for": stands_for,
        },
    )
