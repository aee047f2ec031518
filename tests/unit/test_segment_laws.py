"""Segments kept up by changes and by moments are what judging everybody at every moment would make them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nhip.domain.conditions import All, AnyOf, Node, Not, Test
from nhip.domain.times import format_time, from_micros, to_micros
from nhip.engine.customers.segments import Segment, keep_planned

DAY = 86_400_000_000
START = datetime(2028, 2, 26, 3, tzinfo=UTC)  # a leap year's end of February is near
ZONES = ("Asia/Ho_Chi_Minh", "America/New_York", "Pacific/Apia", "Europe/London", "nowhere")
PATHS = ("contact.activity.order.last_at", "contact.custom.renewal", "contact.birthday", "contact.created_at")

spans = st.sampled_from(["PT0S", "PT1H", "P1D", "P2D", "P30D", "P10000D"])
offsets = st.sampled_from([None, 0, -3, 1, 40, "-P366D", "P366D"])
moments = st.one_of(
    st.integers(-60 * 24, 60 * 24).map(lambda hours: format_time(START + timedelta(hours=hours / 3))),
    st.sampled_from(
        ["2028-02-29", "1992-02-29", "1990-02-28", "2028-03-12", "2028-02-26", "9999-12-31", "0001-01-01",
         "9999-12-31T23:59:59Z", "not a day", "", 7, None, ["2028-02-29"]]
    ),
)  # fmt: skip
timely = st.one_of(
    st.builds(Test, field=st.sampled_from(PATHS), op=st.sampled_from(["within_last", "not_within_last"]), value=spans),
    st.builds(Test, field=st.sampled_from(PATHS), op=st.just("matches_day"), value=offsets),
)
plain = st.sampled_from(
    [
        Test(field="contact.status", op="equals", value="vip"),
        Test(field="contact.activity.order.count", op="greater_than", value=1),
        Test(field="contact.created_at", op="before", value="2028-02-20"),
        Test(field="contact.custom.renewal", op="after", value={"contact": "created_at"}),
    ]
)
conditions: st.SearchStrategy[Node] = st.recursive(
    st.one_of(timely, timely, plain),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: All(items=tuple(items))),
        st.lists(inner, max_size=3).map(lambda items: AnyOf(items=tuple(items))),
        inner.map(lambda item: Not(item=item)),
    ),
    max_leaves=5,
)


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    contact = _without_none(
        created_at=draw(moments),
        birthday=draw(moments),
        timezone=draw(st.sampled_from([*ZONES, None])),
        status=draw(st.sampled_from(["vip", "new", None])),
        custom=_without_none(renewal=draw(moments)),
    )
    last_at = draw(moments)
    if last_at is not None:
        contact["activity"] = {"order": {"last_at": last_at, "count": draw(st.integers(0, 3))}}
    return {"contact": contact}


leaps = st.one_of(
    st.integers(0, 40 * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    st.sampled_from([timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=400)]),
)


@settings(max_examples=200, deadline=None)
@given(condition=conditions, facts=people(), shift=st.integers(0, 86_400), within=st.floats(0, 1))
def test_nothing_changes_before_the_next_moment(
    condition: Node, facts: dict[str, Any], shift: int, within: float
) -> None:
    segment = Segment("s", condition)
    now = to_micros(START) + shift * 1_000_000
    holds, coming = segment.judge(facts, now)
    assert coming is None or coming > now
    last = now + 800 * DAY if coming is None else coming - 1
    for moment in (last, now + int((last - now) * within), *range(now, min(last, now + 800 * DAY), DAY - DAY // 24)):
        assert segment.holds(facts, from_micros(moment)) is holds


@pytest.mark.parametrize(
    ("planned", "wanted", "kept"),
    [
        pytest.param(None, None, None, id="nothing"),
        pytest.param(None, 20, 20, id="the first"),
        pytest.param(15, 20, 15, id="too early, and harmless"),
        pytest.param(15, None, 15, id="not needed, and harmless"),
        pytest.param(20, 15, 15, id="too late"),
        pytest.param(10, 20, 20, id="it has come"),
        pytest.param(10, None, None, id="it has come, and nothing follows"),
    ],
)
def test_an_earlier_plan_stays(planned: int | None, wanted: int | None, kept: int | None) -> None:
    assert keep_planned(planned, wanted, now=10) == kept


class Keeper:
    """Keeps one segment as the engine does, in memory."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.members: set[int] = set()
        self.planned: dict[int, int] = {}

    def judge(self, number: int, facts: dict[str, Any], now: int) -> None:
        holds, wanted = self.segment.judge(facts, now)
        (self.members.add if holds else self.members.discard)(number)
        kept = keep_planned(self.planned.get(number), wanted, now)
        if kept is None:
            self.planned.pop(number, None)
        else:
            self.planned[number] = kept

    def look(self, everybody: list[dict[str, Any]], now: int) -> int:
        due = [number for number, moment in self.planned.items() if moment <= now]
        for number in due:
            self.judge(number, everybody[number], now)
        return len(due)


@settings(max_examples=150, deadline=None)
@given(
    condition=conditions,
    everybody=st.lists(people(), min_size=1, max_size=4),
    story=st.lists(st.one_of(leaps, st.tuples(st.integers(0, 3), people())), max_size=12),
)
def test_kept_up_is_judged_anew(
    condition: Node, everybody: list[dict[str, Any]], story: list[timedelta | tuple[int, dict[str, Any]]]
) -> None:
    keeper = Keeper(Segment("s", condition))
    now = to_micros(START)
    for number, facts in enumerate(everybody):
        keeper.judge(number, facts, now)
    for happening in story:
        if isinstance(happening, timedelta):
            now += happening // timedelta(microseconds=1)
            keeper.look(everybody, now)
            assert keeper.look(everybody, now) == 0, "whoever was judged is not due again"
        else:
            number, facts = happening
            everybody[number % len(everybody)] = facts
            keeper.judge(number % len(everybody), facts, now)
        anew = {number for number, facts in enumerate(everybody) if keeper.segment.holds(facts, from_micros(now))}
        assert keeper.members == anew
