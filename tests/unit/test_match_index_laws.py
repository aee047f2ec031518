"""The law of the index: it matches what asking every condition would, after any sequence of publishing and retiring."""

from collections.abc import Sequence

from hypothesis import given, settings, strategies as st

from nhip.domain.conditions import Node, all_of
from nhip.engine.conditions.decide import fields_of, judge
from nhip.engine.matching.index import Entry, MatchIndex
from nhip.plugin_api import Facts
from tests.unit.condition_trees import CUSTOMS, NOW, customs_used, facts, odd_tests, tests, trees

EVENT_TYPES = ("order.updated", "contact.updated")
WORKFLOWS = ("a", "b", "c", "d", "e", "f")


def naive(published: dict[str, Sequence[Entry]], event_type: str, known: Facts) -> list[Entry]:
    """Every entry asked, one after the other."""
    return [
        entry
        for workflow in sorted(published)
        for entry in published[workflow]
        if event_type in entry.event_types
        and (entry.condition is None or judge(entry.condition, known, NOW, "", CUSTOMS).holds)
    ]


conjunctions = st.lists(trees(tests, 3), min_size=1, max_size=4).map(lambda nodes: all_of(*nodes))
conditions: st.SearchStrategy[Node | None] = st.none() | conjunctions | trees(tests | odd_tests | customs_used)


@st.composite
def entries(draw: st.DrawFn) -> list[tuple[tuple[str, ...], Node | None]]:
    return draw(
        st.lists(st.tuples(st.lists(st.sampled_from(EVENT_TYPES), max_size=2).map(tuple), conditions), max_size=12)
    )


steps = st.lists(st.tuples(st.sampled_from(WORKFLOWS), st.none() | entries()), max_size=8)


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(facts, min_size=1, max_size=3))
def test_the_index_matches_what_asking_everybody_would(
    changes: list[tuple[str, list[tuple[tuple[str, ...], Node | None]] | None]], situations: list[Facts]
) -> None:
    index = MatchIndex(CUSTOMS)
    published: dict[str, Sequence[Entry]] = {}
    for workflow, wanted in changes:
        if wanted is None:
            index.retire(workflow)
            published.pop(workflow, None)
        else:
            published[workflow] = [
                Entry(workflow=workflow, version_id="1", trigger_id=str(number), event_types=types, condition=condition)
                for number, (types, condition) in enumerate(wanted)
            ]
            index.publish(workflow, published[workflow])
        assert len(index) == len(published)
    for event_type in EVENT_TYPES:
        for known in situations:
            assert index.match(event_type, known, NOW) == naive(published, event_type, known)
        read = {
            field
            for entries in published.values()
            for entry in entries
            if event_type in entry.event_types and entry.condition is not None
            for field in fields_of(entry.condition)
        }
        assert index.fields_read(event_type) == read
    for workflow in WORKFLOWS:
        index.retire(workflow)
    assert not index._families
    assert not index._rules
