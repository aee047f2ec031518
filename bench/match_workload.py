"""A made-up chain of shops: the conditions that its workflows have, and the events that happen to its customers."""

from collections.abc import Callable
from random import Random
from typing import Any

Raw = dict[str, Any]

STATUSES = ("new", "confirmed", "packed", "shipping", "delivered", "returned", "cancelled", "refunded")
SEGMENTS = tuple(f"segment {number}" for number in range(20))
CITIES = tuple(f"Tỉnh {number}" for number in range(63))
STORES = tuple(f"CH-{number:03}" for number in range(500))
STAFF = tuple(f"nv-{number:04}" for number in range(2000))
CAMPAIGNS = tuple(f"chiến dịch {number}" for number in range(8000))
TAGS = tuple(f"Nhãn {number}" for number in range(2000))
SKUS = tuple(f"SP-{number:05}" for number in range(5000))
SYLLABLES = tuple(
    a + b
    for a in (
        "b",
        "ch",
        "đ",
        "gi",
        "h",
        "kh",
        "l",
        "m",
        "ng",
        "ph",
        "qu",
        "th",
        "tr",
        "v",
        "x",
        "nh",
        "d",
        "s",
        "r",
        "t",
        "n",
        "k",
        "c",
        "g",
    )
    for b in ("ao", "ăn", "âu", "ế", "iền", "oàn", "ơ", "uống", "ương", "ừng", "ịch", "ong", "ải")
)


def compare(field: str, op: str, value: Any = None) -> Raw:
    return {"field": field, "op": op} if value is None else {"field": field, "op": op, "value": value}


def _store_threshold(r: Random) -> list[Raw]:
    return [
        compare("order.status", "equals", r.choice(STATUSES)),
        compare("order.store", "equals", r.choice(STORES)),
        compare("order.total.amount", "greater_or_equal", r.randrange(0, 5_000_000, 10_000)),
    ]


def _cities_falling_score(r: Random) -> list[Raw]:
    return [
        compare("contact.city", "in", r.sample(CITIES, 3)),
        compare("order.status", "in", r.sample(STATUSES, 2)),
        compare("contact.score", "less_than", r.randrange(1000)),
        compare("order.total.amount", "greater_than", r.randrange(2_000_000, 40_000_000, 10_000)),
    ]


def _tags(r: Random) -> list[Raw]:
    return [
        compare("contact.tags", "has_any", r.sample(TAGS, 2)),
        compare("contact.segment", "equals", r.choice(SEGMENTS)),
        compare("order.status", "not_equals", r.choice(STATUSES)),
    ]


def _owner_both_directions(r: Random) -> list[Raw]:
    return [
        compare("contact.owner", "equals", r.choice(STAFF)),
        compare("contact.score", "greater_or_equal", r.randrange(1000)),
        compare("order.total.amount", "less_or_equal", r.randrange(0, 5_000_000, 10_000)),
    ]


def _range(r: Random) -> list[Raw]:
    low = r.randrange(0, 10_000_000, 1_000)
    return [
        compare("order.total.amount", "greater_or_equal", low),
        compare("order.total.amount", "less_than", low + r.randrange(1_000, 20_000, 1_000)),
        compare("order.status", "equals", r.choice(STATUSES)),
    ]


def _phrase(r: Random) -> list[Raw]:
    return [
        compare("order.note", "contains_phrase", " ".join(r.sample(SYLLABLES, 2))),
        {"not": compare("contact.segment", "in", r.sample(SEGMENTS, 2))},
    ]


def _campaign(r: Random) -> list[Raw]:
    return [
        compare("contact.source", "equals", r.choice(CAMPAIGNS)),
        {"not": {"any": [compare("contact.tags", "has_any", r.sample(TAGS, 3)), compare("contact.phone", "is_empty")]}},
    ]


def _alternatives(r: Random) -> list[Raw]:
    return [
        compare("order.store", "equals", r.choice(STORES)),
        {
            "any": [
                compare("contact.tags", "has_any", [r.choice(TAGS)]),
                compare("contact.custom.tier", "equals", f"hạng {r.randrange(50)}"),
            ]
        },
    ]


def _crossing(r: Random) -> list[Raw]:
    return [
        compare("contact.score", "crosses_above" if r.random() < 0.5 else "crosses_below", r.randrange(1000)),
        compare("contact.city", "equals", r.choice(CITIES)),
    ]


def _bought(r: Random) -> list[Raw]:
    return [
        compare("order.items.sku", "has_any", r.sample(SKUS, 3)),
        compare("order.status", "changed_to", r.choice(STATUSES)),
    ]


KINDS: dict[str, Callable[[Random], list[Raw]]] = {
    "status, store, threshold": _store_threshold,
    "cities, statuses, two thresholds": _cities_falling_score,
    "tags, segment, not equals": _tags,
    "owner, thresholds both ways": _owner_both_directions,
    "range of an amount, status": _range,
    "phrase, not in": _phrase,
    "campaign, not any": _campaign,
    "store, any of tag or custom field": _alternatives,
    "score crosses, city": _crossing,
    "status changed to, products": _bought,
}


def condition(number: int, r: Random) -> Raw:
    """The condition of workflow ``number``: the kinds take turns, and the order of the tests does not matter."""
    parts = tuple(KINDS.values())[number % len(KINDS)](r)
    r.shuffle(parts)
    return {"all": parts}


def situation(r: Random) -> dict[str, Any]:
    """The facts of one event: an order changed."""
    score = r.randrange(1000)
    return {
        "contact": {
            "external_id": f"KH-{r.randrange(10**6)}",
            "name": "Nguyễn Thị Hoàng Anh",
            "phone": "+84987654321",
            "segment": r.choice(SEGMENTS),
            "city": r.choice(CITIES),
            "owner": r.choice(STAFF),
            "score": score,
            "source": r.choice(CAMPAIGNS),
            "tags": r.sample(TAGS, 5),
            "timezone": "Asia/Ho_Chi_Minh",
            "custom": {"tier": f"hạng {r.randrange(50)}", "size": "M", "skin": "dầu"},
        },
        "order": {
            "external_id": f"DH-{r.randrange(10**6)}",
            "status": r.choice(STATUSES),
            "store": r.choice(STORES),
            "total": {"amount": r.randrange(20_000, 3_000_000, 1_000), "currency": "VND"},
            "items": [{"sku": sku, "quantity": 1} for sku in r.sample(SKUS, 3)],
            "note": " ".join(r.choices(SYLLABLES, k=20)),
        },
        "previous": {
            "order": {"status": r.choice(STATUSES)},
            "contact": {"score": max(0, score - r.randrange(-5, 15))},
        },
        "event": {"type": "order.updated", "source": "shop"},
    }
