"""Messages say what the facts say, as Vietnam writes it; what is missing or wrong is named with its place."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from nhip.adapters.templates import TemplateRenderer
from nhip.domain.errors import TemplateError
from nhip.domain.messages import Content

FACTS: dict[str, Any] = {
    "contact": {
        "external_id": "KH-001",
        "name": "Nguyễn Thị Hoàng Anh",
        "phone": "+84987654321",
        "email": None,
        "tags": ["VIP", "Hà Nội"],
        "birthday": "1990-05-12",
        "custom": {"size": "M"},
    },
    "order": {
        "external_id": "DH-1001",
        "status": "delivered",
        "total": {"amount": 150_000, "currency": "VND"},
        "promised_at": "2026-11-21T01:00:00Z",
        "items": [{"name": "Trà sen", "quantity": 2}, {"name": "Bánh <cốm>", "quantity": 1.5}],
        "weight": 1.0,
        "gift": False,
        "voucher": "",
    },
    "steps": {"call": {"output": {"status": 200}}},
}


@pytest.fixture(scope="module")
def renderer() -> TemplateRenderer:
    return TemplateRenderer()


WRITTEN = {
    "{{ contact.name }}": "Nguyễn Thị Hoàng Anh",
    "{{ contact.name | given_name }}": "Anh",
    "{{ contact.name | given_name | upper | unaccent }}": "ANH",
    "{{ 'Đặng Thuỳ Trâm' | unaccent }}": "Dang Thuy Tram",
    "{{ 'nguyễn THỊ anh' | title }}": "Nguyễn Thị Anh",
    "{{ 'đơn hàng' | capitalize }}": "Đơn hàng",
    "{{ contact.phone | phone }}": "0987 654 321",
    "{{ '0987654321' | phone }}": "0987 654 321",
    "{{ '+16502530000' | phone }}": "+1 650-253-0000",
    "{{ 'không có số' | phone }}": "không có số",
    "{{ order.total }}": "150.000 ₫",
    "{{ order.total | money }}": "150.000 ₫",
    "{{ order.total | money('plain') }}": "150.000d",
    "{{ order.total.amount | money }}": "150.000 ₫",
    "{{ {'amount': 1999, 'currency': 'USD'} | money }}": "19,99 US$",
    "{{ {'amount': 199900, 'currency': 'USD'} | money('plain') }}": "1.999,00 USD",
    "{{ order.total.amount / 2 }}": "75000",
    "{{ order.total.amount / 4 | round }}": "37500",
    "{{ 2.5 | round }}": "3",
    "{{ 2.345 | round(2) }}": "2.35",
    "{{ 1234.5 | number }}": "1.234,5",
    "{{ order.promised_at | date }}": "21/11/2026",
    "{{ order.promised_at | datetime }}": "08:00 21/11/2026",
    "{{ order.promised_at | time }}": "08:00",
    "{{ order.promised_at | time(timezone='Asia/Tokyo') }}": "10:00",
    "{{ order.promised_at | date('full') }}": "Thứ Bảy, 21 tháng 11, 2026",
    "{{ order.promised_at | date('dd/MM') }}": "21/11",
    "{{ contact.birthday | date }}": "12/05/1990",
    "{{ contact.tags | join }}": "VIP, Hà Nội",
    "{{ order.items | join(' + ', attribute='name') }}": "Trà sen + Bánh <cốm>",
    "{{ contact.tags | first }}-{{ contact.tags | last }}-{{ contact.tags | length }}": "VIP-Hà Nội-2",
    "{{ 'Một câu khá dài' | truncate(10) }}": "Một câu…",
    "{{ '  a ' | trim }}": "a",
    "{{ 'a b&c' | urlencode }}": "a%20b%26c",
    "{{ 'https://nhip.example/a' | url }}": "https://nhip.example/a",
    "{{ order.weight }} {{ order.gift }}": "1 false",
    "{% for item in order.items %}{{ loop.index }}. {{ item.name }}{% if not loop.last %}; {% endif %}{% endfor %}": (
        "1. Trà sen; 2. Bánh <cốm>"
    ),
    "{% for item in order.items if item.quantity > 1.8 %}{{ item.name }}{% else %}none{% endfor %}": "Trà sen",
    "{% if 'VIP' in contact.tags %}khách quý{% endif %}": "khách quý",
    "{{ {'delivered': 'đã giao', 'returned': 'đã trả'}[order.status] }}": "đã giao",
    "{{ order.items[0].name }} {{ order['items'][1].quantity }}": "Trà sen 1.5",
    "{{ contact.email | default('chưa có') }}": "chưa có",
    "{{ contact.address.city | default('chưa có') }}": "chưa có",
    "{{ order.voucher | default('không') }}": "không",
    "{% if contact.email %}có{% else %}không{% endif %}": "không",
    "{% if contact.email is defined %}có{% else %}không{% endif %}": "không",
    "{% if contact.email is none %}trống{% endif %}": "trống",
    "{{ contact.email and 'có' or 'không' }}": "không",
    "{{ steps.call.output.status }}": "200",
    "không có gì để điền { { }}": "không có gì để điền { { }}",
    "{# nhắc nhở #}xong\n": "xong\n",
}


@pytest.mark.parametrize(("source", "text"), WRITTEN.items(), ids=WRITTEN)
def test_a_template_is_filled_in(renderer: TemplateRenderer, source: str, text: str) -> None:
    assert renderer.check(Content(text=source), roots=FACTS.keys(), known={}) == []
    assert renderer.render(Content(text=source), FACTS).text == text
    assert renderer.missing(Content(text=source), FACTS) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 11, 21, 1, tzinfo=UTC), "08:00 21/11/2026"),
        (date(2026, 11, 21), "21/11/2026"),
        (Decimal("1.50"), "1.50"),
        (12, "12"),
    ],
)
def test_values_that_are_no_text_are_written(renderer: TemplateRenderer, value: Any, text: str) -> None:
    assert renderer.render(Content(text="{{ event.data }}"), {"event": {"data": value}}).text == text


MISSING = {
    "{{ order.tracking_url }}": "order.tracking_url",
    "{{ contact.email }}": "contact.email",
    "{{ contact.email | upper }}": "contact.email",
    "{{ contact.address.city }}": "contact.address",
    "{{ order.items[1].sku }}": "order.items[1].sku",
    "{{ order.items[7].name }}": "order.items[7]",
    "{{ order[contact.email] }}": "contact.email",
    "{% for line in order.lines %}{{ line }}{% endfor %}": "order.lines",
    "{{ order.discount + 1 }}": "order.discount",
    "{{ ticket.title }}": "ticket",
}


@pytest.mark.parametrize(("source", "name"), MISSING.items(), ids=MISSING)
def test_a_missing_fact_is_named(renderer: TemplateRenderer, source: str, name: str) -> None:
    with pytest.raises(TemplateError) as raised:
        renderer.render(Content(params={"code": source}), FACTS)

    assert raised.value.data == {"path": "params.code", "name": name}
    assert str(raised.value) == f"params.code: {name} is missing"
    assert renderer.missing(Content(params={"code": source}), FACTS) == [name]


def test_a_preview_lists_all_that_is_missing_on_the_way_taken(renderer: TemplateRenderer) -> None:
    content = Content(
        subject="{{ contact.title }}",
        text="{{ order.tracking_url }} {% if contact.email %}{{ order.never_asked }}{% endif %}{{ contact.title }}",
        params={"when": "{{ order.delivered_at | date }}"},
    )

    assert renderer.missing(content, FACTS) == ["contact.title", "order.tracking_url", "order.delivered_at"]


UNWRITABLE = {
    "{{ order }}": "an object cannot be written as text",
    "{{ order.items }}": "a list cannot be written as text",
    "{{ contact.name + '!' }}": "+ adds numbers",
    "{{ contact.name | date }}": "no RFC 3339 time or day",
    "{{ contact.birthday | time }}": "a day without a time",
    "{{ contact.name | money }}": "a text is no amount of money",
    "{{ order.promised_at | date(timezone='Asia/Hanoi') }}": "no such time zone",
    "{{ 1 // 0 }}": "division",
    "{{ [] | first }}": "the value is empty",
    "{{ 'javascript:alert(1)' | url }}": "not a link",
    "{% for letter in contact.name %}{{ letter }}{% endfor %}": "only a list can be looped over",
    "{{ contact.name < 5 }}": "cannot be rendered",
}


@pytest.mark.parametrize(("source", "said"), UNWRITABLE.items(), ids=UNWRITABLE)
def test_what_cannot_be_written_says_why(renderer: TemplateRenderer, source: str, said: str) -> None:
    with pytest.raises(TemplateError, match="text: ") as raised:
        renderer.render(Content(text=source), FACTS)

    assert said in str(raised.value)
    assert raised.value.data["path"] == "text"


def test_only_html_is_escaped(renderer: TemplateRenderer) -> None:
    source = "<b>{{ order.items[1].name }}</b>"

    rendered = renderer.render(Content(subject=source, text=source, html=source), FACTS)

    assert rendered.text == rendered.subject == "<b>Bánh <cốm></b>"
    assert rendered.html == "<b>Bánh &lt;cốm&gt;</b>"


def test_a_subject_is_one_line(renderer: TemplateRenderer) -> None:
    facts = {"contact": {"name": "Anh\r\nBcc: all@example.com\u2028x"}}

    assert (
        renderer.render(Content(subject=" Chào\n{{ contact.name }} "), facts).subject
        == "Chào Anh Bcc: all@example.com x"
    )


def test_links_lead_to_the_web_only(renderer: TemplateRenderer) -> None:
    good = Content(html='<a href="{{ event.url }}">theo dõi</a> <a href="mailto:a@b.vn"> <img src="cid:logo">')
    assert renderer.check(good, roots=["event"], known={}) == []
    assert "https://x.vn" in (renderer.render(good, {"event": {"url": "https://x.vn/?a=1"}}).html or "")

    with pytest.raises(TemplateError, match="not with javascript:"):
        renderer.render(good, {"event": {"url": "java\tscript:alert(1)"}})
    (problem,) = renderer.check(Content(html="<a href=javascript:x>"), roots=[], known={})
    assert (problem.path, problem.code) == ("html", "unsafe_link")


def test_what_is_not_a_template_is_passed_on(renderer: TemplateRenderer) -> None:
    content = Content(provider_template_id="12345", params={"order_code": "{{ order.external_id }}"})

    assert renderer.render(content, FACTS) == Content(provider_template_id="12345", params={"order_code": "DH-1001"})


def test_every_text_inside_a_value_is_filled_in(renderer: TemplateRenderer) -> None:
    value = {
        "note": "Đơn {{ order.external_id }}",
        "tags": ["{{ contact.custom.size }}", 1],
        "total": "{{ 1 + 1 }}",
        "x": None,
    }

    assert renderer.render_value(value, FACTS) == {"note": "Đơn DH-1001", "tags": ["M", 1], "total": "2", "x": None}


def test_a_fault_inside_a_value_has_its_place(renderer: TemplateRenderer) -> None:
    with pytest.raises(TemplateError) as raised:
        renderer.render_value({"body": {"items": ["ok", "{{ order.nope }}"]}}, FACTS)
    assert raised.value.data == {"path": "body.items[1]", "name": "order.nope"}

    (problem,) = renderer.check_value({"body": ["{{ ordr.id }}"]}, "config", roots=["order"], known={})
    assert (problem.path, problem.code) == ("config.body[0]", "unknown_name")


FAULTY = {
    "{{ contact.name }": ("template_syntax", "line 1: "),
    "một\nhai {{ contact. }}": ("template_syntax", "line 2: "),
    "{% if contact.name %}": ("template_syntax", "line 1: "),
    "{{ contact.name | uper }}": ("template_forbidden", "there is no filter 'uper'; did you mean 'upper'?"),
    "{{ contact.name is lower }}": ("template_forbidden", "there is no test 'lower'"),
    "{{ contact.name | truncate(1, 2, 3, 4) }}": (
        "template_forbidden",
        "filter truncate: too many positional arguments",
    ),
    "\n\n{{ contact.name.upper() }}": ("template_forbidden", "line 3: calling a function or a method is not possible"),
    "{{ ordr.external_id }}": ("unknown_name", "there is no 'ordr' here; there are contact, order"),
    "{{ contact.nme }}": ("unknown_field", "contact has no field 'nme'"),
    "{{ contact['nme'] | default('') }}": ("unknown_field", "contact has no field 'nme'"),
    "{% for item in order.items %}{% endfor %}{{ item }}": ("unknown_name", "there is no 'item' here"),
    "{{ loop.index }}": ("unknown_name", "there is no 'loop' here"),
}


@pytest.mark.parametrize(("source", "code", "said"), [(source, *rest) for source, rest in FAULTY.items()], ids=FAULTY)
def test_a_fault_is_found_when_the_template_is_saved(
    renderer: TemplateRenderer, source: str, code: str, said: str
) -> None:
    known = {"contact": frozenset({"name", "custom"}), "order": None}

    (problem,) = renderer.check(Content(params={"a": "fine", "b": source}), roots=["order", "contact"], known=known)

    assert (problem.path, problem.code) == ("params.b", code)
    assert said in problem.message


def test_loops_and_inner_fields_are_no_unknown_names(renderer: TemplateRenderer) -> None:
    source = "{% for contact in order.contacts %}{{ contact.anything }}{{ loop.index }}{% endfor %}{{ order.total.x }}"

    assert (
        renderer.check(Content(text=source), roots=["order"], known={"order": frozenset({"contacts", "total"})}) == []
    )


def test_compiled_templates_are_kept(renderer: TemplateRenderer) -> None:
    before = renderer._compiled.cache_info()
    for _ in range(10):
        renderer.render(Content(text="{{ contact.name }} kept"), FACTS)
    after = renderer._compiled.cache_info()

    assert (after.misses - before.misses, after.hits - before.hits) == (1, 9)
