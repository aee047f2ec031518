"""Whatever is written as a template and whatever the facts say: an answer or a TemplateError, and soon."""

import string
from typing import Any

from hypothesis import example, given, settings, strategies as st

from nhip.adapters.template_filters import FILTERS
from nhip.adapters.template_rules import TESTS
from nhip.adapters.templates import TemplateRenderer
from nhip.domain.errors import TemplateError
from nhip.domain.messages import Content

RENDERER = TemplateRenderer(cache_size=8)

_leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("2026-11-21T01:00:00Z")
)
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "items", "amount"]), inner, max_size=3)
    ),
    max_leaves=8,
)
_facts = st.dictionaries(st.sampled_from(["contact", "order"]), _values, max_size=2)

_words = st.sampled_from(
    [
        *FILTERS, *TESTS, "contact", "order", "a", "items", "amount", ".", "|", "[", "]", "(", ")", "{", "}", ",", ":",
        "+", "-", "*", "/", "//", "~", "%", "<", "==", "=", "is", "in", "not", "and", "or", "if", "else", "for",
        "endif", "endfor", "loop", "0", "1", "1.5", "99999999999999999999", "'dd/MM'", "'Asia/Tokyo'", "'x'", "\n",
    ]
)  # fmt: skip
_code = st.lists(_words, max_size=12).map(" ".join)
_pieces = st.one_of(
    _code.map(lambda code: "{{ " + code + " }}"),
    _code.map(lambda code: "{% " + code + " %}"),
    st.text(string.printable, max_size=10),
    st.sampled_from(["{% for x in order %}", "{{ x }}", "{% endfor %}", "{% if contact %}", "{% endif %}", "{#", "#}"]),
)
_sources = st.lists(_pieces, max_size=5).map("".join)

_operands = st.sampled_from(["contact", "order", "contact.a", "order.items", "contact['a'][0]", "1", "'x'", "[1, 'x']"])
_calls = st.sampled_from(["", "()", "(1)", "('plain')", "('short')", "(2, 'x')", "(timezone='UTC')", "(attribute='a')"])
_pipes = st.lists(st.tuples(st.sampled_from(sorted(FILTERS)), _calls).map("".join), min_size=1, max_size=3)
_piped = st.tuples(_operands, _pipes).map(lambda pair: "{{ " + " | ".join([pair[0], *pair[1]]) + " }}")


def _answers_or_refuses(source: str, facts: dict[str, Any]) -> None:
    content = Content(subject=source, html=source, params={"x": source})
    problems = RENDERER.check(content, roots=["contact", "order"], known={"contact": frozenset({"a"})})
    assert all(problem.path in ("subject", "html", "params.x") for problem in problems)
    for attempt in (RENDERER.render, RENDERER.missing):
        place = "text"
        try:
            attempt(content, facts)
        except TemplateError as error:
            place = error.data["path"]
        assert place in ("text", "subject", "html", "params.x")


@settings(deadline=2_000)
@given(_sources, _facts)
@example("{{ 5 | date('EEEEEEE') }}", {})
@example("{{ {[]: 1} }}", {})
@example("{{ [1][[]] }}", {})
def test_any_text_is_rendered_or_refused(source: str, facts: dict[str, Any]) -> None:
    _answers_or_refuses(source, facts)


@settings(deadline=2_000)
@given(_piped, _facts)
def test_any_filters_take_any_facts_or_refuse_them(source: str, facts: dict[str, Any]) -> None:
    _answers_or_refuses(source, facts)


@given(st.sampled_from(sorted(string.ascii_letters)), st.integers(1, 8), st.sampled_from(["date", "time", "datetime"]))
def test_any_date_format_is_written_or_refused(letter: str, times: int, name: str) -> None:
    _answers_or_refuses(f"{{{{ '2026-11-21T01:00:00Z' | {name}('{letter * times}') }}}}", {})


@given(st.text(max_size=200))
def test_a_text_without_marks_stays_as_it_is(text: str) -> None:
    source = text.replace("{", "")
    assert RENDERER.render(Content(text=source), {}).text == source


@given(_values)
def test_rendering_a_value_keeps_its_shape(value: Any) -> None:
    try:
        rendered = RENDERER.render_value(value, {})
    except TemplateError:
        return
    assert type(rendered) is type(value)
