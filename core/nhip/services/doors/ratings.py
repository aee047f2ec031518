"""The door for customers who rate a ticket: what they say becomes ``ticket.rated``, once however often it is sent.

Ratings of a ticket are numbered, and the number is in the event's id: of two that come at once the second finds the
first, looks again, and is one more only where it says something else.
"""

from collections import OrderedDict
from datetime import timedelta
from typing import Final

from nhip.domain.customers import Contact, Record
from nhip.domain.errors import Conflict, NotFound, Overloaded
from nhip.domain.events import EventReceipt
from nhip.domain.ratings import RatingReply, RatingRequest
from nhip.domain.struct import Struct
from nhip.engine.incoming.intake import CloudEvent, Intake
from nhip.engine.incoming.rates import admit
from nhip.ports import Clock, Doorbell, Storage, Unit
from nhip.ports.ratings import RatingTokens
from nhip.services.events.inbox import Inbox
from nhip.services.events.ingest import Ingest

RATED: Final = "ticket.rated"
SOURCE: Final = "rating-page"
"""The source of the events."""
OPEN_FOR: Final = timedelta(days=60)
"""How long a ticket can be rated after it was resolved; while it is open, after its last change."""
MOST_RATINGS: Final = 10
"""How often what a customer says of one ticket may change, the first time counted in."""
PER_SECOND: Final = 50
"""Requests to one page that a process takes: whoever checks the links of a message asks for all of them at once."""
REMEMBERED: Final = 10_000
_OPEN_MICROS: Final = OPEN_FOR // timedelta(microseconds=1)


class RatingFinal(Conflict):
    """The customer changed it too often; what was said last stays."""

    code = "rating_final"


class _Found(Struct):
    """A ticket that can be rated, and who rates it."""

    workspace_id: int
    ticket: Record
    contact: Contact
    shop: str


class Ratings:
    """The service; one in each process."""

    def __init__(
        self, storage: Storage, ingest: Ingest, intake: Intake, inbox: Inbox, tokens: RatingTokens, clock: Clock,
        doorbell: Doorbell,
    ) -> None:  # fmt: skip
        self._storage = storage
        self._ingest = ingest
        self._intake = intake
        self._inbox = inbox
        self._tokens = tokens
        self._clock = clock
        self._doorbell = doorbell
        self._free_at: OrderedDict[str, int] = OrderedDict()

    async def look(self, token: str) -> RatingRequest:
        """What the page of a token shows.

        Raises:
            NotFound: there is nothing to rate; why is not said.
            Overloaded: too many requests to this page.
            StorageUnavailable: not now.
        """
        found = await self._storage.read(self._find, self._ticket_of(token))
        said = found.ticket.attributes.get("rating")
        language = str(found.contact.attributes.get("language") or "").lower()
        return RatingRequest(
            shop=found.shop,
            language="en" if language.partition("-")[0].partition("_")[0] == "en" else "vi",
            rating=said if said in (1, 2, 3, 4, 5) else None,
        )

    async def rate(self, token: str, reply: RatingReply) -> list[EventReceipt]:
        """Store what a customer says; the receipt of the event, or none where it is what the ticket says already.

        Raises:
            NotFound: there is nothing to rate; why is not said.
            RatingFinal: it was changed too often.
            Overloaded: too many requests to this page, or the engine is behind.
            StorageUnavailable: not now; nothing was stored.
        """
        ticket_id = self._ticket_of(token)
        if self._inbox.overload is not None:
            raise self._inbox.overload
        receipts = await self._storage.transact(self._store, ticket_id, reply)
        if receipts:
            self._doorbell.ring()
        return receipts

    def _ticket_of(self, token: str) -> str:
        ticket_id = self._tokens.ticket_of(token)
        if ticket_id is None:
            raise _nothing()
        now = self._clock.micros()
        passed, free_at, next_at = admit(self._free_at.pop(ticket_id, 0), PER_SECOND, 1, now)
        self._free_at[ticket_id] = free_at
        while len(self._free_at) > REMEMBERED:
            self._free_at.popitem(last=False)
        if not passed:
            raise Overloaded("too many requests to this page", max(next_at - now, 0) / 1_000_000)
        return ticket_id

    def _find(self, unit: Unit, ticket_id: str) -> _Found:
        stored = unit.customers.record_by_id("ticket", ticket_id)
        if stored is None:
            raise _nothing()
        workspace_id, ticket = stored
        since = ticket.updated_at if ticket.closed_at is None else ticket.closed_at
        if ticket.contact_id is None or since + _OPEN_MICROS < self._clock.micros():
            raise _nothing()
        contacts = unit.customers.contacts(workspace_id, [ticket.contact_id])
        workspaces = unit.workspaces.all(after=workspace_id - 1, limit=1)
        if not contacts or not workspaces:
            raise _nothing()
        return _Found(workspace_id=workspace_id, ticket=ticket, contact=contacts[0], shop=workspaces[0].title)

    def _store(self, unit: Unit, ticket_id: str, reply: RatingReply) -> list[EventReceipt]:
        found = self._find(unit, ticket_id)
        ids = {f"{ticket_id}:{number}": number for number in range(1, MOST_RATINGS + 1)}
        used = unit.events.find(found.workspace_id, SOURCE, list(ids))
        # Looked at after the numbers: whoever took one of these has changed the ticket by now.
        found = self._find(unit, ticket_id)
        said = {"rating": reply.rating} | ({"feedback": reply.words} if reply.words else {})
        number = max((ids[one] for one in used), default=0) + 1
        is_known = all(found.ticket.attributes.get(name) == value for name, value in said.items())
        if is_known and not _was_reopened(unit, found, used.get(f"{ticket_id}:{number - 1}")):
            return []
        if number > MOST_RATINGS:
            raise RatingFinal("this rating was changed too often")
        # It names no contact: the event is of whomever the ticket belongs to, also after two contacts became one.
        event = self._intake.event(
            CloudEvent(
                id=f"{ticket_id}:{number}",
                source=SOURCE,
                type=RATED,
                data={"ticket": found.ticket.external_id, **said},
            )
        )
        receipts = self._ingest.ingest(unit, found.workspace_id, [event], self._clock.micros())
        if any(receipt.duplicate for receipt in receipts):
            raise Conflict("the ticket was rated meanwhile", retry=True)
        return receipts


def _was_reopened(unit: Unit, found: _Found, rated: str | None) -> bool:
    """Whether the last rating, an event's id, is of an earlier solution than the one that the ticket has now."""
    closed_at = found.ticket.closed_at
    event = unit.past_events.one(found.workspace_id, rated) if rated is not None and closed_at is not None else None
    return event is not None and closed_at is not None and event.received_at < closed_at


def _nothing() -> NotFound:
    return NotFound("rating page", "with this address")
