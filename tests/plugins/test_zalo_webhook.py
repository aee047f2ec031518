"""What ``zalo_zns`` reads out of Zalo's webhook, and what it refuses."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from nhip import Accepted, InboundRequest, MalformedInput, Receipt, ReceiptStatus, SignatureMismatch
from nhip.testing.contexts import MemorySecrets, message, open_channel
from nhip.testing.standins.zalo import ZaloStandIn
from nhip_channels.zalo_zns import ZaloZns

VECTOR = (
    b'{"app_id":"360846524940903967","sender":{"id":"2893352839501541173"},"recipient":{"id":"84987654321"},'
    b'"event_name":"user_received_message","message":{"delivery_time":"1602960467432","msg_id":"15a0cc0bbb13bd4ce403",'
    b'"tracking_id":"t1"},"timestamp":"1602560967477"}'
)
VECTOR_MAC = "e5b04bb6e5481e3f7338465e8e1767abe94cc34a18247f1858f32e3aed26d935"


@pytest.fixture
async def zalo() -> AsyncIterator[ZaloStandIn]:
    async with ZaloStandIn() as zalo:
        yield zalo


@pytest.fixture
async def channel(zalo: ZaloStandIn) -> AsyncIterator[ZaloZns]:
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets()) as channel:
        yield channel


def request(body: bytes, **headers: str) -> InboundRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InboundRequest(method="POST", path="/hooks/channels/zns/token", query={}, headers=named, body=body)


def signed(zalo: ZaloStandIn, fields: dict[str, Any]) -> InboundRequest:
    body = msgspec.json.encode(fields)
    headers = {name.lower(): value for name, value in zalo.events.sign(body).items()}
    return InboundRequest(method="POST", path="/", query={}, headers=headers, body=body)


@pytest.mark.parametrize("prefix", ["mac=", "", "sha256="])
async def test_a_receipt_is_read_and_verified(channel: ZaloZns, prefix: str) -> None:
    inbound = await channel.receive(request(VECTOR, x_zevent_signature=prefix + VECTOR_MAC))
    assert inbound.receipts == (
        Receipt(
            receipt_id="15a0cc0bbb13bd4ce403:delivered",
            status=ReceiptStatus.DELIVERED,
            provider_id="15a0cc0bbb13bd4ce403",
            idempotency_key="t1",
        ),
    )
    assert not inbound.events


def _mac(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


FORGED: list[tuple[str, Callable[[], InboundRequest]]] = [
    ("no signature", lambda: request(VECTOR)),
    ("an empty one", lambda: request(VECTOR, x_zevent_signature="mac=")),
    ("another digest", lambda: request(VECTOR, x_zevent_signature="mac=" + "0" * 64)),
    ("another body", lambda: request(VECTOR.replace(b'"t1"', b'"t2"'), x_zevent_signature="mac=" + VECTOR_MAC)),
    ("one byte more", lambda: request(VECTOR + b" ", x_zevent_signature="mac=" + VECTOR_MAC)),
    ("not ASCII", lambda: request(VECTOR, x_zevent_signature="mac=ế")),
    (
        "signed without the secret",
        lambda: request(VECTOR, x_zevent_signature=_mac(b"360846524940903967", VECTOR, b"1602560967477")),
    ),
    (
        "signed with the app secret",
        lambda: request(
            VECTOR, x_zevent_signature=_mac(b"360846524940903967", VECTOR, b"1602560967477", b"app-secret")
        ),
    ),
    ("no app and no time", lambda: request(b"{}", x_zevent_signature="mac=" + _mac(b"{}", b"oa-secret"))),
]


@pytest.mark.parametrize("forge", [forge for _, forge in FORGED], ids=[name for name, _ in FORGED])
async def test_a_forged_receipt_is_refused(channel: ZaloZns, forge: Callable[[], InboundRequest]) -> None:
    with pytest.raises(SignatureMismatch):
        await channel.receive(forge())


async def test_without_an_oa_secret_nothing_is_believed(zalo: ZaloStandIn) -> None:
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets() | {"oa_secret": ""}) as channel:
        mac = _mac(b"360846524940903967", VECTOR, b"1602560967477")
        with pytest.raises(SignatureMismatch):
            await channel.receive(request(VECTOR, x_zevent_signature=mac))
        assert isinstance(channel.context.secrets, MemorySecrets)
        channel.context.secrets.write(zalo.secrets())
        inbound = await channel.receive(request(VECTOR, x_zevent_signature=VECTOR_MAC))
        assert inbound.receipts, "a secret stored later is noticed"


async def test_the_variants_are_accepted_unless_the_account_is_strict(zalo: ZaloStandIn) -> None:
    body = b'{"oa_id":"2893352839501541173","event_name":"follow","follower":{"id":"1"}}'
    mac = _mac(b"2893352839501541173", body, b"17", b"oa-secret")
    inbound = request(body, x_zevent_signature=mac, x_zevent_timestamp="17")
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets()) as channel:
        assert (await channel.receive(inbound)).events
    async with open_channel(ZaloZns, zalo.config() | {"strict_signature": True}, zalo.secrets()) as channel:
        with pytest.raises(SignatureMismatch):
            await channel.receive(inbound)
        assert (await channel.receive(request(VECTOR, x_zevent_signature=VECTOR_MAC))).receipts


@pytest.mark.parametrize("body", [b"", b"[]", b"hello", b"\xff", b'"x"', b"null"])
async def test_what_is_no_event_is_malformed(channel: ZaloZns, body: bytes) -> None:
    with pytest.raises(MalformedInput):
        await channel.receive(request(body, x_zevent_signature="mac=0"))


async def test_seen_messages_are_read_in_both_shapes(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    inbound = await channel.receive(signed(zalo, zalo.events.seen("u1", "m1", "m2")))
    assert [(receipt.provider_id, receipt.status) for receipt in inbound.receipts] == [
        ("m1", ReceiptStatus.READ),
        ("m2", ReceiptStatus.READ),
    ]
    single = zalo.events.frame("user_seen_message", message={"msg_id": "m3"})
    assert [receipt.receipt_id for receipt in (await channel.receive(signed(zalo, single))).receipts] == ["m3:read"]


async def test_a_rating_is_joined_by_ids(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    [event] = (await channel.receive(signed(zalo, zalo.events.rated("m1", "key-1", 5, "tốt")))).events
    assert event.type == "message.rated"
    assert (event.data["msg_id"], event.data["tracking_id"], event.data["rate"]) == ("m1", "key-1", 5)
    assert event.data["note"] == "tốt"
    assert not event.contact


@pytest.mark.parametrize(("rate", "expected"), [("4", 4), (4, 4), (None, None), ("", None), ("good", None)])
async def test_a_rate_may_be_a_string(channel: ZaloZns, zalo: ZaloStandIn, rate: object, expected: object) -> None:
    fields = zalo.events.frame("user_feedback", message={"msg_id": "m1", "rate": rate, "feedbacks": ["fast"]})
    [event] = (await channel.receive(signed(zalo, fields))).events
    assert (event.data["rate"], event.data["feedbacks"]) == (expected, ["fast"])


async def test_a_reply_names_the_person(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    [event] = (await channel.receive(signed(zalo, zalo.events.text("u1", "Còn hàng không?")))).events
    assert (event.type, event.contact, event.data["text"]) == (
        "message.replied",
        {"zalo_user_id": "u1"},
        "Còn hàng không?",
    )


async def test_followers_come_and_go(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    events = [
        event
        for fields in (zalo.events.followed("u1"), zalo.events.unfollowed("u1"))
        for event in (await channel.receive(signed(zalo, fields))).events
    ]
    assert [(event.type, event.contact) for event in events] == [
        ("zalo.followed", {"zalo_user_id": "u1"}),
        ("zalo.unfollowed", {"zalo_user_id": "u1"}),
    ]


@pytest.mark.parametrize("name", ["oa_send_text", "change_template_status", "", "something_new"])
async def test_other_events_mean_nothing(channel: ZaloZns, zalo: ZaloStandIn, name: str) -> None:
    inbound = await channel.receive(signed(zalo, zalo.events.frame(name, message="not an object")))
    assert not inbound.receipts
    assert not inbound.events


async def test_the_stand_in_pushes_receipts_until_they_are_taken(zalo: ZaloStandIn) -> None:
    """A real hook in front of the channel: it fails twice, then takes what Zalo repeats."""
    got: list[Receipt] = []
    statuses = [500, 503]
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets()) as channel:

        async def hook(incoming: web.Request) -> web.Response:
            if statuses:
                return web.Response(status=statuses.pop())
            headers = {name.lower(): value for name, value in incoming.headers.items()}
            body = await incoming.read()
            inbound = await channel.receive(
                InboundRequest(method="POST", path=incoming.path, query={}, headers=headers, body=body)
            )
            got.extend(inbound.receipts)
            assert headers["num_retry"] == "2"
            return web.Response()

        app = web.Application()
        app.router.add_post("/hook", hook)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        zalo.webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        zalo.pusher.retries = (0.01, 0.01, 0.01)
        [outcome] = await channel.send(
            [message("+84987654321", "key-1", provider_template_id="1", params={"a": "b"})], 1
        )
        async with asyncio.timeout(5):
            await zalo.pusher.drain()
        await runner.cleanup()
    assert isinstance(outcome, Accepted)
    assert [(receipt.idempotency_key, receipt.provider_id) for receipt in got] == [("key-1", outcome.provider_id)]
    assert zalo.pusher.outcomes == [503, 500, 200]
