"""Hypothesis strategies for condition trees and facts: small worlds in which tests often hold."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.domain.verdict import Verdict
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.conditions.operators import OPERATORS
from nhip.plugin_api import Facts

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)

FIELDS = (
    "contact.segment",
    "contact.tags",
    "contact.score",
    "contact.note",
    "contact.birthday",
    "contact.timezone",
    "contact.custom.city",
    "order.status",
    "order.total.amount",
    "order.items.sku",
    "order",
    "previous.order.status",
)
TEXTS = (
    "retail",
    "RETAIL",
    "Hoàn tiền",
    "hoàn",
    "hoan",
    "HOA\u0300N",
    "hàng hoàn tiền.",
    "straße",
    "STRASSE",
    "",
    " ",
    "1",
)
NUMBERS = (-3, -1, 0, 1, 1.0, 1.5, 2, 5, 199, 200, 201, 2**53 + 1, 1e308, 10**400)
TIMES = ("2026-11-21T08:00:00+07:00", "2026-11-20T23:30:00Z", "2026-11-21", "2024-02-29", "1955-11-21", "0001-01-01")
ZONES = ("Asia/Ho_Chi_Minh", "America/New_York", "Nowhere/Else", "Asia", "\x00")
DURATIONS = ("P1D", "PT1H", "P30D", "PT0S")

scalars = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans(), st.sampled_from(TIMES), st.sampled_from(ZONES)
)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | scalars | st.text(max_size=5) | st.floats(allow_nan=True) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("status", "sku", "amount", "city", "x")), inner, max_size=3)
    ),
    max_leaves=6,
)

_contact = st.fixed_dictionaries(
    {},
    optional={
        "segment": scalars | anything,
        "tags": st.lists(scalars, max_size=4) | anything,
        "score": st.sampled_from(NUMBERS) | anything,
        "note": st.sampled_from(TEXTS) | anything,
        "birthday": st.sampled_from(TIMES) | anything,
        "timezone": st.sampled_from(ZONES) | anything,
        "custom": st.fixed_dictionaries({"city": scalars}) | anything,
    },
)
_order = st.fixed_dictionaries(
    {},
    optional={
        "status": scalars | anything,
        "total": st.fixed_dictionaries({"amount": st.sampled_from(NUMBERS)}) | anything,
        "items": st.lists(st.fixed_dictionaries({"sku": scalars}), max_size=3) | anything,
    },
)
_previous = st.fixed_dictionaries({}, optional={"contact": _contact | anything, "order": _order | anything})

facts: st.SearchStrategy[Facts] = st.fixed_dictionaries(
    {},
    optional={
        "contact": _contact | anything,
        "order": _order | anything,
        "previous": _previous | anything,
        "run": st.fixed_dictionaries({"value": scalars | st.lists(scalars, max_size=2)}),
    },
)
"""Facts as services load them, and now and then facts that are nothing of the kind."""

_references = st.sampled_from(({"run": "value"}, {"order": "status"}, {"contact": "tags"}, {"nobody": "there"}))
_lists = st.lists(scalars, min_size=1, max_size=4)


def _values(op: str) -> st.SearchStrategy[Any]:
    match op:
        case "in" | "not_in" | "has_any" | "has_all" | "has_none":
            return _lists | _references
        case "contains_phrase" | "not_contains_phrase":
            return st.sampled_from(("hoàn tiền", "Hoàn", "retail", "HÀNG")) | _references
        case "before" | "after":
            return st.sampled_from(TIMES) | _references
        case "within_last" | "not_within_last":
            return st.sampled_from(DURATIONS)
        case "matches_day":
            return st.sampled_from((None, 0, -3, "P1D", "-P1D"))
        case "equals" | "not_equals" | "changed_to" | "changed_from":
            return scalars | _references
        case _ if OPERATORS[op].takes_value:
            return st.sampled_from(NUMBERS) | _references
        case _:
            return st.none()


tests: st.SearchStrategy[Node] = st.sampled_from(sorted(OPERATORS)).flatmap(
    lambda op: st.builds(Test, field=st.sampled_from(FIELDS), op=st.just(op), value=_values(op))
)
"""Tests that parse."""

odd_tests: st.SearchStrategy[Node] = st.builds(
    Test, field=st.sampled_from(FIELDS), op=st.sampled_from((*OPERATORS, "sounds_like")), value=anything
)
"""Tests as a careless plugin may make them."""

customs_used: st.SearchStrategy[Node] = st.builds(
    Custom,
    condition=st.sampled_from(("yes", "no", "broken", "confused")),
    config=st.dictionaries(st.sampled_from(("a", "b")), scalars, max_size=2),
)


def _yes(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
    return Verdict(holds=True)


def _no(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
    return Verdict(holds=False)


def _broken(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
    raise RuntimeError("a plugin's bug")


def _confused(config: dict[str, Any], facts: Facts, now: datetime) -> Any:
    return True


CUSTOMS: CustomConditions = {"yes": _yes, "no": _no, "broken": _broken, "confused": _confused}


def trees(leaves: st.SearchStrategy[Node], max_leaves: int = 8) -> st.SearchStrategy[Node]:
    """Trees over some leaves."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(All, items=st.lists(inner, max_size=4).map(tuple)),
            st.builds(AnyOf, items=st.lists(inner, max_size=4).map(tuple)),
            st.builds(Not, item=inner),
        ),
        max_leaves=max_leaves,
    )
