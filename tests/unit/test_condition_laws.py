"""Laws of condition trees that hold for whatever trees and facts there are."""

from hypothesis import given, settings, strategies as st

from nhip.domain.conditions import Node
from nhip.domain.errors import InvalidInput, Problem
from nhip.engine.conditions.decide import compile_node, dump, fields_of, judge, parse
from nhip.engine.facts.fields import reader
from nhip.engine.matching.clauses import clauses_of
from nhip.engine.matching.thicket import Placement, Thicket
from nhip.plugin_api import Facts
from tests.unit.condition_trees import CUSTOMS, NOW, customs_used, facts, odd_tests, tests, trees


@given(trees(tests | customs_used))
def test_writing_and_reading_a_tree_gives_it_back(node: Node) -> None:
    assert parse(dump(node), "conditions", customs=CUSTOMS) == node


@settings(max_examples=100, deadline=None)
@given(trees(tests | odd_tests | customs_used), facts)
def test_the_compiled_tree_and_the_judge_agree_and_neither_raises(node: Node, known: Facts) -> None:
    verdict = judge(node, known, NOW, "conditions", CUSTOMS)
    assert compile_node(node, CUSTOMS)(known, NOW) is verdict.holds
    assert verdict.reasons
    assert all(reason.path.startswith("conditions") for reason in verdict.reasons)


@settings(max_examples=100, deadline=None)
@given(trees(tests | odd_tests | customs_used), facts)
def test_no_clause_of_a_tree_that_holds_is_overlooked(node: Node, known: Facts) -> None:
    thicket: Thicket[str] = Thicket()
    for clause in clauses_of(node):
        thicket.insert(Placement(clause, (), "owner"))
    if compile_node(node, CUSTOMS)(known, NOW):
        assert thicket.candidates(known)


@settings(max_examples=100, deadline=None)
@given(trees(tests), facts)
def test_a_tree_reads_no_field_but_those_it_names(node: Node, known: Facts) -> None:
    kept: dict[str, object] = {}
    for field in fields_of(node):
        if field.startswith("previous."):  # a part of an old value is told by the whole of it
            kept["previous"] = known.get("previous")
        value = reader(field)(known)
        root = field.partition(".")[0]
        if value is not None and root in known:
            kept[root] = known[root]
    assert judge(node, kept, NOW).holds is judge(node, known, NOW).holds


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(("all", "any", "not", "field", "op", "value", "condition", "config", "x")), inner
            )
        ),
    )
)
def test_reading_answers_with_a_tree_or_with_located_problems(raw: object) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        node = parse(raw, "conditions")
    except InvalidInput as error:
        problems = error.problems
        node = None
    assert (node is None) is bool(problems)
    assert all(problem.path.startswith("conditions") and problem.code for problem in problems)
    if node is not None:
        assert judge(node, {}, NOW).reasons
