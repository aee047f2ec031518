"""The door for what comes in: checks one event or snapshot and brings it into the engine's form. Pure, no storage."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nhip.catalog import Catalog
from nhip.domain.customers import ContactSnapshot, ExternalId, Short
from nhip.domain.errors import InvalidInput, MalformedInput, Problem, invalid
from nhip.domain.events import IncomingEvent, RecordSnapshot
from nhip.domain.ids import new_id
from nhip.domain.times import parse_time, to_micros
from nhip.engine.customers.snapshots import TAG_EVENTS
from nhip.engine.facts.decoding import convert, problem_of
from nhip.engine.facts.moments import date_of, zone_names
from nhip.engine.incoming.phones import normalise_phone

MAX_NESTING: Final = 32
LONGEST_ID: Final = 200
_EMAIL: Final = re.compile(
    r"[^@\s\x00-\x1f<>(),;:\\\"\[\]]{1,64}@(?=.{3,190}$)[^@\s\x00-\x1f<>(),;:\\\"\[\]]+\.[^@\s.]{2,}"
)
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A text, taken whole, and to the end of the body where nothing closes it, so that the scan stays linear."""
_ONE_BRACKET: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(code for code in range(256) if code not in b"[]{}")
_LARGEST_AMOUNT: Final = 10**15
"""In minor units. Sums of amounts are kept in 64 bits."""
_NAMES_ONE: Final = ("phone", "email", "zalo_user_id", "owner", "account", "store", "timezone")
"""The fields of a contact that say which one: an empty text there is none."""
_RESERVED: Final = frozenset({"nhip"})
_TYPE: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_-]+){0,7}")


class CloudEvent(msgspec.Struct, kw_only=True):
    """A CloudEvents 1.0 envelope in JSON. Extension attributes are allowed and dropped."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    source: Annotated[str, Meta(min_length=1, max_length=300)]
    type: Annotated[str, Meta(min_length=1, max_length=200)]
    specversion: str = "1.0"
    subject: Annotated[str, Meta(max_length=200)] | None = None
    time: str | None = None
    data: dict[str, Any] | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data_base64: str | UnsetType = UNSET


_decode_one: Final = msgspec.json.Decoder(CloudEvent).decode
_decode_many: Final = msgspec.json.Decoder(list[CloudEvent]).decode


def check_bytes(body: bytes) -> None:
    """Refuse what some part of the engine could not store or walk: NUL characters and nesting past the bound.

    Raises:
        MalformedInput: with ``data['path']`` where there is one.
    """
    if b"\\u0000" in body and re.search(rb"(?<!\\)(?:\\\\)*\\u0000", body):
        raise MalformedInput("a text contains a NUL character")
    if is_deep(body):
        raise MalformedInput(f"nested deeper than {MAX_NESTING}, or no JSON")


def is_deep(body: bytes) -> bool:
    """Whether JSON is nested deeper than it may be. What is no JSON may be taken for it."""
    if body.count(b"[") + body.count(b"{") <= MAX_NESTING:
        return False
    marks = _TEXT.sub(b"", body).translate(_ONE_BRACKET, _NO_BRACKETS)
    for _ in range(MAX_NESTING):
        if not marks:
            return False
        marks = marks.replace(b"[]", b"")  # the innermost level, everywhere at once
    return bool(marks)


def decode_events(body: bytes, *, batch: bool) -> list[CloudEvent]:
    """Read one event or an array of them.

    Raises:
        MalformedInput: not JSON, not UTF-8, NUL characters, nested too deep.
        InvalidInput: JSON, but not a CloudEvent; the path names the place.
    """
    check_bytes(body)
    try:
        return _decode_many(body) if batch else [_decode_one(body)]
    except msgspec.ValidationError as error:
        raise InvalidInput([problem_of(error)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(f"not JSON: {error}") from error


def _check_tag(data: Mapping[str, Any], path: str) -> None:
    """An event about a tag names it, or brings the contact's tags, which tell."""
    tag, contact = data.get("tag"), data.get("contact")
    if tag is None:
        if not isinstance(contact, dict) or contact.get("tags") is None:
            raise invalid(f"{path}.tag", "missing", "which tag? name it here, or send all tags in data.contact.tags")
    elif not isinstance(tag, str) or not tag:
        raise invalid(f"{path}.tag", "bad_value", "a tag is a text that is not empty")


def _normalise(snapshot: dict[str, Any], path: str) -> list[Problem]:
    """Bring a contact's phone number and email address into their one form, and answer with every fault of what it
    says.
    """
    faults: list[Problem] = []

    def fault(name: str, code: str, message: str) -> None:
        faults.append(Problem(path=f"{path}.{name}" if path else name, code=code, message=message))

    phone = snapshot.get("phone")
    if phone:
        snapshot["phone"] = normalise_phone(phone)
        if snapshot["phone"] is None:
            fault("phone", "bad_phone", f"{phone!r} is not a valid phone number")
    email = snapshot.get("email")
    if email:
        snapshot["email"] = email = email.strip().lower()
        if not _EMAIL.fullmatch(email):
            fault("email", "bad_email", f"{email!r} is not an email address")
    zone = snapshot.get("timezone")
    if zone and zone not in zone_names():
        fault("timezone", "unknown_timezone", f"there is no time zone {zone!r}")
    birthday = snapshot.get("birthday")
    if birthday and date_of(birthday) is None:
        fault("birthday", "bad_value", f"there is no day {birthday!r}")
    return faults


def _faults_of_contact(raw: Any, path: str) -> list[Problem]:
    """Every fault of a snapshot that does not fit its type, and of those of its fields that do."""
    faults: list[Problem] = []
    try:
        convert(raw, ContactSnapshot, path)
    except InvalidInput as error:
        faults += error.problems
    said = {problem.path for problem in faults}
    texts = {name: value for name, value in raw.items() if isinstance(value, str)} if isinstance(raw, dict) else {}
    return faults + [problem for problem in _normalise(texts, path) if problem.path not in said]


class Intake:
    """Turns outside forms into :class:`~nhip.domain.events.IncomingEvent`, knowing the registered record types."""

    def __init__(self, catalog: Catalog) -> None:
        self._record_types: dict[str, type[msgspec.Struct]] = {}
        self._amount_fields = {kind: record_type.amount_field for kind, record_type in catalog.record_types.items()}
        self._event_fields = {kind: record_type.event_fields for kind, record_type in catalog.record_types.items()}
        for kind, record_type in catalog.record_types.items():
            self._record_types[kind] = msgspec.defstruct(
                f"{kind.title()}Snapshot",
                [
                    ("external_id", ExternalId),
                    ("contact", Short | None | UnsetType, UNSET),
                    ("status", Short | None | UnsetType, UNSET),
                    ("custom", dict[Short, Any] | UnsetType, UNSET),
                ],
                bases=(record_type.fields_type,),
                kw_only=True,
                forbid_unknown_fields=True,
            )

    @property
    def record_types(self) -> Mapping[str, type[msgspec.Struct]]:
        """Per kind, the struct that a snapshot of it must fit; its JSON Schema is part of the API."""
        return self._record_types

    def event(self, envelope: CloudEvent, path: str = "") -> IncomingEvent:
        """Check one CloudEvent; problems lie under ``path`` (``[3]`` in a batch).

        Raises:
            InvalidInput: with the place of each problem.
        """
        prefix = f"{path}." if path else ""
        if envelope.specversion != "1.0":
            raise invalid(f"{prefix}specversion", "bad_value", "only CloudEvents 1.0 are understood")
        if envelope.data_base64 is not UNSET:
            raise invalid(f"{prefix}data_base64", "bad_value", "send data as JSON")
        if envelope.source in _RESERVED:
            raise invalid(f"{prefix}source", "bad_value", f"the source {envelope.source!r} is the engine's own")
        if not _TYPE.fullmatch(envelope.type):
            raise invalid(f"{prefix}type", "bad_value", "a type is lower-case words joined by dots: order.updated")
        moment = None
        if envelope.time is not None:
            try:
                moment = to_micros(parse_time(envelope.time))
            except ValueError as error:
                raise invalid(f"{prefix}time", "bad_value", str(error)) from error
        data = envelope.data or {}
        if envelope.type in TAG_EVENTS:
            _check_tag(data, f"{prefix}data")
        try:
            contact = self.contact(data["contact"], f"{prefix}data.contact") if "contact" in data else None
        except InvalidInput as error:
            raise InvalidInput(
                [*error.problems, *self._faults_of_records(envelope.type, data, f"{prefix}data")]
            ) from None
        if contact is not None and envelope.subject:
            named = contact.setdefault("external_id", envelope.subject)
            if named != envelope.subject:
                raise invalid(f"{prefix}subject", "contradiction", "subject and data.contact.external_id differ")
        records = self.records(envelope.type, data, f"{prefix}data")
        return IncomingEvent(
            source=envelope.source,
            source_id=envelope.id,
            type=envelope.type,
            subject=envelope.subject,
            time=moment,
            data=data,
            contact=contact,
            records=records,
        )

    def records(self, event_type: str, data: Mapping[str, Any], path: str = "data") -> list[RecordSnapshot]:
        """The business objects that an event's data are about: their snapshots, or their external ids.

        Raises:
            InvalidInput: with the place of each problem.
        """
        found: list[RecordSnapshot] = []
        faults: list[Problem] = []
        for kind in self._record_types:
            said = data.get(kind)
            try:
                if isinstance(said, dict):
                    found.append(self.record(kind, said, f"{path}.{kind}"))
                elif isinstance(said, str) and 0 < len(said) <= LONGEST_ID:
                    family, _, verb = event_type.partition(".")
                    taken = self._event_fields[kind].get(verb, ()) if family == kind else ()
                    fields = {name: data[name] for name in taken if data.get(name) is not None}
                    snapshot = self.record(kind, {**fields, "external_id": said}, path)
                    found.append(msgspec.structs.replace(snapshot, mentioned=True))
            except InvalidInput as error:
                faults += error.problems
        if faults:
            raise InvalidInput(faults)
        return found

    def _faults_of_records(self, event_type: str, data: Mapping[str, Any], path: str) -> Sequence[Problem]:
        try:
            self.records(event_type, data, path)
        except InvalidInput as error:
            return error.problems
        return ()

    def contact(self, raw: Any, path: str = "") -> dict[str, Any]:
        """Check and normalise a contact's snapshot: phone to E.164, email to lower case, tags without repeats.

        Raises:
            InvalidInput: with the place of each problem.
        """
        try:
            msgspec.convert(raw, ContactSnapshot)
        except msgspec.ValidationError:
            raise InvalidInput(_faults_of_contact(raw, path)) from None
        snapshot = dict(raw)
        faults = _normalise(snapshot, path)
        if faults:
            raise InvalidInput(faults)
        if "tags" in snapshot:
            snapshot["tags"] = list(dict.fromkeys(snapshot["tags"]))
        for name in _NAMES_ONE:
            if snapshot.get(name) == "":
                snapshot[name] = None
        return snapshot

    def record(self, kind: str, raw: Any, path: str = "") -> RecordSnapshot:
        """Check a business object's snapshot.

        Raises:
            InvalidInput: an unknown kind, or with the place of each problem.
        """
        wanted = self._record_types.get(kind)
        if wanted is None:
            raise InvalidInput([Problem(path=path, code="unknown_record_type", message=f"no record type {kind!r}")])
        convert(raw, wanted, path)
        fields = {name: value for name, value in raw.items() if name != "external_id"}
        money = fields.get(self._amount_fields[kind] or "")
        if isinstance(money, dict) and abs(money["amount"]) > _LARGEST_AMOUNT:
            prefix = f"{path}." if path else ""
            place = f"{prefix}{self._amount_fields[kind]}.amount"
            raise invalid(place, "bad_value", f"an amount is at most {_LARGEST_AMOUNT} minor units")
        return RecordSnapshot(type=kind, external_id=raw["external_id"], fields=fields)

    def silent(self, *, contact: dict[str, Any] | None, records: list[RecordSnapshot]) -> IncomingEvent:
        """A snapshot that is no event by itself, as ``PUT /v1/contacts`` brings it."""
        return IncomingEvent(
            source="nhip", source_id=new_id(), type="", subject=None, time=None, data={}, contact=contact,
            records=records,
        )  # fmt: skip
