"""What can be seen in a world."""

from datetime import datetime
from typing import Any

from nhip.domain.errors import NotFound
from nhip.domain.events import EventReceipt
from nhip.domain.past_events import Explanation
from nhip.ports import Unit
from nhip.services.customers import records
from nhip.services.history import explain
from nhip.testing import sight
from nhip.testing.recording import SentMessage
from nhip.testing.stage import Stage


class Seeing(Stage):
    """The words of :class:`nhip.testing.World` that look and change nothing."""

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
