"""The action ``call_webhook`` against a real HTTP server: what it sends, and what each answer means."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiohttp import web

from nhip import (
    ActionFailed,
    ActionUnavailable,
    AmbiguousOutcome,
    Facts,
    HttpClient,
    NotSentError,
)
from nhip.adapters.http import GuardedClient
from nhip.adapters.templates import TemplateRenderer
from nhip_actions.call_webhook import CallWebhook, CallWebhookConfig

RENDERER = TemplateRenderer()


class Context:
    """A step that has half a second left."""

    now = datetime(2026, 11, 21, 1, tzinfo=UTC)
    idempotency_key = "k" * 26
    timeout = 0.5

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self.contact = {"external_id": "KH 1", "name": "Hoàng Anh"}

    @property
    def facts(self) -> Facts:
        return {"contact": self.contact}

    @property
    def http(self) -> HttpClient:
        return self._http

    def render(self, value: Any) -> Any:
        return RENDERER.render_value(value, self.facts)


class System:
    """The other side: keeps the requests, answers as told."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = web.Response(text='{"id": 7}', content_type="application/json")
        self.delay = 0.0

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.path_qs, headers, await request.read()))
        await asyncio.sleep(self.delay)
        return self.answer


@pytest.fixture
async def system() -> AsyncIterator[System]:
    system = System()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", system.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    system.url = f"http://{host}:{port}"
    yield system
    await runner.cleanup()


@pytest.fixture
async def context() -> AsyncIterator[Context]:
    client = GuardedClient(allow_private=True)
    yield Context(client)
    await client.close()


async def call(context: Context, url: str, **config: Any) -> Any:
    return await CallWebhook().run(context, msgspec.convert({"url": url, **config}, CallWebhookConfig))


async def test_json_goes_out_with_the_key_that_stays_the_same(context: Context, system: System) -> None:
    output = await call(
        context,
        system.url + "/customers/{{ contact.external_id | urlencode }}",
        method="PUT",
        headers={"X-Name": "{{ contact.external_id }}", "content-type": "application/vnd.pos+json"},
        body={"group": "VIP", "names": ["{{ contact.name }}"], "count": 2},
    )

    ((method, path, headers, body),) = system.requests
    assert (method, path) == ("PUT", "/customers/KH%201")
    assert headers["idempotency-key"] == context.idempotency_key
    assert headers["x-name"] == "KH 1"
    assert headers["content-type"] == "application/vnd.pos+json"
    assert msgspec.json.decode(body) == {"group": "VIP", "names": ["Hoàng Anh"], "count": 2}
    assert output == {"status": 200, "body": {"id": 7}}


async def test_a_text_goes_out_as_it_is(context: Context, system: System) -> None:
    await call(context, system.url, body="Chào {{ contact.name }}")

    (_, _, headers, body) = system.requests[0]
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert body.decode() == "Chào Hoàng Anh"


async def test_without_a_body_nothing_is_sent(context: Context, system: System) -> None:
    await call(context, system.url, method="GET")

    (_, _, headers, body) = system.requests[0]
    assert body == b""
    assert headers.get("content-length", "0") == "0"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": 204}, {"status": 204, "body": None}),
        ({"status": 201, "text": "không phải JSON\0"}, {"status": 201, "body": "không phải JSON"}),
        ({"status": 200, "body": b"\xff"}, {"status": 200, "body": "\ufffd"}),
    ],
)
async def test_the_answer_becomes_the_output(
    context: Context, system: System, answer: dict[str, Any], expected: dict[str, Any]
) -> None:
    system.answer = web.Response(**answer)

    assert await call(context, system.url) == expected


@pytest.mark.parametrize(
    ("status", "method", "error"),
    [
        (301, "POST", ActionFailed),
        (400, "POST", ActionFailed),
        (404, "GET", ActionFailed),
        (409, "POST", ActionFailed),
        (429, "POST", ActionUnavailable),
        (503, "POST", ActionUnavailable),
        (500, "POST", AmbiguousOutcome),
        (502, "DELETE", AmbiguousOutcome),
        (500, "GET", ActionUnavailable),
    ],
)
async def test_what_a_status_means(
    context: Context, system: System, status: int, method: str, error: type[Exception]
) -> None:
    system.answer = web.Response(status=status)

    with pytest.raises(error, match=f"the answer was {status}"):
        await call(context, system.url, method=method)


@pytest.mark.parametrize(("status", "fine"), [(404, True), (200, False), (503, True)])
async def test_the_statuses_expected_are_the_ones_that_count(
    context: Context, system: System, status: int, fine: bool
) -> None:
    system.answer = web.Response(status=status)
    if fine:
        assert (await call(context, system.url, expect=[404, 503]))["status"] == status
    else:
        with pytest.raises(ActionFailed):
            await call(context, system.url, expect=[404, 503])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("Sat, 21 Nov 2026 01:02:00 GMT", 120.0), ("Sat, 21 Nov 2020 01:02:00 GMT", 0.0), ("soon", None)],
)
async def test_retry_after_is_kept(context: Context, system: System, value: str, seconds: float | None) -> None:
    system.answer = web.Response(status=429, headers={"Retry-After": value})

    with pytest.raises(ActionUnavailable) as raised:
        await call(context, system.url)
    assert raised.value.retry_after == seconds


async def test_after_silence_nobody_knows_but_a_get_has_no_effect(context: Context, system: System) -> None:
    system.delay = 2.0

    with pytest.raises(AmbiguousOutcome):
        await call(context, system.url)
    with pytest.raises(ActionUnavailable):
        await call(context, system.url, method="GET")


async def test_what_was_refused_at_the_door_was_not_sent(context: Context) -> None:
    with pytest.raises(NotSentError):
        await call(context, "http://127.0.0.1:1/")


async def test_a_customers_name_cannot_make_a_header(context: Context, system: System) -> None:
    context.contact = {"name": "Anh\r\nX-Admin: 1"}

    with pytest.raises(ActionFailed, match="the header X-Name has a line break"):
        await call(context, system.url, headers={"X-Name": "{{ contact.name }}"})
    assert system.requests == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"url": "https://pos.example/x"}, []),
        ({"url": "https://{{ contact.name }}/x"}, [("url", "bad_url")]),
        ({"url": "ftp://pos.example"}, [("url", "bad_url")]),
        ({"url": "pos.example/x"}, [("url", "bad_url")]),
        ({"url": "https://a.vn", "headers": {"Host": "b"}}, [("headers.Host", "not_allowed")]),
        ({"url": "https://a.vn", "headers": {"idempotency-key": "b"}}, [("headers.idempotency-key", "not_allowed")]),
    ],
)
def test_a_request_that_cannot_be_made_is_refused(config: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = CallWebhook().check(msgspec.convert(config, CallWebhookConfig))

    assert [(problem.path, problem.code) for problem in found] == expected
