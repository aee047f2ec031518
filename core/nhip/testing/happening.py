"""What happens in a world: events come in, time passes, providers take messages or do not."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from nhip.domain.events import EventReceipt
from nhip.domain.messages import Inbound, Receipt, ReceiptStatus, RejectionReason
from nhip.domain.times import format_time, parse_duration, to_micros
from nhip.engine.incoming.intake import CloudEvent
from nhip.ports import Unit
from nhip.services.channels.receipts import Arrival
from nhip.testing import recording
from nhip.testing.recording import Rule
from nhip.testing.seeing import Seeing
from nhip.testing.stage import all_problems, moment_of


class Happening(Seeing):
    """The words of :class:`nhip.testing.World` that let something happen."""

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
            time=format_time(moment_of(time)) if time is not None else None,
            data=msgspec.to_builtins(said),
        )
        with all_problems():
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
        until = to_micros(moment_of(to) if to is not None else self._clock.now()) + span // timedelta(microseconds=1)
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

    def _tell(self, channel: str, rule: Rule) -> None:
        self._recorder.tell(self._known(channel), rule)
