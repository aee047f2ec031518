"""What the benches send: orders of Vietnamese customers as CloudEvents, and the workflows that wait for them."""

from typing import Any

import msgspec

from bench.servers import Nhip

CONTACTS = 2_000


def event(number: int, *, segment: str = "retail") -> dict[str, Any]:
    """One delivered order, about 430 bytes: two thousand contacts order again and again."""
    contact = number % CONTACTS
    return {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "shop",
        "type": "order.updated",
        "subject": f"KH-{contact}",
        "time": "2026-11-21T08:00:00+07:00",
        "data": {
            "contact": {
                "external_id": f"KH-{contact}",
                "name": "Nguyễn Thị Hoàng Anh",
                "phone": f"0987{contact:06d}",
                "segment": segment,
            },
            "order": {
                "external_id": f"DH-{number}",
                "status": "delivered",
                "total": {"amount": 150000, "currency": "VND"},
                "tracking_url": "https://track.example.com/t/12345678",
            },
        },
    }


def body(number: int) -> bytes:
    """One event as it goes over the wire."""
    return msgspec.json.encode(event(number))


def batch(first: int, size: int) -> bytes:
    """Several events as a CloudEvents batch."""
    return msgspec.json.encode([event(number) for number in range(first, first + size)])


def workflow(number: int, *, matches: bool) -> dict[str, Any]:
    """One workflow with three conditions; only the one that ``matches`` concerns our contacts' segment."""
    return {
        "name": f"thanks-{number}",
        "title": "Thank after delivery",
        "triggers": [{"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}}],
        "conditions": {
            "all": [
                {"field": "contact.segment", "op": "equals", "value": "retail" if matches else f"segment-{number}"},
                {"field": "order.total.amount", "op": "greater_or_equal", "value": 1000},
            ]
        },
        "steps": [
            {
                "id": "thank",
                "action": "send_message",
                "config": {"channel": "zns", "template": "delivered", "to": "contact"},
            }
        ],
    }


async def install(nhip: Nhip, sink_url: str, *, workflows: int) -> None:
    """A ZNS account that sends to ``sink_url``, a template, and that many published workflows of which one matches."""
    await nhip.call(
        "POST",
        "/v1/channels",
        {
            "name": "zns",
            "type": "zalo_zns",
            "config": {"app_id": "1", "oa_id": "2", "base_url": sink_url, "oauth_url": sink_url},
            "secrets": {"app_secret": "a", "oa_secret": "o", "access_token": "t", "refresh_token": "r"},
        },
    )
    await nhip.call(
        "PUT",
        "/v1/templates/delivered",
        {
            "channel_type": "zalo_zns",
            "message_class": "transactional",
            "provider_template_id": "405463",
            "params": {"order_code": "{{ order.external_id }}", "name": "{{ contact.name }}"},
        },
    )
    for number in range(workflows):
        definition = workflow(number, matches=number == workflows // 2)
        await nhip.call("POST", "/v1/workflows", definition)
        await nhip.call("POST", f"/v1/workflows/{definition['name']}/publish")
