"""The door for other systems: what comes to a source's hook is verified, becomes events, and is committed."""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from nhip.domain.customers import Contact
from nhip.domain.errors import InvalidInput, NotFound, NotPermitted, Problem, SignatureMismatch
from nhip.domain.events import EventReceipt, IncomingEvent
from nhip.domain.sources import StoredSource
from nhip.domain.times import from_micros
from nhip.engine.facts.decoding import convert
from nhip.engine.incoming.intake import CloudEvent, Intake
from nhip.engine.incoming.mapping import LONGEST_ID, Mapped, Mapping as BodyMapping, Origin, apply
from nhip.engine.incoming.reading_mapping import read_mapping
from nhip.engine.incoming.signatures import verify
from nhip.ports import Clock, Storage, Unit
from nhip.services.doors.source_rates import SourceRates
from nhip.services.doors.sources import Sources
from nhip.services.events.inbox import Inbox
from nhip.services.events.known import ADDRESSES
from nhip.services.runs.naming import contacts_named

TRUSTED_SECONDS: Final = 0.9
"""For so long a source is taken to be as it was read."""
_FACEBOOK: Final = ("hub.mode", "hub.verify_token", "hub.challenge")


class Arrival(msgspec.Struct):
    """What came to a hook."""

    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes
    read: Callable[[], Any]
    """Reads the body; it is not called before the signature holds, unless the signature lies in it."""


class _Living(msgspec.Struct):
    """A source as it was read, ready for use."""

    source: StoredSource
    mapping: BodyMapping
    secrets: Mapping[str, str]
    read_at: float


class SourceDoors:
    """Takes what comes to the hooks of sources; one in each process."""

    def __init__(self, storage: Storage, sources: Sources, intake: Intake, inbox: Inbox, clock: Clock) -> None:
        self._storage = storage
        self._sources = sources
        self._intake = intake
        self._inbox = inbox
        self._clock = clock
        self._rates = SourceRates(storage, clock)
        self._known: dict[bytes, _Living] = {}
        self._reserved = frozenset({"contact", *intake.record_types})

    # --- sources ------------------------------------------------------------------------------------------------------

    async def find(self, token: str) -> StoredSource:
        """The source of a hook, as it was at most a second ago.

        Raises:
            NotFound: no source has this token.
        """
        return (await self._living(token)).source

    def forget(self, source: StoredSource) -> None:
        """It was changed or taken away here."""
        self._known.pop(_digest(source.hook_token), None)

    async def _living(self, token: str) -> _Living:
        # What is looked up is a hash, so the time it takes says nothing about any token.
        digest = _digest(token)
        known = self._known.get(digest)
        now = time.monotonic()
        if known is not None and now - known.read_at < TRUSTED_SECONDS:
            return known
        source = await self._storage.read(_by_token, token)
        if source is None:
            self._known.pop(digest, None)
            raise NotFound("source", "with this address")
        if known is not None and (known.source.id, known.source.revision) == (source.id, source.revision):
            known.read_at = now
            return known
        living = _Living(source, read_mapping(source.mapping), self._sources.opened(source), now)
        self._known[digest] = living
        return living

    # --- what comes in ------------------------------------------------------------------------------------------------

    async def challenge(self, token: str, query: Mapping[str, str]) -> str | None:
        """What to answer to a system that checks the address before it uses it; ``None`` where nobody asks.

        Raises:
            NotFound: no source has this token.
            NotPermitted: the verify token is another one.
        """
        living = await self._living(token)
        mode, given, challenge = (query.get(name, "") for name in _FACEBOOK)
        if not mode:
            return None
        wanted = living.secrets.get("verify_token", "")
        is_same = hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape"))
        if mode != "subscribe" or not wanted or not is_same:
            raise NotPermitted("the verify token is not the one of this source")
        return challenge[:1000]

    async def receive(self, token: str, arrival: Arrival) -> list[EventReceipt]:
        """Verify what came, and store the events that it becomes.

        Raises:
            NotFound: no source has this token.
            SignatureMismatch: it is not who it should be, or too old.
            Overloaded: past the source's rate, or the engine is behind.
            MalformedInput, UnsupportedMediaType: the body cannot be read.
            InvalidInput: it cannot be mapped; nothing was stored.
            StorageUnavailable: not now.
        """
        living = await self._living(token)
        source = living.source
        identity = self._verify(living, arrival)
        await self._rates.take(source)
        body = arrival.read()
        digest = _short(identity) if identity is not None else hashlib.sha256(arrival.body).hexdigest()
        mapped = apply(living.mapping, body, from_micros(self._clock.micros()), digest=digest, reserved=self._reserved)
        events = await self._checked(source.workspace_id, f"source:{source.name}", mapped, "")
        return await self._inbox.submit(source.workspace_id, events) if events else []

    async def preview(self, source: StoredSource, body: Any, mapping: Any = None) -> list[IncomingEvent]:
        """The events that a body would become, by the source's mapping or by another one. Nothing is stored.

        Raises:
            InvalidInput: with the place under ``mapping``, or under ``body``.
        """
        rules = read_mapping(source.mapping if mapping is None else mapping)
        digest = hashlib.sha256(msgspec.json.encode(body)).hexdigest()
        try:
            mapped = apply(rules, body, from_micros(self._clock.micros()), digest=digest, reserved=self._reserved)
        except InvalidInput as error:
            raise InvalidInput([_under("body", problem) for problem in error.problems]) from None
        return await self._checked(source.workspace_id, f"source:{source.name}", mapped, "body")

    def _verify(self, living: _Living, arrival: Arrival) -> str | None:
        verification = living.source.verification
        fields: Any = None
        if verification.type == "zalo":
            fields = arrival.read()
            if not isinstance(fields, dict):
                raise SignatureMismatch("the signature does not verify")
        return verify(
            verification,
            living.secrets.get("secret", ""),
            arrival.headers,
            arrival.body,
            fields=fields or {},
            now=self._clock.micros() / 1_000_000,
        )

    # --- events -------------------------------------------------------------------------------------------------------

    async def _checked(
        self, workspace_id: int, source: str, mapped: Sequence[Mapped], place: str
    ) -> list[IncomingEvent]:
        events = [self._event(source, one, place) for one in mapped]
        careful = [
            number
            for number, one in enumerate(mapped)
            if events[number].contact and (one.is_known or not one.overwrite)
        ]
        if careful:
            snapshots = [events[number].contact or {} for number in careful]
            found = await self._storage.read(_whose, workspace_id, snapshots)
            for number, contact in zip(careful, found, strict=True):
                _limit(events[number], contact, known=mapped[number].is_known)
        return events

    def _event(self, source: str, mapped: Mapped, place: str) -> IncomingEvent:
        """Check an event as every event is; problems lie where the body says what is wrong."""
        data = dict(mapped.data)
        if mapped.contact is not None:
            data["contact"] = mapped.contact
        raw = {"id": mapped.id, "source": source, "type": mapped.type, "data": data}
        try:
            event = self._intake.event(convert(raw, CloudEvent))
        except InvalidInput as error:
            problems = [_in_body(problem, mapped.origins) for problem in error.problems]
            raise InvalidInput([_under(place, problem) for problem in problems]) from None
        event.time = mapped.time
        return event


def _limit(event: IncomingEvent, found: Contact | None, *, known: bool) -> None:
    """Leave of an event's contact what it may say; what it may not, stands in the data under ``said``."""
    said = event.contact or {}
    if known:
        event.contact = None if found is None else {"external_id": found.external_id}
    elif found is not None:
        event.contact = _filling(said, found.attributes)
    dropped = {name: value for name, value in said.items() if event.contact is None or name not in event.contact}
    event.data = {name: value for name, value in event.data.items() if name != "contact"}
    if event.contact is not None:
        event.data["contact"] = event.contact
    if dropped and not known:
        event.data.setdefault("said", dropped)


def _filling(said: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in said.items()
        if name in ("external_id", "custom") or attributes.get(name) in (None, "", value)
    }
    if isinstance(said.get("custom"), dict):
        own = attributes.get("custom") or {}
        kept["custom"] = {name: value for name, value in said["custom"].items() if own.get(name) in (None, "", value)}
    return kept


def _whose(unit: Unit, workspace_id: int, snapshots: Sequence[Mapping[str, Any]]) -> list[Contact | None]:
    """Whom snapshots concern, as :meth:`nhip.services.events.known.Known.find_contact` finds them."""
    store = unit.customers
    names = list({name for one in snapshots if (name := one.get("external_id"))})
    named = contacts_named(unit, workspace_id, names)
    addressed: dict[tuple[str, str], Contact] = {}
    for field in ADDRESSES:
        values = list({value for one in snapshots if (value := one.get(field))})
        for contact in store.contacts_by_address(workspace_id, field, values) if values else ():
            addressed.setdefault((field, contact.attributes.get(field, "")), contact)
    said = {(field, value) for one in snapshots for field in ADDRESSES if (value := one.get(field))}
    former = unit.merging.found(workspace_id, said - addressed.keys())
    return [_who(snapshot, named, addressed, former) for snapshot in snapshots]


def _who(
    snapshot: Mapping[str, Any], named: Mapping[str, Contact], *addressed: Mapping[tuple[str, str], Contact]
) -> Contact | None:
    name = snapshot.get("external_id")
    if name and name in named:
        return named[name]
    for known in addressed:
        for field in ADDRESSES:
            found = known.get((field, snapshot.get(field) or ""))
            if found is not None and (not name or found.external_id == found.id):
                return found
    return None


def _in_body(problem: Problem, origins: Mapping[str, Origin]) -> Problem:
    """A problem of an event, laid where its body says what is wrong."""
    path = {"type": "event"}.get(problem.path, problem.path)
    path = path.removeprefix("data.") if path.startswith("data.contact") else path
    while path and path not in origins:
        path = path.rpartition(".")[0]
    origin = origins.get(path)
    if origin is None:
        return problem
    return Problem(path=origin.body, code=problem.code, message=f"{problem.message} ({origin.mapping})")


def _under(place: str, problem: Problem) -> Problem:
    path = f"{place}.{problem.path}" if place and problem.path else place or problem.path
    return Problem(path=path, code=problem.code, message=problem.message)


def _short(identity: str) -> str:
    """A sender's id of a request as the beginning of an event's, with room for what tells several apart."""
    return identity if len(identity) < LONGEST_ID - 20 else hashlib.sha256(identity.encode()).hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _by_token(unit: Unit, token: str) -> StoredSource | None:
    return unit.sources.by_token(token)
