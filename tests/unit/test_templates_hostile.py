"""No template of a tenant can escape the sandbox or exhaust the process: each is refused when saved, or cut fast."""

import resource
import time

import pytest

from nhip.adapters.templates import MAX_OUTPUT, TemplateRenderer
from nhip.domain.errors import TemplateError
from nhip.domain.messages import Content

FACTS = {
    "contact": {"name": "Nguyễn Thị Hoàng Anh", "tags": ["VIP"] * 1_000, "bio": "Đ" * 64_000},
    "order": {
        "external_id": "DH-1001",
        "lines": [{"name": "trà " * 12_000} for _ in range(1_000)],
        "many": list(range(1_001)),
    },
}
REFUSED = {
    "repeat": "{{ 'a' * 300000000 }}",
    "repeat a fact": "{{ contact.name * 300000000 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "percent format": "{{ '%300000000s' % 'a' }}",
    "format method": "{{ '{:300000000}'.format(1) }}",
    "center method": "{{ 'a'.center(300000000) }}",
    "center filter": "{{ 'a' | center(300000000) }}",
    "ljust": "{{ 'a'.ljust(300000000) }}",
    "zfill": "{{ 'a'.zfill(300000000) }}",
    "replace": "{{ contact.bio.replace('Đ', contact.bio) }}",
    "replace filter": "{{ contact.bio | replace('Đ', contact.bio) }}",
    "doubling": "{% set ns = namespace(x='a') %}{% for i in order.lines %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "set": "{% set x = 'a' %}{{ x }}",
    "nested loops": "{% for a in order.lines %}{% for b in order.lines %}{{ a }}{% endfor %}{% endfor %}",
    "nested range": "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "recursive loop": "{% for a in order.lines recursive %}{{ loop(order.lines) }}{% endfor %}",
    "lipsum": "{{ lipsum(100000) }}",
    "indent": "{{ contact.bio | indent(100000) }}",
    "wordwrap": "{{ contact.bio | wordwrap(1, wrapstring=contact.bio) }}",
    "round to a billion places": "{{ 5 | round(precision=-1000000000) }}",
    "concatenate": "{{ contact.bio ~ contact.bio }}",
    "macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "class": "{{ ''.__class__ }}",
    "class by index": "{{ ''['__class__']() }}",
    "attr filter": "{{ contact | attr('__class__') }}",
    "globals": "{{ cycler.__init__.__globals__ }}",
    "self": "{{ self.__init__ }}",
    "update": "{{ contact.update({'name': 'x'}) }}",
    "append": "{{ contact.tags.append('x') }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "extends": "{% extends 'x' %}",
    "call block": "{% call foo() %}{% endcall %}",
    "filter block": "{% filter upper %}x{% endfilter %}",
    "with": "{% with x = 1 %}{% endwith %}",
    "starred argument": "{{ 'a' | truncate(*contact.tags) }}",
    "autoescape off": "{% autoescape false %}{{ contact.name }}{% endautoescape %}",
    "safe": "{{ contact.name | safe }}",
    "map": "{{ order.lines | map(attribute='name') | join }}",
    "3,000 parentheses": "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
    "3,000 brackets": "{{ " + "[" * 3_000 + "]" * 3_000 + " }}",
    "3,000 nots": "{{ " + "not " * 3_000 + "1 }}",
    "3,000 minus signs": "{{ " + "-" * 3_000 + "1 }}",
    "1,000 conditions": "{{ " + "1 if 1 else " * 1_000 + "1 }}",
    "1,000 sums": "{{ 1" + "+1" * 1_000 + " }}",
    "500 filters": "{{ 'a'" + "|upper" * 500 + " }}",
    "500 attributes": "{{ contact" + ".a" * 500 + " }}",
    "500 nested conditions": "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "5,000 expressions": "{{a}}" * 4_000,
    "20 KB": "a" * 20_001,
    "long number": "{{ " + "9" * 10_000 + " }}",
    "long number in base 16": "{{ 0x" + "f" * 19_000 + " + 1 }}",
    "computed date format": "{{ order.at | date(contact.bio) }}",
}
CUT = {
    "long loop": "{% for x in order.many %}{{ x }}{% endfor %}",
    "long output": "{% for x in order.lines %}{{ x.name }}{% endfor %}",
    "join": "{{ " + "[" + "contact.bio," * 250 + "] | join }}",
    "long list joined": "{{ order.lines | join(attribute='name') }}",
    "work without output": "{% for x in order.lines %}{% if x.name"
    + "|upper|lower" * 15
    + " == 1 %}{% endif %}{% endfor %}",
    "search without output": "{% for x in order.lines %}{% if contact.bio in x.name %}{% endif %}"
    + "{% if x.name in contact.bio %}{% endif %}" * 90
    + "{% endfor %}",
    "loop after loop": "{% for x in order.lines %}{% if x.name|unaccent %}{% endif %}{% endfor %}" * 100,
    "loop over letters": "{% for x in contact.bio %}x{% endfor %}",
    "zero": "{{ 1 / 0 }}",
    "unknown zone": "{{ '2026-11-21' | date('short', '../../etc/passwd') }}",
    "huge precision": "{{ 1 | round(1000000) }}",
    "script link": '<a href="{{ "java" }}script:alert(1)">',
}


@pytest.fixture(scope="module")
def renderer() -> TemplateRenderer:
    return TemplateRenderer()


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED)
def test_a_hostile_template_is_refused_when_it_is_saved(renderer: TemplateRenderer, source: str) -> None:
    started = time.thread_time()
    problems = renderer.check(Content(text=source), roots=FACTS.keys(), known={})
    spent = time.thread_time() - started

    assert problems
    assert spent < 1.0
    with pytest.raises(TemplateError):
        renderer.render(Content(text=source), FACTS)


@pytest.mark.parametrize("source", CUT.values(), ids=CUT)
def test_a_template_that_does_too_much_is_cut(renderer: TemplateRenderer, source: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.thread_time()
    with pytest.raises(TemplateError):
        renderer.render(Content(html=source), FACTS)

    assert time.thread_time() - started < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "KiB"


def test_output_is_bounded(renderer: TemplateRenderer) -> None:
    source = "{{ contact.bio }}" * (MAX_OUTPUT // 64_000 + 1)

    with pytest.raises(TemplateError, match="longer than 262,144"):
        renderer.render(Content(text=source), FACTS)


def test_what_a_customer_typed_is_never_read_as_a_template(renderer: TemplateRenderer) -> None:
    typed = "{{ contact.phone }}{% for x in contact %}{{ x }}{% endfor %}"
    facts = {"contact": {"name": typed, "phone": "0987"}}

    rendered = renderer.render(Content(text="{{ contact.name }}", params={"name": "{{ contact.name }}"}), facts)

    assert rendered.text == typed
    assert rendered.params == {"name": typed}
    assert renderer.render_value({"note": "{{ contact.name }}"}, facts) == {"note": typed}
