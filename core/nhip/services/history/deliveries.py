"""Deliveries as people look at them, and what they decide about those that nobody knows the outcome of."""

from collections.abc import Sequence

from nhip.domain.errors import InvalidInput, NhipError, NotFound, Problem
from nhip.domain.history import DeliveryFilter, PastDelivery
from nhip.domain.struct import Struct
from nhip.ports import Unit
from nhip.services.channels.receipts import Receipts
from nhip.services.history.runs import contact_id_of


class Resolution(Struct):
    """What became of one unknown delivery, in a person's word."""

    id: str
    sent: bool


class Deliveries:
    """The service; its methods run inside units. Ring the doorbell after :meth:`resolve` and :meth:`replay`."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts

    def page(
        self,
        unit: Unit,
        workspace_id: int,
        *,
        state: str | None,
        channel: str | None,
        workflow: str | None,
        contact: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[PastDelivery]:
        """Deliveries, the newest first; ``contact`` is an external id, and of an unknown one there are none."""
        contact_id = contact_id_of(unit, workspace_id, contact)
        if contact is not None and contact_id is None:
            return []
        wanted = DeliveryFilter(workflow=workflow, contact_id=contact_id, state=state, channel=channel)
        return unit.history.deliveries(workspace_id, wanted, before, limit)

    def find(self, unit: Unit, workspace_id: int, delivery_id: str) -> PastDelivery:
        """One delivery.

        Raises:
            NotFound: there is no such delivery.
        """
        found = unit.history.delivery(workspace_id, delivery_id)
        if found is None:
            raise NotFound("delivery", delivery_id)
        return found

    def resolve(
        self, unit: Unit, workspace_id: int, resolutions: Sequence[Resolution], *, actor: str, now: int
    ) -> list[PastDelivery]:
        """Say what became of unknown deliveries: all of them are taken, or none.

        Raises:
            NotFound, Conflict: the only one does not exist, or is not unknown.
            InvalidInput: of several, with the place of each that cannot be resolved (``items[3]``).
        """
        problems: list[Problem] = []
        for position, one in enumerate(resolutions):
            try:
                self._receipts.settle(unit, workspace_id, one.id, sent=one.sent, actor=actor)
            except NhipError as error:
                if len(resolutions) == 1 or error.data.get("retry"):
                    raise
                problems.append(Problem(path=f"items[{position}]", code=error.code, message=error.detail))
            else:
                said = {"outcome": "sent" if one.sent else "not_sent"}
                unit.audit.write(workspace_id, actor, "delivery.resolve", one.id, now, said)
        if problems:
            raise InvalidInput(problems)
        return [self.find(unit, workspace_id, one.id) for one in resolutions]

    def replay(self, unit: Unit, workspace_id: int, delivery_id: str, *, actor: str, now: int) -> PastDelivery:
        """Send a finished delivery's message once more.

        Raises:
            NotFound: there is no such delivery.
            Conflict: it is under way, or unknown and has to be resolved first.
        """
        before = self.find(unit, workspace_id, delivery_id)
        self._receipts.replay(unit, workspace_id, delivery_id, actor=actor)
        said = {"state": before.state, "generation": before.generation}
        unit.audit.write(workspace_id, actor, "delivery.replay", delivery_id, now, said)
        return before
