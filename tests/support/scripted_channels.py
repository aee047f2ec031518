"""Channels that answer what a test tells them to, one for each delivery class, as plugins that the real catalog loads.

The shipped channels are tested against stand-ins of their providers. These are for what no stand-in can be made to say
at an exact moment: a look-up's answer, a call that hangs until the test lets go, a provider that refuses to count.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from nhip import (
    Accepted,
    AddressKind,
    Capabilities,
    Channel,
    Config,
    DeliveryClass,
    Inbound,
    InboundRequest,
    Message,
    Outcome,
    Receipt,
    SignatureMismatch,
    hookimpl,
)

Answer = Outcome | Callable[[Message], Awaitable[Outcome]]


class Script:
    """What one channel account is told to answer, and what it was asked. Unscripted messages are accepted."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.answers: deque[Answer] = deque()
        self.look_ups: dict[str, Outcome | None] = {}
        self.looked_up: list[str] = []

    def answer(self, *answers: Answer) -> None:
        """The outcomes of the next messages; a function is awaited with the message."""
        self.answers.extend(answers)

    @property
    def keys(self) -> list[str]:
        """The idempotency key of every message that went out, in order."""
        return [message.idempotency_key for message in self.sent]


class Held:
    """A call that does not end before the test says how."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self._outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def __call__(self, message: Message) -> Outcome:
        self.entered.set()
        return await self._outcome

    def end(self, outcome: Outcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


scripts: defaultdict[str, Script] = defaultdict(Script)
"""By the account's configured `script`. The fixture of the world empties it."""


class ScriptedConfig(Config):
    """Which script the account follows."""

    script: str = "main"


class ScriptedChannel(Channel):
    config_type = ScriptedConfig
    capabilities = Capabilities(address=AddressKind.PHONE, receipts=True)

    @property
    def script(self) -> Script:
        return scripts[self.config.script]

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for message in batch:
            self.script.sent.append(message)
            answer = self.script.answers.popleft() if self.script.answers else Accepted(provider_id=f"p-{message.to}")
            outcomes.append(await answer(message) if callable(answer) else answer)
        return outcomes

    async def look_up(self, messages: Sequence[Message]) -> Sequence[Outcome | None]:
        self.script.looked_up += [message.idempotency_key for message in messages]
        return [self.script.look_ups.get(message.idempotency_key) for message in messages]

    async def receive(self, request: InboundRequest) -> Inbound:
        if request.headers.get("x-signature") != "genuine":
            raise SignatureMismatch("forged")
        return Inbound(receipts=tuple(msgspec.json.decode(request.body, type=list[Receipt])))


class Deduping(ScriptedChannel):
    kind = "scripted_dedupes"
    delivery_class = DeliveryClass.DEDUPES
    dedupe_seconds = 3_600


class Traceable(ScriptedChannel):
    kind = "scripted_traceable"
    delivery_class = DeliveryClass.TRACEABLE


class Blind(ScriptedChannel):
    kind = "scripted_blind"
    delivery_class = DeliveryClass.BLIND


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    return [Deduping, Traceable, Blind]
