"""A customer follows the link of a message and rates a ticket: once, on a page without scripts, and nobody else can."""

import asyncio
import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from nhip.domain.errors import NotFound, Overloaded, StorageUnavailable
from nhip.domain.ratings import LONGEST_WORDS, RatingReply
from nhip.services.doors.ratings import MOST_RATINGS, PER_SECOND, RatingFinal, Ratings
from nhip.testing.standins.smtp import SmtpStandIn
from tests.support.api import Api, expect
from tests.support.world import World

FORM = "application/x-www-form-urlencoded"
ASK: dict[str, Any] = {
    "name": "ask",
    "triggers": [{"id": "solved", "type": "ticket", "config": {"on": "resolved"}}],
    "steps": [{"id": "ask", "action": "send_message", "config": {"channel": "mail", "template": "ask"}}],
}
HEAR: dict[str, Any] = {
    "name": "hear",
    "triggers": [{"id": "rated", "type": "ticket", "config": {"on": "rated"}}],
    "steps": [{"id": "mark", "action": "update_contact", "config": {"set": {"status": "{{ event.data.rating }} sao"}}}],
}
TEMPLATE = {
    "channel_type": "email",
    "message_class": "care",
    "subject": "Bạn có hài lòng không?",
    "text": "Đánh giá: {{ ticket | rating_url }}",
    "html": '<a href="{{ ticket | rating_url(4) }}">4</a><a href="{{ ticket | rating_url(2) }}">2</a>',
}


async def post(api: Api, path: str, **said: str) -> httpx.Response:
    return await api.client.post(path, content=urlencode(said), headers={"content-type": FORM})


async def rated(api: Api) -> list[Any]:
    items: list[Any] = (await api.get("/v1/events?type=ticket.rated"))["items"]
    return items


async def ticket(api: Api, name: str = "TK-1", contact: str = "KH-1", **fields: Any) -> str:
    """A resolved ticket; answers the path of its page."""
    await api.put(f"/v1/contacts/{contact}", {"name": "Hoa", **fields})
    made = await api.put(f"/v1/records/ticket/{name}", {"contact": contact, "status": "done"})
    return urlsplit(api.engine.rating_links.url(made["id"])).path


async def test_the_link_of_an_email_rates_its_ticket_once(api: Api) -> None:
    async with SmtpStandIn() as server:
        account = {"name": "mail", "type": "email", "config": server.config(), "secrets": server.secrets()}
        await api.post("/v1/channels", account, 201)
        await api.put("/v1/templates/ask", TEMPLATE, 201)
        for definition in (ASK, HEAR):
            await api.post("/v1/workflows", definition, 201)
            await api.post(f"/v1/workflows/{definition['name']}/publish")
        await api.put("/v1/contacts/KH-1", {"name": "Hoa", "email": "hoa@example.com"})
        await api.put("/v1/records/ticket/TK-1", {"contact": "KH-1", "status": "in_progress"})
        await api.put("/v1/records/ticket/TK-1", {"status": "done"})
        await api.work()
        [mail] = server.parsed()
    words, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert words is not None
    assert html is not None
    url = words.get_content().removeprefix("Đánh giá: ").strip()
    four, two = (unescape(one) for one in re.findall(r'href="([^"]+)"', html.get_content()))
    assert (four, two) == (f"{url}?stars=4", f"{url}?stars=2")
    assert url.startswith(f"{api.engine.settings.public_url}/rate/")
    path = urlsplit(url).path

    # What looks at links, however often, rates nothing.
    for one in (four, two, url):
        shown = await api.client.get(one)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await api.client.head(four)).status_code == 200
    assert re.findall(r'value="(\d)" required checked', (await api.client.get(two)).text) == ["2"]
    assert await rated(api) == []

    said = {"stars": "2", "words": "Chờ lâu\r\nquá "}
    thanks = await post(api, path, **said)
    assert (thanks.status_code, "2 trên 5 sao" in thanks.text) == (200, True)
    await api.work()
    [event] = await rated(api)
    assert (event["contact"], event["source"]) == ("KH-1", "rating-page")
    assert event["data"] == {"ticket": "TK-1", "rating": 2, "feedback": "Chờ lâu\nquá"}
    stored = await api.get("/v1/records/ticket/TK-1")
    assert (stored["rating"], stored["feedback"], stored["status"]) == (2, "Chờ lâu\nquá", "done")
    assert (await api.get("/v1/contacts/KH-1"))["status"] == "2 sao"
    assert 'value="2" required checked' in (await api.client.get(path)).text

    again = await post(api, path, **said)
    assert (again.status_code, again.text) == (200, thanks.text)
    assert len(await rated(api)) == 1
    expect_page(await post(api, path, stars="5"), 200)
    await api.work()
    assert len(await rated(api)) == 2
    stored = await api.get("/v1/records/ticket/TK-1")
    assert (stored["rating"], stored["feedback"]) == (5, "Chờ lâu\nquá")
    assert (await api.get("/v1/contacts/KH-1"))["status"] == "5 sao"


def expect_page(response: httpx.Response, status: int) -> str:
    """The page that an answer is; nothing can run on it, or send what is typed somewhere else."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'; base-uri 'none'; frame-ancestors 'none'" in policy
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "<script" not in response.text
    return response.text


async def test_a_page_speaks_the_customer_s_language_and_says_whose_it_is(api: Api) -> None:
    path = await ticket(api, language="en-GB")
    page = expect_page(await api.client.get(path, headers={"accept-language": "vi"}), 200)
    assert '<html lang="en">' in page
    assert "Thank you!" in expect_page(await post(api, path, stars="5"), 200)
    assert '<html lang="vi">' in expect_page(await api.client.get(await ticket(api, "TK-2", "KH-2")), 200)


async def test_a_preview_shows_where_a_link_would_lead(api: Api) -> None:
    path = await ticket(api)
    await api.put("/v1/templates/ask", {"channel_type": "console", "text": "{{ ticket | rating_url }}"}, 201)
    seen = await api.post("/v1/templates/ask/preview", {"contact": "KH-1"})
    assert urlsplit(seen["content"]["text"]).path == path
    made_up = await api.post("/v1/templates/ask/preview", {"data": {"ticket": {"external_id": "TK-2"}}})
    expect_page(await api.client.get(urlsplit(made_up["content"]["text"]).path), 404)


ATTACK = "</textarea><script>alert(1)</script>\"'&"
HOSTILE: dict[str, tuple[bytes, str, int]] = {
    "no stars": (b"words=x", FORM, 422),
    "six stars": (b"stars=6", FORM, 422),
    "stars twice": (b"stars=1&stars=5", FORM, 422),
    "stars that are no number": ("stars=５".encode(), FORM, 422),
    "markup": (urlencode({"stars": "0", "words": ATTACK}).encode(), FORM, 422),
    "a long remark": (urlencode({"stars": "5", "words": ATTACK + "ầ" * LONGEST_WORDS}).encode(), FORM, 422),
    "a NUL": (b"stars=5&words=a%00b", FORM, 400),
    "not UTF-8": (b"stars=5&words=%ff%fe", FORM, 400),
    "many fields": (b"stars=5&" + b"&".join(b"a=1" for _ in range(600)), FORM, 413),
    "a huge body": (b"stars=5&words=" + b"x" * 1_000_000, FORM, 413),
    "JSON": (b'{"stars": 5}', "application/json", 415),
    "another charset": (b"stars=5", f"{FORM}; charset=utf-16", 415),
    "a multipart form": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415),
    "nothing": (b"", "", 415),
}


@pytest.mark.parametrize("story_url", ["sqlite"], indirect=True)
async def test_what_means_harm_gets_the_page_and_stores_nothing(api: Api) -> None:
    path = await ticket(api)
    for name, (body, media, status) in HOSTILE.items():
        response = await api.client.post(path, content=body, headers={"content-type": media} if media else {})
        page = expect_page(response, status)
        assert ('role="alert"' in page, "<form" in page) == (True, True), name
        assert len(page) < 40_000, name
    unknown = str(api.engine.rating_links.token("0197c1f2-6f4b-7a31-9c55-0f1e2d3c4b5a"))
    order = await api.put("/v1/records/order/DH-1", {"contact": "KH-1", "status": "new"})
    nobody = await api.put("/v1/records/ticket/TK-9", {"status": "done"})
    tokens = [
        unknown, path[6:-1] + ("A" if path[-1] != "A" else "B"), path[6:] + "x", "x", "a" * 9000, "%F0%9F%98%80",
        "%3Cscript%3E", "TK-1", *(api.engine.rating_links.token(one["id"]) for one in (order, nobody)),
    ]  # fmt: skip
    gone = set()
    for token in tokens:
        gone.add(expect_page(await api.client.get(f"/rate/{token}"), 404))
        gone.add(expect_page(await post(api, f"/rate/{token}", stars="5"), 404))
    assert len(gone) == 1
    assert (await api.client.get(f"{path}%00")).status_code == 400
    assert await rated(api) == []


@pytest.mark.parametrize("story_url", ["sqlite"], indirect=True)
async def test_a_page_goes_with_its_ticket_or_its_customer(api: Api) -> None:
    deleted, erased = await ticket(api), await ticket(api, "TK-2", "KH-2")
    before = await api.client.get(deleted)
    expect(await api.request("DELETE", "/v1/records/ticket/TK-1"), 204)
    expect(await api.request("POST", "/v1/contacts/KH-2/erase"), 204)
    pages = [expect_page(await api.client.get(one), 404) for one in (deleted, erased)]
    pages += [expect_page(await post(api, one, stars="5"), 404) for one in (deleted, erased)]
    assert before.status_code == 200
    assert len(set(pages)) == 1
    assert await rated(api) == []


@pytest.mark.parametrize("story_url", ["sqlite"], indirect=True)
async def test_what_cannot_be_stored_now_is_not_lost(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await ticket(api)
    api.engine.inbox.overload = Overloaded("behind", 7)
    refused = await post(api, path, stars="3", words="Giữ lại")
    assert refused.headers["retry-after"] == "7"
    page = expect_page(refused, 429)
    assert 'value="3" required checked' in page
    assert "Giữ lại" in page

    async def away(*_: Any) -> None:
        raise StorageUnavailable("away")

    monkeypatch.setattr(Ratings, "look", away)
    assert (await api.client.head(path)).status_code == 503
    expect_page(await post(api, path, stars="3"), 503)


# --- the service ------------------------------------------------------------------------------------------------------


def door(world: World) -> Ratings:
    return world.engine.ratings


async def resolved(world: World) -> str:
    """A resolved ticket; answers the token of its page."""
    await world.happens(
        "ticket.updated", contact={"external_id": "KH-1"}, ticket={"external_id": "TK-1", "status": "new"}
    )
    await world.happens("ticket.updated", ticket={"external_id": "TK-1", "status": "done"})
    [found] = await world.engine.database.read(
        lambda unit: unit.customers.records(world.workspace_id, "ticket", ["TK-1"])
    )
    return world.engine.rating_links.token(found.id)


async def test_of_those_that_come_at_once_to_several_processes_each_counts_once(world: World, second: World) -> None:
    token = await resolved(world)
    doors = [door(world), door(second)]
    same = await asyncio.gather(*(one.rate(token, RatingReply(rating=4)) for one in doors for _ in range(4)))
    assert sorted(len(receipts) for receipts in same) == [0] * 7 + [1]

    await asyncio.gather(*(one.rate(token, RatingReply(rating=1 + place)) for place, one in enumerate(doors)))
    asked = [await one.look(token) for one in doors]
    assert asked[0] == asked[1]
    assert asked[0].rating in (1, 2)


async def test_the_same_stars_for_another_solution_are_told_again(world: World) -> None:
    token = await resolved(world)
    ratings, said = door(world), []
    for status in ("done", "done", "new", "done", "done"):
        world.clock.advance(days=1)
        await world.happens("ticket.updated", ticket={"external_id": "TK-1", "status": status})
        said.append(len(await ratings.rate(token, RatingReply(rating=2))))
    assert said == [1, 0, 0, 1, 0]


async def test_a_page_closes(world: World) -> None:
    token = await resolved(world)
    ratings = door(world)
    for number in range(MOST_RATINGS):
        world.clock.advance(days=1)
        assert await ratings.rate(token, RatingReply(rating=number % 5 + 1))
    assert await ratings.rate(token, RatingReply(rating=5)) == []
    with pytest.raises(RatingFinal):
        await ratings.rate(token, RatingReply(rating=1))
    looks = [ratings.look(token) for _ in range(PER_SECOND)]
    assert Overloaded in {type(one) for one in await asyncio.gather(*looks, return_exceptions=True)}

    world.clock.advance(days=60 - MOST_RATINGS)
    assert (await ratings.look(token)).rating == 5
    world.clock.advance(seconds=timedelta(minutes=1).total_seconds())
    with pytest.raises(NotFound):
        await ratings.look(token)
    with pytest.raises(NotFound):
        await ratings.rate(token, RatingReply(rating=1))
