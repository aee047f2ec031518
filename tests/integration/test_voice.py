"""Telephone calls through three providers: the answer is the workflow's, in the request itself, and never twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nhip.domain.errors import StorageUnavailable
from nhip.testing.standins.faults import Fault
from nhip.testing.standins.twilio import TwilioCall
from tests.support.api import Api, expect
from tests.support.telephones import HOTLINE, PROVIDERS, Line, Telephone, reach, telephone

CALLER = "+84987654321"
STORE, FALLBACK = "+842473000001", "+842873000009"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPEN = {"from": "00:00", "to": "00:00"}
CLOSED = {"days": [DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]], "from": "09:00", "to": "10:00"}
ROUTE: dict[str, Any] = {
    "menu": "Bấm 1 để gặp chăm sóc khách hàng, bấm 2 để được tư vấn.",
    "options": {"1": "care", "2": {"to": "advice", "say": "Xin giữ máy."}, "3": {"hang_up": True}},
    "returning_caller": "last_store",
    "hours": OPEN,
    "stores": {"CH-1": {"to": "024 7300 0001"}},
    "fallback": FALLBACK,
    "repeats": 1,
    "key_seconds": 1,
}

Install = Callable[..., Awaitable[None]]


@pytest.fixture(params=PROVIDERS)
async def phone(request: pytest.FixtureRequest, api: Api) -> AsyncIterator[Telephone]:
    """An account that takes calls."""
    async with telephone(request.param, api) as opened:
        await opened.open()
        yield opened


@pytest.fixture
def install(api: Api) -> Install:
    """Publishes a workflow that routes calls, and tags the caller with where the call went."""

    async def publish(name: str = "calls", **changes: Any) -> None:
        workflow = {
            "name": name,
            "triggers": [{"id": "called", "type": "ivr_call", "config": {"numbers": ["028 7300 0000"]}}],
            "steps": [
                {"id": "route", "action": "route_call", "config": {**ROUTE, **changes}},
                {"id": "mark", "action": "update_contact", "config": {"add_tags": ["{{ steps.route.outcome }}"]}},
            ],
        }
        await api.post("/v1/workflows", workflow, 201)
        await api.post(f"/v1/workflows/{name}/publish")

    return publish


async def events(api: Api) -> list[dict[str, Any]]:
    """What happened in calls, the oldest first."""
    found = (await api.get("/v1/events"))["items"]
    return [one for one in found if one["type"].startswith("call.")][::-1]


async def kinds(api: Api) -> list[str]:
    return [one["type"].removeprefix("call.") for one in await events(api)]


async def outcome(api: Api) -> tuple[str, dict[str, Any]]:
    """How the one run's routing came out, after the workers did what was left."""
    await api.work()
    [run] = (await api.get("/v1/runs"))["items"]
    assert run["state"] == "completed"
    step = (await api.get(f"/v1/runs/{run['id']}"))["trace"][0]
    return step["outcome"], step["output"]


async def order(api: Api, store: str) -> None:
    await api.put("/v1/contacts/KH-1", {"name": "Anh", "phone": CALLER, "store": "CH-9"})
    await api.put("/v1/records/order/DH-1", {"contact": "KH-1", "status": "delivered", "store": store})


async def test_a_key_leads_to_a_department(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in()
    assert line.gathers
    assert "Bấm 1" in line.spoken
    await line.press("1")
    assert line.rung == "care"
    await line.picked_up()
    await line.hang_up()
    assert await kinds(api) == ["inbound", "keypress", "transferred", "ended"]
    said, output = await outcome(api)
    assert said == "care"
    assert (output["digits"], output["target"], output["keys"]) == ("1", "care", ["1"])
    [contact] = (await api.get("/v1/contacts?phone=0987654321"))["items"]
    assert contact["tags"] == ["care"]


async def test_words_come_before_another_department(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in()
    await line.press("2")
    assert line.spoken.endswith("Xin giữ máy.")
    assert line.rung == "advice"
    await line.hang_up()
    assert (await outcome(api))[0] == "advice"


async def test_a_returning_caller_goes_to_the_last_store(api: Api, phone: Telephone, install: Install) -> None:
    await order(api, "CH-1")
    await install()
    line = await phone.dial_in()
    assert line.rung == STORE
    await line.picked_up()
    await line.hang_up()
    assert (await outcome(api))[0] == "store:CH-1"
    [inbound, *_] = await events(api)
    assert inbound["data"]["last_store"] == "CH-1"
    assert (await api.get("/v1/contacts/KH-1"))["tags"] == ["store:CH-1"]


async def test_whoever_calls_from_a_number_that_gave_way_is_known_still(
    api: Api, twilio: Telephone, install: Install
) -> None:
    await order(api, "CH-1")
    await api.put("/v1/contacts/KH-2", {"phone": "+84911111111"})
    await api.post("/v1/contacts/KH-2/merge", {"from": "KH-1", "keep": {"phone": "KH-2"}})
    await install()
    line = await twilio.dial_in(CALLER)
    assert line.rung == STORE
    assert {one["subject"] for one in await events(api)} == {"KH-2"}


async def test_a_store_that_does_not_answer_falls_back_to_the_menu(
    api: Api, phone: Telephone, install: Install
) -> None:
    await order(api, "CH-1")
    await install()
    line = await phone.dial_in()
    await line.missed()
    assert line.gathers
    await line.press("1")
    await line.missed()
    assert line.rung == FALLBACK
    await line.missed()
    assert "gọi lại sau" in line.spoken
    assert line.is_over
    assert (await outcome(api))[0] == "missed"


async def test_a_closed_store_leads_to_the_menu(api: Api, phone: Telephone, install: Install) -> None:
    await order(api, "CH-1")
    await install(hours=CLOSED)
    line = await phone.dial_in()
    assert line.gathers


async def test_a_hidden_number_leads_to_the_menu_and_belongs_to_one_contact(
    api: Api, phone: Telephone, install: Install
) -> None:
    await install()
    first, second = await phone.dial_in(None), await phone.dial_in(None)
    assert first.gathers
    assert second.gathers
    await first.press("1")
    assert (first.rung, second.rung) == ("care", None)
    await second.press("2")
    assert (first.rung, second.rung) == ("care", "advice")
    [inbound, *_] = await events(api)
    assert (inbound["data"]["hidden"], inbound["data"]["from"]) == (True, None)
    assert {one["subject"] for one in await events(api)} == {"anonymous:hotline"}
    assert len((await api.get("/v1/contacts"))["items"]) == 1


async def test_a_wrong_key_repeats_the_menu_and_then_falls_back(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in()
    await line.press("9")
    assert line.gathers
    assert "không đúng" in line.spoken
    await line.press("8")
    assert line.rung == FALLBACK
    await line.hang_up()
    said, output = await outcome(api)
    assert (said, output["digits"], output["keys"]) == (FALLBACK, "", ["9", "8"])


async def test_no_key_repeats_the_menu(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in()
    await line.press("")
    assert line.gathers
    assert "không đúng" not in line.spoken
    assert line.spoken.count("Bấm 1") == 2


async def test_a_retry_gets_the_same_answer_and_starts_nothing(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in()
    first, again = await line.repeat()
    assert first == again
    assert first
    await line.press("1")
    first, again = await line.repeat()
    assert first == again
    assert await kinds(api) == ["inbound", "keypress"]
    assert len((await api.get("/v1/runs"))["items"]) == 1


async def test_requests_that_come_at_once_are_one_call(api: Api, twilio: Telephone, install: Install) -> None:
    await install()
    provider: Any = twilio.provider
    call = TwilioCall(provider, f"{twilio.control}/answer", None, CALLER, HOTLINE, "inbound")
    asked = (f"{twilio.control}/answer", {"CallStatus": "ringing"})
    replies = await asyncio.gather(*(call._post(*asked) for _ in range(5)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert b"Gather" in replies[0].body
    assert await kinds(api) == ["inbound"]
    lines = await asyncio.gather(*(twilio.dial_in(f"+8498765430{n}") for n in range(8)))
    await asyncio.gather(*(line.press("1") for line in lines))
    assert [line.rung for line in lines] == ["care"] * 8


async def test_a_forged_request_is_refused_and_nothing_stored(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    method, url, headers, body = phone.forged()
    send = reach(api)
    assert (await send(method, url, headers, body)).status == 401
    assert (await send(method, url.replace("/answer", "/event"), headers, body)).status == 401
    assert (await send(method, url.replace("/hotline/", "/other/"), headers, body)).status == 404
    assert await events(api) == []
    assert (await api.get("/v1/contacts"))["items"] == []


async def test_a_call_may_end_in_the_menu(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in()
    await line.hang_up()
    assert await kinds(api) == ["inbound", "ended"]
    assert (await outcome(api))[0] == "ended"


async def test_whom_no_workflow_concerns_hears_a_polite_word(api: Api, phone: Telephone, install: Install) -> None:
    await install()
    line = await phone.dial_in(called="+842873000077")
    assert "Cảm ơn quý khách đã gọi" in line.spoken
    assert line.is_over
    assert await kinds(api) == ["inbound", "ended"]


async def test_trouble_is_heard_as_an_apology_and_never_a_500(
    api: Api, phone: Telephone, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    await install()

    async def fails(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("the database is away")

    token = phone.control.rpartition("/")[2]
    expect(await api.client.get(f"/hooks/channels/{phone.name}/{token}"), 200)  # the account is known from now on
    monkeypatch.setattr(api.engine.database, "transact", fails)
    line = await phone.dial_in()
    assert "sự cố" in line.spoken
    monkeypatch.undo()
    assert await kinds(api) in ([], ["ended"])


async def test_what_cannot_be_read_is_never_a_500(api: Api, phone: Telephone) -> None:
    send = reach(api)
    for body in (b"", b"{", b"[]", b"\xff\xfe", b"null", b"CallSid=", b'{"type": 5}'):
        for method in ("GET", "POST"):
            for path in ("/answer", "/answer?turn=99999999999999999999", "/event", "/answer?turn=-1&key=%00"):
                reply = await send(method, f"{phone.control}{path}", {}, body)
                assert reply.status in (400, 401), (method, path, body, reply)


# --- what a workflow says ---------------------------------------------------------------------------------------------


@pytest.fixture
async def twilio(api: Api) -> AsyncIterator[Telephone]:
    """One provider is enough for what is the workflow's alone."""
    async with telephone("twilio", api) as opened:
        await opened.open()
        yield opened


async def test_only_one_workflow_answers_a_call(api: Api, twilio: Telephone, install: Install) -> None:
    await install("first")
    await install("second", menu="Bấm 5.", options={"5": "other"})
    line = await twilio.dial_in()
    await line.press("1")
    assert line.rung == "care"
    await line.hang_up()
    await api.work()
    runs = {run["workflow"]: run["id"] for run in (await api.get("/v1/runs"))["items"]}
    outcomes = {name: (await api.get(f"/v1/runs/{one}"))["trace"][0]["outcome"] for name, one in runs.items()}
    assert outcomes == {"first": "care", "second": "taken"}


async def test_a_key_after_the_end_changes_nothing(api: Api, twilio: Telephone, install: Install) -> None:
    await install()
    line: Any = await twilio.dial_in()
    gather = line.call.waits_for
    await line.hang_up()
    line.call.waits_for = gather
    await line.press("1")
    assert line.rung is None
    assert await kinds(api) == ["inbound", "ended"]


async def test_an_employee_is_rung_at_their_number_and_one_who_left_is_not(
    api: Api, twilio: Telephone, install: Install
) -> None:
    await api.put("/v1/staff/NV-1", {"name": "Lan", "phone": "0901234567"})
    await install(options={"1": "staff:NV-1", "2": "staff:NV-9"}, ring_seconds=15)
    line: Any = await twilio.dial_in()
    await line.press("1")
    assert line.rung == "+84901234567"
    assert line.call.waits_for.attributes["timeout"] == "15"
    other = await twilio.dial_in("+84911111111")
    await other.press("2")
    assert other.rung == FALLBACK


async def test_a_menu_below_a_menu_and_a_spoken_message(api: Api, twilio: Telephone, install: Install) -> None:
    below = {"menu": "Bấm 1 để để lại lời nhắn.", "options": {"1": {"record": True, "say": "Xin mời nói."}}}
    await install(options={"4": below})
    line: Any = await twilio.dial_in()
    await line.press("4")
    assert line.spoken.endswith("lời nhắn.")
    await line.press("1")
    assert line.call.waits_for.name == "Record"
    await line.call.recorded("https://api.twilio.com/recordings/RE1")
    assert line.is_over
    assert await kinds(api) == ["inbound", "keypress", "keypress", "recorded", "ended"]
    said, output = await outcome(api)
    assert (said, output["digits"]) == ("record", "41")


async def test_a_broken_workflow_leaves_a_polite_word(api: Api, twilio: Telephone, install: Install) -> None:
    await install(menu="Chào {{ contact.nobody.here }}")
    line = await twilio.dial_in()
    assert "Cảm ơn quý khách đã gọi" in line.spoken
    await api.work()
    [run] = (await api.get("/v1/runs"))["items"]
    assert run["state"] == "failed"


async def test_trouble_may_ring_a_number_instead(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async with telephone("twilio", api) as phone:
        await phone.open(fallback_number="+842873000099")

        async def fails(*_: Any, **__: Any) -> Any:
            raise StorageUnavailable("the database is away")

        token = phone.control.rpartition("/")[2]
        expect(await api.client.get(f"/hooks/channels/{phone.name}/{token}"), 200)
        monkeypatch.setattr(api.engine.database, "transact", fails)
        line = await phone.dial_in()
        assert line.rung == "+842873000099"


# --- calls that we place ----------------------------------------------------------------------------------------------


async def announce(api: Api, phone: Telephone) -> None:
    """Publish a workflow that calls whoever's order is delivered."""
    template = {"channel_type": phone.provider.provider, "message_class": "transactional", "text": "Đơn hàng đã giao."}
    await api.put("/v1/templates/tell", template, 201)
    config = {"channel": "hotline", "template": "tell"}
    workflow = {
        "name": "tell",
        "triggers": [{"id": "t", "type": "event", "config": {"type": "shop.delivered"}}],
        "steps": [{"id": "call", "action": "send_message", "config": config}],
    }
    await api.post("/v1/workflows", workflow, 201)
    await api.post("/v1/workflows/tell/publish")


@pytest.fixture
async def calling(api: Api, phone: Telephone) -> Telephone:
    """The same, for the account that takes calls."""
    await announce(api, phone)
    return phone


async def call_out(api: Api, phone: Telephone, number: str) -> dict[str, Any]:
    """Let something happen that calls somebody; answers the delivery in the end."""
    data = {"contact": {"external_id": "KH-1", "phone": number}}
    await api.send({"id": "1", "source": "shop", "type": "shop.delivered", "specversion": "1.0", "data": data})
    await api.work()
    await phone.settled()
    await api.engine.executor.reconcile()  # for a report that came in the very moment of our answer: see below
    [delivery] = (await api.get("/v1/deliveries"))["items"]
    return dict(delivery)


async def test_a_call_that_is_picked_up_says_the_message_and_is_delivered(api: Api, calling: Telephone) -> None:
    delivery = await call_out(api, calling, CALLER)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    placed: Any = calling.provider
    if calling.provider.provider == "voice_asterisk":
        [channel] = placed.channels.values()
        assert "giao" in "".join(channel.media)
        assert not channel.alive
    else:
        [call] = placed.placed
        assert call.spoken == "Đơn hàng đã giao."
    [ended] = await events(api)
    assert (ended["type"], ended["subject"]) == ("call.ended", "KH-1")
    assert (ended["data"]["direction"], ended["data"]["outcome"]) == ("outbound", "answered")


async def test_an_account_can_be_tried_out(api: Api, calling: Telephone) -> None:
    account = await api.get("/v1/channels/hotline")
    assert account["hook"]["answer_url"].endswith(f"/voice/hotline/{account['hook']['token']}/answer")
    tried = await api.post("/v1/channels/hotline/test", {"to": "0987654321", "template": "tell"})
    assert tried["outcome"] == "accepted"
    await calling.settled()
    placed: Any = calling.provider
    if calling.provider.provider != "voice_asterisk":
        assert placed.placed[0].spoken == "Đây là cuộc gọi thử."
    assert await events(api) == []


@pytest.mark.parametrize(("number", "reason"), [("+84900000480", "no_answer"), ("+84900000486", "busy")])
async def test_a_call_that_is_not_picked_up_has_failed(api: Api, calling: Telephone, number: str, reason: str) -> None:
    delivery = await call_out(api, calling, number)
    assert (delivery["state"], delivery["reason"]) == ("failed", reason)
    [ended] = await events(api)
    assert ended["data"]["outcome"] == reason


async def test_a_call_that_is_over_before_the_provider_says_which_it_is_is_told_once(api: Api) -> None:
    """Only the end names the call, and whose call that is comes with the answer afterwards."""
    async with telephone("stringee", api) as stringee:
        await stringee.open()
        await announce(api, stringee)
        stringee.provider.faults.slow_seconds = 0.2
        stringee.provider.faults.script([Fault.SLOW])
        delivery = await call_out(api, stringee, "+84900000486")
        assert (delivery["state"], delivery["reason"]) == ("failed", "busy")
        [ended] = await events(api)
        assert (ended["type"], ended["subject"]) == ("call.ended", "KH-1")
        assert (ended["data"]["delivery"], ended["data"]["outcome"]) == (delivery["id"], "busy")
        assert ended["data"]["direction"] == "outbound"


async def test_a_call_whose_end_and_answer_are_stored_in_the_same_moment_is_told_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither unit sees the other's rows then; the next look around does."""
    async with telephone("stringee", api) as stringee:
        await stringee.open()
        await announce(api, stringee)
        stringee.provider.faults.slow_seconds = 0.2
        stringee.provider.faults.script([Fault.SLOW])
        with monkeypatch.context() as blind:
            blind.setattr(api.engine.receipts, "adopt_parked", lambda *_: None)
            data = {"contact": {"external_id": "KH-1", "phone": "+84900000486"}}
            await api.send({"id": "1", "source": "shop", "type": "shop.delivered", "specversion": "1.0", "data": data})
            await api.work()
            await stringee.settled()
        [delivery] = (await api.get("/v1/deliveries"))["items"]
        assert (delivery["state"], await events(api)) == ("accepted", [])
        for _ in range(2):
            await api.engine.executor.reconcile()
            [delivery] = (await api.get("/v1/deliveries"))["items"]
            assert (delivery["state"], delivery["reason"]) == ("failed", "busy")
            [ended] = await events(api)
            assert (ended["type"], ended["data"]["outcome"]) == ("call.ended", "busy")


async def test_a_contact_that_is_erased_leaves_no_call(api: Api, twilio: Telephone, install: Install) -> None:
    await install()
    await twilio.dial_in()
    other = await twilio.dial_in("+84911111111")
    [contact] = (await api.get("/v1/contacts?phone=0987654321"))["items"]
    expect(await api.request("POST", f"/v1/contacts/{contact['external_id']}/erase"), 204)

    def left(unit: Any) -> list[str]:
        text = "/* by the test itself */ SELECT call_id FROM calls UNION SELECT call_id FROM call_answers"
        return [row[0] for row in unit.connection.exec_driver_sql(text)]

    assert await api.engine.database.read(left) == [other.call_id]


async def test_calls_are_deleted_when_they_are_old(api: Api, twilio: Telephone, install: Install) -> None:
    await install()
    line: Line = await twilio.dial_in()
    await line.hang_up()
    now = api.engine.clock.micros()

    def delete(unit: Any, before: int) -> int:
        return int(unit.calls.delete_old(before, 10))

    assert await api.engine.database.transact(delete, now - 10**12) == 0
    assert await api.engine.database.transact(delete, now + 10**9) == 1
