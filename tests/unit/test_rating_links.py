"""Addresses at which customers rate: short, the same whenever they are made, and of nobody else's making."""

import re
from pathlib import Path

import pytest

from nhip.adapters.rating_links import PURPOSE, RatingLinks
from nhip.adapters.secrets import Vault
from nhip.adapters.templates import TemplateRenderer
from nhip.domain.errors import TemplateError
from nhip.domain.ids import new_id
from nhip.domain.messages import Content
from nhip.settings import load

OLD, NEW = "o" * 40, "n" * 40
TICKET = "0197c1f2-6f4b-7a31-9c55-0f1e2d3c4b5a"
ROOTS = frozenset({"ticket", "order"})


def links(*keys: str, url: str | None = "https://care.example.com/nhip/") -> RatingLinks:
    return RatingLinks(Vault(keys).derived(PURPOSE), url)


def test_a_token_is_short_and_leads_back_to_its_ticket() -> None:
    for ticket in (TICKET, new_id()):
        token = links(NEW).token(ticket)
        assert re.fullmatch(r"[A-Za-z0-9_-]{35}", token)
        assert token == links(NEW).token(ticket)
        assert links(NEW).ticket_of(token) == ticket
    assert links(NEW).url(TICKET) == f"https://care.example.com/nhip/rate/{links(NEW).token(TICKET)}"


def test_an_address_outlives_a_new_key_while_the_old_one_is_kept() -> None:
    sent = links(OLD).token(TICKET)
    assert links(NEW, OLD).ticket_of(sent) == TICKET
    assert links(NEW, OLD).token(TICKET) == links(NEW).token(TICKET) != sent
    assert links(NEW).ticket_of(sent) is None


def test_no_other_token_is_believed() -> None:
    ours = links(NEW)
    token = ours.token(TICKET)
    changed = [
        token[:place] + letter + token[place + 1 :]
        for place in range(len(token))
        for letter in "Aa0-_"
        if letter != token[place]
    ]
    assert [one for one in changed if ours.ticket_of(one) is not None] == []
    for wrong in ("", token[:-1], token + "A", token + "=", f" {token[1:]}", "é" * 35, "\x00" * 35, "." * 35):
        assert ours.ticket_of(wrong) is None


def test_the_key_of_links_is_not_the_one_that_seals() -> None:
    [rates], [other] = Vault([NEW]).derived(PURPOSE), Vault([NEW]).derived("secrets")
    assert rates != other


def test_a_template_has_the_address_of_its_ticket() -> None:
    renderer = TemplateRenderer(links=links(NEW))
    content = Content(text="{{ ticket | rating_url }}", html='<a href="{{ ticket | rating_url(4) }}">4</a>')
    assert renderer.check(content, roots=ROOTS, known={}) == []
    filled = renderer.render(content, {"ticket": {"id": TICKET, "external_id": "TK-1"}})
    url = links(NEW).url(TICKET)
    assert (filled.text, filled.html) == (url, f'<a href="{url}?stars=4">4</a>')
    assert renderer.missing(content, {}) == ["ticket"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ ticket | rating_url(6) }}", "1 to 5 stars"),
        ("{{ ticket | rating_url('4') }}", "1 to 5 stars"),
        ("{{ order | rating_url }}", "rating_url is for the ticket"),
        ("{{ ticket.external_id | rating_url }}", "rating_url is for the ticket"),
        ("{{ ticket | rating_url(1, 2) }}", "filter rating_url"),
    ],
)
def test_what_has_no_address_says_why(source: str, said: str) -> None:
    facts = {"ticket": {"id": TICKET, "external_id": "TK-1"}, "order": {"id": TICKET}}
    with pytest.raises(TemplateError, match=re.escape(said)):
        TemplateRenderer(links=links(NEW)).render_value(source, facts)


def test_a_ticket_that_is_not_stored_has_no_page() -> None:
    with pytest.raises(TemplateError, match="only a ticket that is stored"):
        TemplateRenderer(links=links(NEW)).render_value("{{ ticket | rating_url }}", {"ticket": {"external_id": "T"}})


@pytest.mark.parametrize(
    ("said", "reached"),
    [
        ({}, False),
        ({"host": "0.0.0.0"}, False),
        ({"public_url": "https://[::1]"}, False),
        ({"allow_private_hosts": True}, True),
        ({"public_url": "https://care.example.com"}, True),
    ],
)
def test_a_server_that_customers_cannot_reach_takes_no_such_template(
    tmp_path: Path, said: dict[str, object], reached: bool
) -> None:
    settings = load({"NHIP_CONFIG": ""}, data_dir=tmp_path, **said)
    renderer = TemplateRenderer(links=links(NEW, url=settings.customer_url))
    content = Content(text="{{ ticket | rating_url }}")
    problems = renderer.check(content, roots=ROOTS, known={})
    assert [(one.path, one.code) for one in problems] == ([] if reached else [("text", "no_public_url")])
    if not reached:
        with pytest.raises(TemplateError, match="NHIP_PUBLIC_URL"):
            renderer.render(content, {"ticket": {"id": TICKET}})
