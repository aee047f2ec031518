"""What each shipped trigger makes of its configuration: the events that start a workflow, and those that do not."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from nhip import InvalidInput, Lowered, Trigger
from nhip.engine.conditions.decide import judge
from nhip.engine.conditions.tree import parse
from nhip_triggers.contact_updated import ContactUpdated
from nhip_triggers.deal import Deal
from nhip_triggers.email_opened import EmailOpened
from nhip_triggers.event import Event
from nhip_triggers.form_submitted import FormSubmitted
from nhip_triggers.link_clicked import LinkClicked
from nhip_triggers.message_replied import MessageReplied
from nhip_triggers.order_status import OrderStatus
from nhip_triggers.record_changed import RecordChanged
from nhip_triggers.tag_added import TagAdded
from nhip_triggers.task_completed import TaskCompleted
from nhip_triggers.ticket import Ticket

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)


def lower(trigger: type[Trigger], config: Mapping[str, Any]) -> Lowered:
    return trigger().lower(msgspec.convert(config, trigger.config_type))


def starts(trigger: type[Trigger], config: Mapping[str, Any], event_type: str, **facts: Any) -> bool:
    """Whether an event of this type, with these facts, starts a workflow with this trigger."""
    lowered = lower(trigger, config)
    if event_type not in lowered.event_types:
        return False
    facts["event"] = {"type": event_type, **facts.get("event", {})}
    facts.setdefault("previous", {})
    trees = [lowered.condition, None if lowered.where is None else parse(lowered.where, "where")]
    return all(tree is None or judge(tree, facts, NOW).holds for tree in trees)


def changed(record_type: str, before: str | None, after: str, **more: Any) -> dict[str, Any]:
    """The facts of a record whose status changed; of a new one without ``before``."""
    previous = {} if before is None else {record_type: {"status": before}}
    return {record_type: {"external_id": "1", "status": after, **more}, "previous": previous}


# --- order_status -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "event_type", "before", "after", "expected"),
    [
        pytest.param({"to": ["delivered"]}, "order.status_changed", "shipping", "delivered", True, id="enters it"),
        pytest.param(
            {"to": ["delivered"]}, "order.status_changed", "shipping", "Delivered", True, id="in another case"
        ),
        pytest.param({"to": ["delivered"]}, "order.status_changed", "new", "shipping", False, id="enters another"),
        pytest.param({"to": ["delivered"]}, "order.created", None, "delivered", True, id="arrives in it"),
        pytest.param({"to": ["delivered"]}, "order.created", None, "new", False, id="arrives in another"),
        pytest.param({"to": ["delivered"]}, "order.updated", "shipping", "delivered", False, id="is another event"),
        pytest.param({}, "order.status_changed", "new", "packed", True, id="any change"),
        pytest.param({}, "order.created", None, "new", False, id="a new one changes nothing"),
        pytest.param({"from": ["shipping"]}, "order.status_changed", "shipping", "returned", True, id="leaves it"),
        pytest.param({"from": ["shipping"]}, "order.status_changed", "new", "packed", False, id="leaves another"),
        pytest.param(
            {"from": ["shipping"], "to": ["returned"]}, "order.status_changed", "shipping", "returned", True, id="both"
        ),
        pytest.param(
            {"from": ["shipping"], "to": ["returned"]},
            "order.status_changed",
            "new",
            "returned",
            False,
            id="one of both",
        ),
        pytest.param(
            {"from": ["shipping"], "to": ["returned"]}, "order.created", None, "returned", False, id="new, from nowhere"
        ),
    ],
)
def test_order_status(config: dict[str, Any], event_type: str, before: str | None, after: str, expected: bool) -> None:
    assert starts(OrderStatus, config, event_type, **changed("order", before, after)) is expected


def test_an_order_cannot_enter_the_status_it_is_in() -> None:
    with pytest.raises(InvalidInput) as raised:
        lower(OrderStatus, {"from": ["delivered"], "to": ["Delivered"]})
    assert [(problem.path, problem.code) for problem in raised.value.problems] == [("from", "never_holds")]


# --- ticket -----------------------------------------------------------------------------------------------------------


def rated(**data: Any) -> dict[str, Any]:
    """The facts of a ticket of which a customer said something."""
    return {**changed("ticket", None, "done"), "event": {"data": data}}


def ended(before: str | None, after: str, *, closes: bool) -> dict[str, Any]:
    """The facts of a ticket that is over, and by this event where it ``closes`` it."""
    facts = changed("ticket", before, after, closed_at="2026-11-21T01:00:00Z")
    if closes:
        facts["previous"]["ticket"]["closed_at"] = None
    return facts


@pytest.mark.parametrize(
    ("config", "event_type", "facts", "expected"),
    [
        pytest.param({"on": "created"}, "ticket.created", changed("ticket", None, "new"), True, id="raised"),
        pytest.param({}, "ticket.created", changed("ticket", None, "new"), True, id="raised, unsaid"),
        pytest.param(
            {"to": ["done"]}, "ticket.status_changed", changed("ticket", "new", "done"), True, id="to, unsaid"
        ),
        pytest.param(
            {"on": "created", "type": ["complaint"], "source": ["zalo", "hotline"]},
            "ticket.created",
            changed("ticket", None, "new", type="complaint", source="zalo"),
            True,
            id="type and source",
        ),
        pytest.param(
            {"on": "created", "type": ["complaint"], "source": ["hotline"]},
            "ticket.created",
            changed("ticket", None, "new", type="complaint", source="zalo"),
            False,
            id="another source",
        ),
        pytest.param(
            {"on": "created", "sub_type": ["late_delivery"]},
            "ticket.created",
            changed("ticket", None, "new", type="complaint"),
            False,
            id="no sub-type",
        ),
        pytest.param(
            {"on": "resolved"}, "ticket.status_changed", ended("new", "xong", closes=True), True, id="resolved"
        ),
        pytest.param(
            {"on": "resolved"}, "ticket.created", ended(None, "xong", closes=False), True, id="arrives resolved"
        ),
        pytest.param(
            {"on": "resolved"},
            "ticket.status_changed",
            ended("done", "xong", closes=False),
            False,
            id="already resolved",
        ),
        pytest.param(
            {"on": "resolved"},
            "ticket.status_changed",
            changed("ticket", "new", "done"),
            False,
            id="not the last status",
        ),
        pytest.param(
            {"on": "resolved", "to": ["Đã xong"]},
            "ticket.status_changed",
            changed("ticket", "new", "đã xong"),
            True,
            id="resolved in their words",
        ),
        pytest.param({"on": "rated"}, "ticket.rated", rated(ticket="1", rating=1), True, id="rated"),
        pytest.param({"on": "rated"}, "ticket.rated", rated(ticket={"rating": 1}), True, id="rated, by the ticket"),
        pytest.param({"on": "rated"}, "ticket.rated", rated(ticket="1"), False, id="rated with nothing"),
        pytest.param({"on": "updated"}, "ticket.updated", changed("ticket", None, "new"), True, id="updated"),
        pytest.param({"on": "updated"}, "ticket.created", changed("ticket", None, "new"), False, id="not updated"),
    ],
)
def test_ticket(config: dict[str, Any], event_type: str, facts: dict[str, Any], expected: bool) -> None:
    assert starts(Ticket, config, event_type, **facts) is expected


# --- deal -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "event_type", "facts", "expected"),
    [
        pytest.param({"to": ["won"]}, "deal.status_changed", changed("deal", "quoted", "won"), True, id="won"),
        pytest.param({"to": ["won"]}, "deal.created", changed("deal", None, "won"), True, id="arrives won"),
        pytest.param(
            {"on": "status_changed", "from": ["quoted"], "to": ["won"]},
            "deal.status_changed",
            changed("deal", "new", "won"),
            False,
            id="from elsewhere",
        ),
        pytest.param(
            {"on": "created", "pipeline": ["retail"]},
            "deal.created",
            changed("deal", None, "new", pipeline="retail"),
            True,
            id="made in a pipeline",
        ),
        pytest.param(
            {"on": "created", "pipeline": ["retail"]},
            "deal.created",
            changed("deal", None, "new", pipeline="b2b"),
            False,
            id="made in another",
        ),
        pytest.param({"on": "updated"}, "deal.updated", changed("deal", None, "new"), True, id="updated"),
    ],
)
def test_deal(config: dict[str, Any], event_type: str, facts: dict[str, Any], expected: bool) -> None:
    assert starts(Deal, config, event_type, **facts) is expected


def test_a_new_deal_comes_from_no_status() -> None:
    with pytest.raises(InvalidInput, match="only status_changed has a status before"):
        lower(Deal, {"on": "created", "from": ["new"]})


# --- form_submitted, event --------------------------------------------------------------------------------------------


def test_form_submitted() -> None:
    offer = {"data": {"form": "Offer"}}
    assert starts(FormSubmitted, {"form": ["offer"]}, "form.submitted", event=offer)
    assert starts(FormSubmitted, {}, "form.submitted", event=offer)
    assert not starts(FormSubmitted, {"form": ["survey"]}, "form.submitted", event=offer)
    assert not starts(FormSubmitted, {"form": ["survey"]}, "form.submitted", event={"data": {}})
    assert not starts(FormSubmitted, {}, "site.visited", event=offer)


def test_event() -> None:
    config = {
        "type": "shipment.failed",
        "where": {"field": "event.data.attempts", "op": "greater_or_equal", "value": 2},
    }
    assert starts(Event, config, "shipment.failed", event={"data": {"attempts": 2}})
    assert not starts(Event, config, "shipment.failed", event={"data": {"attempts": 1}})
    assert not starts(Event, config, "shipment.sent", event={"data": {"attempts": 2}})
    assert starts(Event, {"type": "shipment.failed"}, "shipment.failed")
    with pytest.raises(msgspec.ValidationError):
        lower(Event, {"type": "Not A Type"})


# --- record_changed ---------------------------------------------------------------------------------------------------

TOTAL = {"order": {"total": {"amount": 2}, "status": "new"}}


@pytest.mark.parametrize(
    ("config", "event_type", "facts", "expected"),
    [
        pytest.param({"type": ["order"]}, "order.created", TOTAL, True, id="new"),
        pytest.param({"type": ["order"]}, "order.updated", TOTAL, True, id="changed"),
        pytest.param(
            {"type": ["order"]}, "order.status_changed", changed("order", "a", "b"), True, id="status changed"
        ),
        pytest.param({"type": ["order"]}, "deal.updated", TOTAL, False, id="another type"),
        pytest.param({"type": ["order", "deal"]}, "deal.updated", {}, True, id="one of two types"),
        pytest.param({"type": ["order"], "on": ["created"]}, "order.updated", TOTAL, False, id="only new ones"),
        pytest.param({"type": ["order"], "on": ["updated"]}, "order.created", TOTAL, False, id="only changes"),
        pytest.param(
            {"type": ["order"], "fields": ["total.amount"]},
            "order.updated",
            {**TOTAL, "previous": {"order": {"total": {"amount": 1}}}},
            True,
            id="the field changed",
        ),
        pytest.param(
            {"type": ["order"], "fields": ["note", "status"]},
            "order.status_changed",
            changed("order", "a", "b"),
            True,
            id="one of the fields changed",
        ),
        pytest.param(
            {"type": ["order"], "fields": ["note"]},
            "order.updated",
            {**TOTAL, "previous": {"order": {"total": {"amount": 1}}}},
            False,
            id="another field changed",
        ),
        pytest.param({"type": ["order"], "fields": ["total"]}, "order.created", TOTAL, True, id="new, with the field"),
        pytest.param({"type": ["order"], "fields": ["note"]}, "order.created", TOTAL, False, id="new, without it"),
        pytest.param(
            {"type": ["order"], "fields": ["total"]}, "order.updated", TOTAL, False, id="has the field, unchanged"
        ),
        pytest.param(
            {"type": ["contact"], "fields": ["tags"]},
            "contact.tag_added",
            {"contact": {"tags": ["VIP"]}, "previous": {"contact": {"tags": []}}},
            True,
            id="a contact's tags",
        ),
    ],
)
def test_record_changed(config: dict[str, Any], event_type: str, facts: dict[str, Any], expected: bool) -> None:
    assert starts(RecordChanged, config, event_type, **facts) is expected


# --- link_clicked, email_opened ---------------------------------------------------------------------------------------

CLICK = {
    "link": "offer", "url": "https://shop.example/offer?id=7", "workflow": "summer", "template": "offer-mail",
    "channel": "email-main",
}  # fmt: skip
OPENING = {"workflow": "summer", "template": "offer-mail", "channel": "email-main"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, True, id="any"),
        pytest.param({"link": ["survey", "Offer"]}, True, id="one of the names"),
        pytest.param({"link": ["survey"]}, False, id="another name"),
        pytest.param({"url": ["https://shop.example/offer?id=7"]}, True, id="the address"),
        pytest.param({"url": ["https://shop.example/offer"]}, False, id="only the beginning of the address"),
        pytest.param({"workflow": ["summer"], "template": ["offer-mail"]}, True, id="workflow and template"),
        pytest.param({"workflow": ["winter"], "template": ["offer-mail"]}, False, id="another workflow"),
        pytest.param({"template": ["other-mail"]}, False, id="another template"),
        pytest.param({"channel": ["email-main"]}, True, id="the channel"),
        pytest.param({"channel": ["email-second"]}, False, id="another channel"),
    ],
)
def test_link_clicked(config: dict[str, Any], expected: bool) -> None:
    assert starts(LinkClicked, config, "link.clicked", event={"source": "shop", "data": CLICK}) is expected
    assert not starts(LinkClicked, config, "email.opened", event={"source": "shop", "data": CLICK})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, True, id="any"),
        pytest.param({"template": ["survey", "offer-mail"]}, True, id="one of the templates"),
        pytest.param({"template": ["survey"]}, False, id="another template"),
        pytest.param({"workflow": ["summer"], "channel": ["email-main"]}, True, id="workflow and channel"),
        pytest.param({"workflow": ["winter"], "channel": ["email-main"]}, False, id="another workflow"),
        pytest.param({"channel": ["email-second"]}, False, id="another channel"),
    ],
)
def test_email_opened(config: dict[str, Any], expected: bool) -> None:
    assert starts(EmailOpened, config, "email.opened", event={"source": "shop", "data": OPENING}) is expected
    assert not starts(EmailOpened, config, "link.clicked", event={"source": "shop", "data": OPENING})


@pytest.mark.parametrize(
    ("trigger", "event_type"),
    [(LinkClicked, "link.clicked"), (EmailOpened, "email.opened"), (MessageReplied, "message.replied")],
)
def test_what_a_channel_reports_came_through_that_channel(trigger: type[Trigger], event_type: str) -> None:
    reported = {"source": "channel:zns-main", "data": {"text": "ok"}}
    assert starts(trigger, {"channel": ["zns-main"]}, event_type, event=reported)
    assert not starts(trigger, {"channel": ["zns-second"]}, event_type, event=reported)
    assert not starts(trigger, {"channel": ["zns-main"]}, event_type, event={"source": "shop", "data": {}})


# --- message_replied --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "text", "expected"),
    [
        pytest.param({}, "Cảm ơn shop", True, id="any"),
        pytest.param({"contains": ["hoàn tiền", "trả hàng"]}, "Cho mình TRẢ HÀNG nhé!", True, id="one of the phrases"),
        pytest.param({"contains": ["hoàn tiền"]}, "Hoàn lại tiền giúp mình", False, id="the words apart"),
        pytest.param({"contains": ["an"]}, "Mình là Hoàng Anh", False, id="within a word"),
        pytest.param({"contains": ["hoàn tiền"]}, None, False, id="a picture"),
        pytest.param({"channel": ["zns-main"], "contains": ["ok"]}, "ok", True, id="channel and phrase"),
        pytest.param({"channel": ["zns-second"], "contains": ["ok"]}, "ok", False, id="another channel"),
        pytest.param({"channel": ["zns-main"], "contains": ["ok"]}, "không", False, id="another phrase"),
    ],
)
def test_message_replied(config: dict[str, Any], text: str | None, expected: bool) -> None:
    reply = {"source": "shop", "data": {"text": text, "channel": "zns-main"}}
    assert starts(MessageReplied, config, "message.replied", event=reply) is expected
    assert not starts(MessageReplied, config, "message.delivered", event=reply)


def test_a_phrase_has_a_word() -> None:
    with pytest.raises(InvalidInput) as raised:
        lower(MessageReplied, {"contains": ["ok", "?!"]})
    assert [(problem.path, problem.code) for problem in raised.value.problems] == [("contains[1]", "bad_value")]


# --- task_completed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "event_type", "facts", "expected"),
    [
        pytest.param({}, "task.status_changed", changed("task", "open", "done"), True, id="by its status"),
        pytest.param({}, "task.status_changed", changed("task", "open", "Completed"), True, id="by the other status"),
        pytest.param({}, "task.status_changed", changed("task", "open", "cancelled"), False, id="another status"),
        pytest.param({}, "task.status_changed", changed("task", "done", "completed"), False, id="completed before"),
        pytest.param({}, "task.created", changed("task", None, "done"), True, id="arrives completed"),
        pytest.param({}, "task.created", changed("task", None, "open"), False, id="arrives open"),
        pytest.param({}, "task.updated", changed("task", "open", "done"), False, id="is another event"),
        pytest.param({}, "task.completed", {}, True, id="by the event alone"),
        pytest.param({}, "task.completed", changed("task", None, "open"), True, id="by the event, the status is open"),
        pytest.param({}, "task.completed", changed("task", "open", "done"), True, id="by both at once"),
        pytest.param({}, "task.completed", changed("task", None, "done"), False, id="by both, the status before"),
        pytest.param({"to": ["xong"]}, "task.status_changed", changed("task", "open", "Xong"), True, id="their word"),
        pytest.param({"to": ["xong"]}, "task.status_changed", changed("task", "open", "done"), False, id="not theirs"),
        pytest.param(
            {"type": ["call"], "outcome": ["reached"]},
            "task.status_changed",
            changed("task", "open", "done", type="call", outcome="reached"),
            True,
            id="type and outcome of the task",
        ),
        pytest.param(
            {"type": ["call"], "outcome": ["reached"]},
            "task.status_changed",
            changed("task", "open", "done", type="call", outcome="no_answer"),
            False,
            id="another outcome of the task",
        ),
        pytest.param(
            {"type": ["call"], "outcome": ["reached", "interested"]},
            "task.completed",
            {"event": {"data": {"type": "call", "outcome": "interested"}}},
            True,
            id="type and outcome of the event",
        ),
        pytest.param(
            {"type": ["visit"], "outcome": ["interested"]},
            "task.completed",
            {"event": {"data": {"type": "call", "outcome": "interested"}}},
            False,
            id="another type of the event",
        ),
        pytest.param({"outcome": ["reached"]}, "task.completed", {}, False, id="no outcome"),
    ],
)
def test_task_completed(config: dict[str, Any], event_type: str, facts: dict[str, Any], expected: bool) -> None:
    assert starts(TaskCompleted, config, event_type, **facts) is expected


# --- tag_added, contact_updated ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "event_type", "facts", "expected"),
    [
        pytest.param({}, "contact.tag_added", {"event": {"data": {"tag": "VIP"}}}, True, id="any"),
        pytest.param({}, "contact.tag_added", {"contact": {"tags": ["VIP"]}}, False, id="nothing new"),
        pytest.param({"tag": ["vip"]}, "contact.tag_added", {"event": {"data": {"tag": "VIP"}}}, True, id="the tag"),
        pytest.param({"tag": ["new"]}, "contact.tag_added", {"event": {"data": {"tag": "VIP"}}}, False, id="another"),
        pytest.param(
            {"tag": ["old"]},
            "contact.tag_added",
            {"event": {"data": {"tag": "VIP"}}, "contact": {"tags": ["old", "VIP"]}},
            False,
            id="had it before",
        ),
        pytest.param({"tag": ["VIP"]}, "contact.tag_removed", {"event": {"data": {"tag": "VIP"}}}, False, id="taken"),
        pytest.param({"tag": ["VIP"]}, "contact.updated", {"contact": {"tags": ["VIP"]}}, False, id="has it"),
        pytest.param({"tag": ["VIP"]}, "contact.created", {"contact": {"tags": ["a", "VIP"]}}, True, id="arrives so"),
        pytest.param(
            {"tag": ["VIP"]}, "contact.created", {"contact": {"tags": ["a"]}}, False, id="arrives with others"
        ),
        pytest.param({"tag": ["VIP"]}, "contact.created", {"event": {"data": {"tag": "VIP"}}}, False, id="only said"),
        pytest.param({}, "contact.created", {"contact": {"tags": ["a"]}}, True, id="arrives with any"),
        pytest.param({}, "contact.created", {"contact": {"tags": []}}, False, id="arrives without"),
    ],
)
def test_tag_added(config: dict[str, Any], event_type: str, facts: dict[str, Any], expected: bool) -> None:
    assert starts(TagAdded, config, event_type, **facts) is expected


MOVED = {
    "contact": {"store": "HN-2", "email": "anh@example.com", "tags": ["VIP"], "custom": {"size": "M", "points": 5}},
    "previous": {"contact": {"store": "HN-1", "custom": {"size": "S"}}},
}
TAGGED = {"contact": {"store": "HN-2", "tags": ["VIP"]}, "previous": {"contact": {"tags": []}}}


@pytest.mark.parametrize(
    ("config", "event_type", "facts", "expected"),
    [
        pytest.param({}, "contact.updated", MOVED, True, id="any"),
        pytest.param({"fields": ["email", "store"]}, "contact.updated", MOVED, True, id="one of the fields"),
        pytest.param({"fields": ["email"]}, "contact.updated", MOVED, False, id="another field"),
        pytest.param({"fields": ["custom.size"]}, "contact.updated", MOVED, True, id="a custom field"),
        pytest.param({"fields": ["custom.points"]}, "contact.updated", MOVED, False, id="another custom field"),
        pytest.param({}, "contact.tag_added", TAGGED, True, id="any, by a tag"),
        pytest.param({"fields": ["tags"]}, "contact.tag_added", TAGGED, True, id="a tag put on"),
        pytest.param({"fields": ["tags"]}, "contact.tag_removed", TAGGED, True, id="a tag taken off"),
        pytest.param({"fields": ["store"]}, "contact.tag_added", TAGGED, False, id="a tag, and another field watched"),
        pytest.param({}, "contact.created", {"contact": {"store": "HN-2"}}, False, id="a new one"),
        pytest.param({}, "contact.score_changed", {"contact": {"score": 5}}, False, id="the score"),
    ],
)
def test_contact_updated(config: dict[str, Any], event_type: str, facts: dict[str, Any], expected: bool) -> None:
    assert starts(ContactUpdated, config, event_type, **facts) is expected


def test_a_field_of_a_contact_is_named_without_the_contact() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'email'") as raised:
        lower(ContactUpdated, {"fields": ["store", "contact.email"]})
    assert [(problem.path, problem.code) for problem in raised.value.problems] == [("fields[1]", "unknown_field")]


# --- what is no configuration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "config"),
    [
        (OrderStatus, {"to": "delivered"}),
        (OrderStatus, {"too": ["delivered"]}),
        (OrderStatus, {"to": [""]}),
        (Ticket, {"on": "opened"}),
        (Deal, {"on": "resolved"}),
        (RecordChanged, {}),
        (RecordChanged, {"type": []}),
        (RecordChanged, {"type": ["order"], "on": []}),
        (RecordChanged, {"type": ["Order!"]}),
        (Event, {}),
        (Event, {"type": "x", "where": "true"}),
        (LinkClicked, {"url": "https://shop.example"}),
        (LinkClicked, {"links": ["offer"]}),
        (EmailOpened, {"template": [""]}),
        (MessageReplied, {"contains": "refund"}),
        (TaskCompleted, {"outcome": [None]}),
        (TagAdded, {"tag": ["VIP"], "removed": True}),
        (ContactUpdated, {"fields": ["Email!"]}),
    ],
)
def test_a_wrong_configuration_is_refused(trigger: type[Trigger], config: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        lower(trigger, config)
