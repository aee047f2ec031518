"""The channel ``console``: writes each message to standard output as one line of JSON. For trying workflows out.

Example::

    {"name": "screen", "type": "console", "config": {}}
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec

from nhip import (
    Accepted,
    AddressKind,
    Ambiguous,
    Capabilities,
    Channel,
    Config,
    DeliveryClass,
    Message,
    Outcome,
    hookimpl,
)


class ConsoleConfig(Config):
    """How messages are shown."""

    prefix: Annotated[
        str, msgspec.Meta(description="Text before each line, to find it among others.", pattern=r"^[^\r\n]*$(?!\n)")
    ] = ""


class Console(Channel):
    """Writes messages to standard output. Nobody remembers what was written, so it is ``blind``."""

    kind = "console"
    config_type = ConsoleConfig
    delivery_class = DeliveryClass.BLIND
    capabilities = Capabilities(address=AddressKind.NONE, html=True, subject=True, batch_size=100)

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Write one line per message; a line break inside a message is escaped."""
        return [self._write(message) for message in batch]

    def _write(self, message: Message) -> Outcome:
        line = msgspec.json.encode(
            {
                "channel": self.context.name,
                "key": message.idempotency_key,
                "to": message.to,
                **msgspec.to_builtins(message.content),
            }
        )
        try:
            sys.stdout.write(f"{self.config.prefix}{line.decode()}\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            return Ambiguous(code="stdout", detail=str(error))
        return Accepted()


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``console``."""
    return [Console]
