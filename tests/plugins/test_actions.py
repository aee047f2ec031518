"""What each shipped action asks of the engine, with the engine's own renderer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from nhip import (
    Action,
    ActionFailed,
    Assign,
    Assigned,
    Content,
    Facts,
    LocalAction,
    MessageClass,
    MessageRequest,
    TemplateError,
)
from nhip.adapters.templates import TemplateRenderer
from nhip.domain.calendars import Calendar, Holiday
from nhip.engine.facts.calendars import closed_days
from nhip_actions.create_task import CreateTask
from nhip_actions.create_ticket import CreateTicket
from nhip_actions.due import NextWorking, next_working
from nhip_actions.notify_staff import NotifyStaff, NotifyStaffConfig
from nhip_actions.send_message import SendMessage, SendMessageConfig
from nhip_actions.update_contact import UpdateContact
from nhip_actions.update_record import UpdateRecord

RENDERER = TemplateRenderer()
FACTS = {
    "contact": {
        "external_id": "KH-001",
        "name": "Hoàng Anh",
        "owner": "NV-7",
        "source": "facebook",
        "custom": {"log": "Gọi lần 1", "sizes": ["S", "M"], "age": 30},
    },
    "order": {"external_id": "DH-1001", "status": "delivered"},
}


class RecordingContext:
    """A unit of work that writes down what it is asked for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.contact_changes: list[tuple[Mapping[str, Any], Sequence[str], Sequence[str]]] = []
        self.stored: Mapping[str, Any] = {}
        """Every record, as it is now."""
        self.records: list[tuple[str, str | None, Mapping[str, Any], bool]] = []

    now = datetime(2026, 11, 21, 1, tzinfo=UTC)
    step_id = "step"
    idempotency_key = "k" * 26

    @property
    def facts(self) -> Facts:
        return self._facts

    def render(self, value: Any) -> Any:
        return RENDERER.render_value(value, self.facts)

    def update_contact(
        self,
        changes: Mapping[str, Any],
        *,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        contact: str | None = None,
    ) -> Mapping[str, Any]:
        self.contact_changes.append((changes, add_tags, remove_tags))
        return {"status": "old"}

    def save_record(
        self, record_type: str, external_id: str | None, fields: Mapping[str, Any], *, create: bool
    ) -> Mapping[str, Any]:
        self.records.append((record_type, external_id, fields, create))
        return {"external_id": external_id or "made", **fields}

    def find_record(self, record_type: str, external_id: str) -> Mapping[str, Any] | None:
        return {"external_id": external_id, **self.stored} if self.stored else None

    def assign(self, to: Assign | str) -> Assigned:
        """The owner, or whoever is named."""
        word = self.render(to if isinstance(to, str) else to.to)
        return Assigned(staff=(self.facts["contact"]).get("owner") if word == "owner" else word, to=word)

    def emit(self, event_type: str, data: Mapping[str, Any]) -> str:
        raise AssertionError


def do(action: type[LocalAction], config: Mapping[str, Any], facts: Facts = FACTS) -> tuple[RecordingContext, Any]:
    context = RecordingContext(facts)
    return context, action().run(cast(Any, context), msgspec.convert(config, action.config_type))


def problems(action: type[Action], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = action().check(msgspec.convert(config, action.config_type))
    return [(problem.path, problem.code) for problem in found]


# --- send_message -----------------------------------------------------------------------------------------------------

MESSAGE = {"channel": "zns-main", "template": "order-delivered"}


def test_a_message_goes_to_the_contact_unless_said_otherwise() -> None:
    action, config = SendMessage(), msgspec.convert(MESSAGE, SendMessageConfig)

    assert action.message(config, FACTS) == MessageRequest(channel="zns-main", template="order-delivered", to="contact")
    assert action.references(config) == {
        "channel": [("channel", "zns-main")],
        "template": [("template", "order-delivered")],
    }


def test_a_message_carries_its_data_and_class() -> None:
    config = {**MESSAGE, "to": "owner", "data": {"coupon": "TET10"}, "message_class": "marketing"}

    request = SendMessage().message(msgspec.convert(config, SendMessageConfig), FACTS)

    assert (request.to, request.data, request.message_class) == ("owner", {"coupon": "TET10"}, MessageClass.MARKETING)


def test_the_assignee_is_the_employee_of_the_record() -> None:
    config = msgspec.convert({**MESSAGE, "to": "assignee"}, SendMessageConfig)

    assert SendMessage().message(config, {**FACTS, "ticket": {"assignee": "NV-3"}}).to == "staff:NV-3"
    with pytest.raises(ActionFailed, match="has an assignee"):
        SendMessage().message(config, FACTS)


@pytest.mark.parametrize(
    "to",
    [
        "contact",
        "owner",
        "assignee",
        "staff:NV-7",
        "0987654321",
        "+84 987 654 321",
        "a@b.vn",
        "https://x.vn/y",
    ],
)
def test_a_recipient_is_a_role_an_employee_or_an_address(to: str) -> None:
    assert problems(SendMessage, {**MESSAGE, "to": to}) == []


@pytest.mark.parametrize("to", ["department", "department:care", "{{ contact.phone }}", "staff:{{ ticket.assignee }}"])
def test_a_recipient_may_be_a_department_or_be_filled_in(to: str) -> None:
    assert problems(SendMessage, {**MESSAGE, "to": to}) == []


@pytest.mark.parametrize("to", ["contcat", "department:", "staff:", "Owner", "a@", "@b", "12", "store:CH-1"])
def test_any_other_recipient_is_refused(to: str) -> None:
    assert problems(SendMessage, {**MESSAGE, "to": to}) == [("to", "unknown_recipient")]


def test_the_department_is_that_of_the_record() -> None:
    config = msgspec.convert({**MESSAGE, "to": "department"}, SendMessageConfig)

    assert SendMessage().message(config, {**FACTS, "ticket": {"department": "care"}}).to == "department:care"
    with pytest.raises(ActionFailed, match="has a department"):
        SendMessage().message(config, FACTS)


def test_a_deal_is_looked_after_by_its_owner() -> None:
    config = msgspec.convert({**MESSAGE, "to": "assignee"}, SendMessageConfig)
    assert SendMessage().message(config, {**FACTS, "deal": {"owner": "NV-4"}}).to == "staff:NV-4"


def test_who_is_named_must_exist() -> None:
    named = [
        SendMessage().references(msgspec.convert({**MESSAGE, "to": to}, SendMessageConfig)).get(sort)
        for to, sort in (("staff:NV-7", "staff"), ("department:care", "department"), ("staff:{{ x }}", "staff"))
    ]
    assert named == [[("to", "NV-7")], [("to", "care")], None]


# --- notify_staff -----------------------------------------------------------------------------------------------------

NOTICE = {"channel": "email-main", "to": "owner"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"template": "alarm"}, []),
        ({"subject": "{{ contact.name }}", "text": "Khẩn"}, []),
        ({}, [("text", "missing")]),
        ({"template": "alarm", "text": "Khẩn"}, [("text", "ambiguous")]),
        ({"template": "alarm", "subject": "Khẩn"}, [("subject", "ambiguous")]),
        ({"text": "Khẩn", "to": "contact"}, [("to", "unknown_recipient")]),
        ({"text": "Khẩn", "to": "0987654321"}, [("to", "unknown_recipient")]),
    ],
)
def test_a_notice_is_for_a_colleague_and_says_something(
    config: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert problems(NotifyStaff, {**NOTICE, **config}) == expected


def test_a_notice_has_words_of_its_own() -> None:
    config = msgspec.convert({**NOTICE, "subject": "Khẩn", "text": "Gọi {{ contact.name }}"}, NotifyStaffConfig)

    request = NotifyStaff().message(config, FACTS)

    assert (request.to, request.template, request.message_class) == ("owner", "", MessageClass.TRANSACTIONAL)
    assert request.content == Content(subject="Khẩn", text="Gọi {{ contact.name }}")


# --- update_contact ---------------------------------------------------------------------------------------------------


def test_fields_tags_and_custom_fields_change_together() -> None:
    context, output = do(
        UpdateContact,
        {
            "set": {"status": "Lost", "custom.size": "L", "birthday": None},
            "add_tags": ["Không phản hồi"],
            "remove_tags": ["VIP"],
            "append": {"log": "Đơn {{ order.external_id }}", "sizes": ["M", "L"], "notes": "mới"},
            "replace": {"source": "zalo", "need": "{{ order.status }}"},
        },
    )

    ((changes, add_tags, remove_tags),) = context.contact_changes
    assert changes == {
        "status": "Lost",
        "birthday": None,
        "source": "zalo",
        "custom": {
            "size": "L",
            "need": "delivered",
            "log": "Gọi lần 1\nĐơn DH-1001",
            "sizes": ["S", "M", "L"],
            "notes": "mới",
        },
    }
    assert (list(add_tags), list(remove_tags)) == (["Không phản hồi"], ["VIP"])
    assert output == {"previous": {"status": "old"}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, [("", "nothing_to_do")]),
        ({"set": {"tags": ["VIP"]}}, [("set.tags", "not_allowed")]),
        ({"append": {"tags": ["VIP"]}}, [("append.tags", "not_allowed")]),
        ({"set": {"custom.size": 1}, "replace": {"size": 2}}, [("replace.size", "duplicate")]),
        ({"set": {"status": "a"}, "append": {"status": "b"}}, [("append.status", "duplicate")]),
        ({"add_tags": ["VIP"]}, []),
        ({"set": {"custom": {"size": 1}}, "append": {"size": "L"}}, [("append.size", "duplicate")]),
        ({"append": {"custom": {"size": "L"}}}, [("append.custom", "not_allowed")]),
        ({"set": {"note": 1}, "replace": {"note": 2}}, [("set.note", "unknown_field")]),
        (
            {"set": {"external_id": "KH-2", "score": 5}},
            [("set.external_id", "unknown_field"), ("set.score", "unknown_field")],
        ),
        ({"set": {"lifecycle": "vip", "name": 5}}, [("set.lifecycle", "bad_value"), ("set.name", "bad_value")]),
        ({"set": {"lifecycle": "{{ event.data.kind }}", "name": None}, "replace": {"need": 5}}, []),
    ],
)
def test_a_contradictory_or_impossible_change_is_refused(
    config: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert problems(UpdateContact, config) == expected


@pytest.mark.parametrize("nothing", [None, "", []])
def test_nothing_added_changes_nothing(nothing: Any) -> None:
    context, _ = do(UpdateContact, {"append": {"log": nothing}})
    assert context.contact_changes[0][0] == {"custom": {"log": "Gọi lần 1"}}


@pytest.mark.parametrize(
    ("config", "reason"), [({"append": {"age": 1}}, "custom.age"), ({"append": {"log": {"a": 1}}}, "custom.log")]
)
def test_what_cannot_be_added_fails_with_a_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ActionFailed, match=reason):
        do(UpdateContact, config)


# --- update_record ----------------------------------------------------------------------------------------------------


def test_the_record_of_the_event_changes() -> None:
    context, output = do(UpdateRecord, {"type": "order", "set": {"note": "cho {{ contact.name }}"}})

    assert context.records == [("order", "DH-1001", {"note": "cho Hoàng Anh"}, False)]
    assert output["external_id"] == "DH-1001"


def test_a_named_record_changes() -> None:
    context, _ = do(
        UpdateRecord, {"type": "deal", "external_id": "CH-{{ order.external_id }}", "set": {"status": "won"}}
    )

    assert context.records == [("deal", "CH-DH-1001", {"status": "won"}, False)]


def test_without_a_record_the_step_fails_with_a_reason() -> None:
    with pytest.raises(ActionFailed, match="the event is about no deal"):
        do(UpdateRecord, {"type": "deal", "set": {"status": "won"}})


def test_what_a_record_is_does_not_change() -> None:
    assert problems(UpdateRecord, {"type": "deal"}) == [("set", "nothing_to_do")]
    assert problems(UpdateRecord, {"type": "deal", "set": {"contact": "KH-2"}}) == [("set.contact", "not_allowed")]


# --- create_ticket, create_task ---------------------------------------------------------------------------------------


def test_a_ticket_is_raised_for_the_owner_about_the_order() -> None:
    context, output = do(
        CreateTicket,
        {
            "title": "Trễ: {{ order.external_id }}",
            "type": "complaint",
            "due_at": "PT4H",
            "assign": "owner",
            "custom": {"x": "{{ contact.name }}"},
        },
    )

    ((record_type, external_id, fields, create),) = context.records
    assert (record_type, external_id, create) == ("ticket", None, True)
    assert fields == {
        "title": "Trễ: DH-1001",
        "status": "new",
        "type": "complaint",
        "source": "automation",
        "order": "DH-1001",
        "assignee": "NV-7",
        "due_at": "2026-11-21T05:00:00Z",
        "custom": {"x": "Hoàng Anh"},
    }
    assert output["external_id"] == "made"


def test_a_task_is_given_to_an_employee() -> None:
    context, _ = do(
        CreateTask,
        {
            "title": "Gọi {{ contact.name }}",
            "type": "call",
            "assign": "NV-{{ 4 + 1 }}",
            "due_at": "2026-11-22T09:00:00+07:00",
        },
    )

    assert context.records == [
        (
            "task",
            None,
            {
                "title": "Gọi Hoàng Anh",
                "status": "open",
                "type": "call",
                "assignee": "NV-5",
                "due_at": "2026-11-22T02:00:00Z",
            },
            True,
        )
    ]


@pytest.mark.parametrize("action", [CreateTicket, CreateTask])
def test_a_contact_without_an_owner_leaves_it_unassigned(action: type[LocalAction]) -> None:
    context, _ = do(action, {"title": "Gọi", "assign": "owner"}, {"contact": {"name": "Anh"}})

    assert "assignee" not in context.records[0][2]


@pytest.mark.parametrize("action", [CreateTicket, CreateTask])
def test_what_cannot_be_made_fails_with_a_reason(action: type[LocalAction]) -> None:
    with pytest.raises(ActionFailed, match=r"due_at: .*'tomorrow'"):
        do(action, {"title": "Gọi", "due_at": "tomorrow"})
    with pytest.raises(ActionFailed, match="due_at: 'P1Y'"):
        do(action, {"title": "Gọi", "due_at": "P1Y"})
    with pytest.raises(TemplateError, match=r"title: contact\.nickname is missing"):
        do(action, {"title": "Gọi {{ contact.nickname }}"})
    with pytest.raises(msgspec.ValidationError):
        do(action, {"title": "Gọi", "assignee": "NV-1"})


@pytest.mark.parametrize("action", [CreateTicket, CreateTask])
@pytest.mark.parametrize(
    ("due", "expected"),
    [
        ("P1D", []),
        ("2026-11-22T09:00:00+07:00", []),
        ("{{ order.promised_at }}", []),
        ("tomorrow", [("due_at", "bad_value")]),
        ("P1M", [("due_at", "bad_value")]),
    ],
)
def test_a_time_is_checked_when_the_workflow_is(
    action: type[Action], due: str, expected: list[tuple[str, str]]
) -> None:
    assert problems(action, {"title": "Gọi", "due_at": due}) == expected


VIETNAM, PARIS = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("now", "config", "place", "expected"),
    [
        pytest.param("2026-11-23T01:00+07:00", {}, VIETNAM, "2026-11-23T09:00+07:00", id="at night, the same morning"),
        pytest.param("2026-11-23T21:00+07:00", {}, VIETNAM, "2026-11-24T09:00+07:00", id="in the evening, the next"),
        pytest.param("2026-11-23T09:00+07:00", {}, VIETNAM, "2026-11-24T09:00+07:00", id="at that moment, the next"),
        pytest.param("2026-11-27T21:00+07:00", {}, VIETNAM, "2026-11-30T09:00+07:00", id="over the weekend"),
        pytest.param(
            "2026-11-27T21:00+07:00", {"days": ["sat"]}, VIETNAM, "2026-11-28T09:00+07:00", id="where Saturday is one"
        ),
        pytest.param(
            "2026-11-28T09:00+07:00", {"days": ["sat"]}, VIETNAM, "2026-12-05T09:00+07:00", id="a week later"
        ),
        pytest.param("2026-11-23T01:00+07:00", {}, PARIS, "2026-11-23T09:00+01:00", id="elsewhere"),
        pytest.param("2027-02-05T07:00+07:00", {}, VIETNAM, "2027-02-15T09:00+07:00", id="after Tết"),
        pytest.param(
            "2027-02-12T18:30+01:00", {"next_working": "20:00"}, PARIS, "2027-02-15T20:00+01:00",
            id="on the last day of Tết elsewhere",
        ),
        pytest.param(
            "2026-03-29T00:30+01:00", {"next_working": "02:30", "days": ["sun"]}, PARIS, "2026-03-29T03:30+02:00",
            id="at an hour that the clocks skip",
        ),
    ],
)  # fmt: skip
def test_the_next_working_day(now: str, config: dict[str, Any], place: ZoneInfo, expected: str) -> None:
    due = msgspec.convert({"next_working": "09:00", **config}, NextWorking)
    tet = closed_days(Calendar(holidays=(Holiday(date=date(2027, 2, 5), to=date(2027, 2, 12), title="Tết"),)))
    assert next_working(due, datetime.fromisoformat(now), place, tet) == datetime.fromisoformat(expected)


def test_whoever_is_closed_all_year_still_has_a_working_day() -> None:
    now = datetime(2026, 11, 23, tzinfo=VIETNAM)
    due = next_working(NextWorking(next_working="09:00"), now, VIETNAM, lambda _: "never here")
    assert timedelta(days=365) < due - now < timedelta(days=385)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"due_at": {"next_working": "09:00", "timezone": "Asia/Hanoi"}}, [("due_at.timezone", "unknown_timezone")]),
        ({"due_at": {"next_working": "09:00", "timezone": "contact"}}, []),
        ({"wait_for_outcome": {"timeout": "P3D"}}, []),
        ({"wait_for_outcome": True}, []),
        ({"wait_for_outcome": {"timeout": "PT0S"}}, [("wait_for_outcome.timeout", "bad_value")]),
        ({"wait_for_outcome": {"timeout": "P400D"}}, [("wait_for_outcome.timeout", "bad_value")]),
        ({"wait_for_outcome": {"timeout": "3 days"}}, [("wait_for_outcome.timeout", "bad_value")]),
        ({"assign": {"to": "department:", "fallback": "staff:"}},
         [("assign.to", "bad_value"), ("assign.fallback", "bad_value")]),
    ],
)  # fmt: skip
def test_what_else_a_task_may_not_say(config: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems(CreateTask, {"title": "Gọi", **config}) == expected


def test_whom_and_what_a_ticket_names_must_exist() -> None:
    config = {
        "title": "Trễ", "type": "complaint", "sub_type": "{{ event.data.what }}",
        "assign": {"to": "department:care", "fallback": {"to": "NV-1", "fallback": "owner"}},
    }  # fmt: skip

    named = CreateTicket().references(msgspec.convert(config, CreateTicket.config_type))

    assert {kind: list(names) for kind, names in named.items()} == {
        "department": [("assign.to", "care")],
        "staff": [("assign.fallback.to", "NV-1")],
        "ticket.status": [("status", "new")],
        "ticket.type": [("type", "complaint")],
        "ticket.source": [("source", "automation")],
    }
