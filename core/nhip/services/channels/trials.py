"""One message through a real channel account, for whoever has just configured it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from nhip.catalog import Catalog
from nhip.domain.configured import ChannelAccount, Template
from nhip.domain.errors import InvalidInput, NotFound, Problem, TemplateError, invalid
from nhip.domain.ids import idempotency_key, new_id
from nhip.domain.messages import Ambiguous, Content, Message, Outcome
from nhip.domain.struct import Struct
from nhip.engine.incoming.phones import normalise_phone
from nhip.plugin_api import AddressKind
from nhip.ports import Clock, Renderer, Storage, Unit
from nhip.services.channels.pool import ChannelPool
from nhip.services.channels.templates import sample_facts

log = logging.getLogger("nhip.channels")


class TestedMessage(Struct):
    """What was sent, and what the provider said."""

    __test__ = False  # not a test case, whatever a test collector may think

    to: str
    content: Content
    idempotency_key: str
    outcome: Outcome


class ChannelTests:
    """The service. Its messages belong to no run, and no policy holds them back."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        renderer: Renderer,
        channels: ChannelPool,
        clock: Clock,
        timeout: float,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._renderer = renderer
        self._channels = channels
        self._clock = clock
        self._timeout = timeout

    async def send(
        self, workspace_id: int, name: str, *, to: str, template: str, data: Mapping[str, Any], actor: str
    ) -> TestedMessage:
        """Render a template with ``data`` and send it to an address.

        Raises:
            NotFound: there is no such channel.
            InvalidInput: no such template or one for another kind of channel, an address that is none, data missing.
        """
        account, content, message_class = await self._storage.read(self._prepare, workspace_id, name, template, data)
        address = _address(self._catalog.channels[account.type].capabilities.address, to)
        key = idempotency_key(workspace_id, new_id(), "test", 0, 0)
        message = Message(
            delivery_id=new_id(),
            idempotency_key=key,
            to=address,
            content=content,
            message_class=message_class,
            data=dict(data),
        )
        outcome = await self._outcome(account, message)
        said = {"to": address, "template": template, "outcome": type(outcome).__name__.lower()}
        await self._storage.transact(_write_down, workspace_id, actor, name, self._clock.micros(), said)
        return TestedMessage(to=address, content=content, idempotency_key=key, outcome=outcome)

    async def _outcome(self, account: ChannelAccount, message: Message) -> Outcome:
        try:
            with self._channels.use(account) as living:
                async with asyncio.timeout(self._timeout * 1.5):
                    outcomes = await living.channel.send([message], self._timeout)
            return outcomes[0]
        except TimeoutError:
            return Ambiguous(code="timeout", detail="the channel did not keep its deadline")
        except Exception as error:
            log.error("plugin raised", exc_info=error, extra={"channel": account.name, "type": account.type})
            return Ambiguous(code="bug", detail=f"{type(error).__name__}: {error}")

    def _prepare(
        self, unit: Unit, workspace_id: int, name: str, template: str, data: Mapping[str, Any]
    ) -> tuple[ChannelAccount, Content, Any]:
        account = unit.published.channels(workspace_id, [name]).get(name)
        if account is None or account.type not in self._catalog.channels:
            raise NotFound("channel", name)
        found: Template | None = unit.published.templates(workspace_id, [template]).get(template)
        if found is None:
            raise invalid("template", "unknown_template", f"there is no template {template!r}")
        if found.channel_type != account.type:
            message = f"the template {template!r} is for {found.channel_type}, not for {account.type}"
            raise invalid("template", "template_mismatch", message)
        facts = sample_facts(unit, self._catalog, workspace_id, None, data, self._clock.micros())
        try:
            return account, self._renderer.render(found.content, facts), found.message_class
        except TemplateError as error:
            missing = self._renderer.missing(found.content, facts) if "name" in error.data else []
            problems = [Problem(path=f"data.{one}", code="missing", message="the template needs it") for one in missing]
            raise InvalidInput(problems or [Problem(path="template", code=error.code, message=error.detail)]) from error


def _write_down(unit: Unit, workspace_id: int, actor: str, name: str, now: int, said: Mapping[str, Any]) -> None:
    unit.audit.write(workspace_id, actor, "channel.test", name, now, said)


def _address(kind: AddressKind, to: str) -> str:
    """An address in the form that the engine keeps."""
    match kind:
        case AddressKind.PHONE:
            phone = normalise_phone(to)
            if phone is None:
                raise invalid("to", "bad_phone", f"{to!r} is not a valid phone number")
            return phone
        case AddressKind.EMAIL:
            if to.count("@") != 1 or any(letter.isspace() for letter in to.strip()):
                raise invalid("to", "bad_email", f"{to!r} is not an email address")
            return to.strip().lower()
        case _:
            return to.strip()
