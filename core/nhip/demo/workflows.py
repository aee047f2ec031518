"""The ten workflows of the HUB platform's published case, as an admin installs them: five on tickets, three on orders,
two on deals. Each sends one approved Zalo template, with the record's code among its parameters.
"""

from typing import Any, Final

import msgspec

CHANNEL: Final = "zns-main"
CODE: Final = "code"
"""The parameter of every template that names the ticket, order or deal."""
LARGE_ORDER: Final = 500_000
"""VND from which a delivered order is thanked for, whoever bought."""
DUPLICATE: Final = "duplicate"
"""The sub-type of tickets that were raised twice; resolving them asks for no rating."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow with the template that it sends."""

    record: str
    """``ticket``, ``order`` or ``deal``."""
    definition: dict[str, Any]
    template: dict[str, Any]

    @property
    def name(self) -> str:
        """The workflow's name, and its template's."""
        name: str = self.definition["name"]
        return name

    @property
    def title(self) -> str:
        """The workflow's title."""
        title: str = self.definition["title"]
        return title

    @property
    def zalo_template(self) -> str:
        """The template's number at Zalo."""
        number: str = self.template["provider_template_id"]
        return number


def _recipe(
    number: int,
    name: str,
    title: str,
    trigger: dict[str, Any],
    params: dict[str, str],
    *,
    conditions: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    then: tuple[dict[str, Any], ...] = (),
) -> Recipe:
    record: str = "order" if trigger["type"] == "order_status" else trigger["type"]
    send = {"id": "send", "action": "send_message", "config": {"channel": CHANNEL, "template": name, "to": "contact"}}
    definition: dict[str, Any] = {"name": name, "title": title, "triggers": [trigger], "steps": [send, *then]}
    if conditions is not None:
        definition["conditions"] = conditions
    if settings is not None:
        definition["settings"] = settings
    template = {
        "channel_type": "zalo_zns",
        "message_class": "transactional",
        "provider_template_id": f"3800{number:02}",
        "params": {"customer_name": "{{ contact.name }}", CODE: f"{{{{ {record}.external_id }}}}", **params},
    }
    return Recipe(record=record, definition=definition, template=template)


def _tag(identifier: str, *tags: str) -> dict[str, Any]:
    return {"id": identifier, "action": "update_contact", "config": {"add_tags": list(tags)}}


_IS_URGENT: Final = {"field": "ticket.priority", "op": "in", "value": ["high", "urgent"]}
_NOT_URGENT: Final = {"not": _IS_URGENT}

_COMPLAINT: Final = _recipe(
    1,
    "ticket-complaint-received",
    "Tiếp nhận khiếu nại và giao việc gọi lại",
    {"id": "raised", "type": "ticket", "config": {"on": "created", "type": ["complaint"]}},
    {"topic": "{{ ticket.title | truncate(30) }}", "received_at": "{{ event.time | datetime }}"},
    then=(
        {
            "id": "call_back",
            "action": "create_task",
            "config": {
                "title": "Gọi lại {{ contact.name }} về khiếu nại {{ ticket.external_id }}",
                "type": "call",
                "priority": "high",
                "due_at": "PT2H",
                "assign": "owner",
            },
        },
    ),
)
_SUPPORT: Final = _recipe(
    2,
    "ticket-support-received",
    "Xác nhận yêu cầu hỗ trợ kỹ thuật",
    {"id": "raised", "type": "ticket", "config": {"on": "created", "type": ["technical_support"]}},
    {"topic": "{{ ticket.title | truncate(30) }}"},
    conditions=_NOT_URGENT,
)
_SUGGESTION: Final = _recipe(
    3,
    "ticket-suggestion-thanks",
    "Cảm ơn khách hàng góp ý",
    {"id": "raised", "type": "ticket", "config": {"on": "created", "type": ["suggestion"]}},
    {"source": "{{ ticket.source | default('hotline') }}"},
    conditions=_NOT_URGENT,
    then=(_tag("mark", "Hay góp ý"),),
)
_URGENT: Final = _recipe(
    4,
    "ticket-urgent-promise",
    "Hẹn xử lý trong 30 phút với yêu cầu khẩn",
    {"id": "raised", "type": "ticket", "config": {"on": "created", "type": ["technical_support", "suggestion"]}},
    {"promise": "30 phút", "topic": "{{ ticket.title | truncate(30) }}"},
    conditions=_IS_URGENT,
)
_RESOLVED: Final = _recipe(
    5,
    "ticket-resolved-rating",
    "Cảm ơn và mời đánh giá sau khi xử lý",
    {"id": "solved", "type": "ticket", "config": {"on": "resolved"}},
    {"resolution": "{{ ticket.resolution | truncate(30) }}"},
    conditions={"field": "ticket.sub_type", "op": "not_equals", "value": DUPLICATE},
    then=(
        {
            "id": "was_complaint",
            "if": {"field": "ticket.type", "op": "equals", "value": "complaint"},
            "then": [_tag("comfort", "Cần chăm sóc thêm")],
            "else": [],
        },
    ),
)
_CONFIRMED: Final = _recipe(
    6,
    "order-confirmed",
    "Báo đơn hàng đã được xác nhận",
    {"id": "confirmed", "type": "order_status", "config": {"to": ["confirmed"]}},
    {"total": "{{ order.total | money }}", "goods": "{{ order.items | join(', ', 'name') | truncate(30) }}"},
)
_DELIVERED: Final = _recipe(
    7,
    "order-delivered-thanks",
    "Cảm ơn sau khi giao hàng thành công",
    {"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}},
    {"total": "{{ order.total | money }}", "tracking_code": "{{ order.tracking_code }}"},
    conditions={
        "any": [
            {"field": "order.total.amount", "op": "greater_or_equal", "value": LARGE_ORDER},
            {"field": "contact.tags", "op": "has_any", "value": ["VIP"]},
        ]
    },
    settings={"conversion": {"event": "order.created", "within": "P7D"}},
    then=(_tag("bought", "Đã mua hàng"),),
)
_RETURNED: Final = _recipe(
    8,
    "order-returned-apology",
    "Xin lỗi khi đơn hàng bị hủy hoặc trả lại",
    {"id": "came_back", "type": "order_status", "config": {"to": ["cancelled", "returned"]}},
    {"refund": "{{ order.total | money }}"},
)
_QUOTED: Final = _recipe(
    9,
    "deal-quoted-followup",
    "Theo sát báo giá với khách sỉ và đại lý",
    {"id": "quoted", "type": "deal", "config": {"on": "status_changed", "to": ["quoted"]}},
    {"product": "{{ deal.product | truncate(30) }}", "amount": "{{ deal.amount | money }}"},
    conditions={"field": "contact.segment", "op": "in", "value": ["wholesale", "agency"]},
    settings={"conversion": {"event": "deal.status_changed", "within": "P14D"}},
)
_WON: Final = _recipe(
    10,
    "deal-won-welcome",
    "Chào mừng khách hàng mới ký hợp đồng",
    {"id": "won", "type": "deal", "config": {"on": "status_changed", "to": ["won"]}},
    {"product": "{{ deal.product | truncate(30) }}"},
    conditions={"field": "deal.amount.amount", "op": "greater_than", "value": 0},
    then=(
        {
            "id": "welcome",
            "action": "update_contact",
            "config": {"set": {"lifecycle": "customer"}, "add_tags": ["Đã ký hợp đồng"]},
        },
    ),
)

COMPLAINT_RECEIVED: Final = _COMPLAINT.name
SUPPORT_RECEIVED: Final = _SUPPORT.name
SUGGESTION_THANKS: Final = _SUGGESTION.name
URGENT_PROMISE: Final = _URGENT.name
RESOLVED_RATING: Final = _RESOLVED.name
ORDER_CONFIRMED: Final = _CONFIRMED.name
ORDER_THANKS: Final = _DELIVERED.name
ORDER_APOLOGY: Final = _RETURNED.name
DEAL_FOLLOWUP: Final = _QUOTED.name
DEAL_WELCOME: Final = _WON.name

RECIPES: Final = (
    *(_COMPLAINT, _SUPPORT, _SUGGESTION, _URGENT, _RESOLVED),
    *(_CONFIRMED, _DELIVERED, _RETURNED),
    *(_QUOTED, _WON),
)
"""The ten workflows, in the order of the table."""
