"""The channel ``sms_esms`` against a stand-in that speaks eSMS's protocol."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from nhip import (
    Accepted,
    Ambiguous,
    Content,
    InboundRequest,
    MalformedInput,
    NotSent,
    Outcome,
    Receipt,
    ReceiptStatus,
    Rejected,
    RejectionReason,
)
from nhip.testing.contexts import MemorySecrets, message, open_channel
from nhip.testing.standins import Fault
from nhip.testing.standins.esms import DEDUPE_SECONDS, UNDELIVERED, EsmsAccount, EsmsStandIn
from nhip.testing.standins.server import Answer
from nhip_channels.sms_esms import SmsEsms

PHONE = "+84987654321"


@pytest.fixture
async def esms() -> AsyncIterator[EsmsStandIn]:
    async with EsmsStandIn() as esms:
        yield esms


@pytest.fixture
async def channel(esms: EsmsStandIn) -> AsyncIterator[SmsEsms]:
    async with open_channel(SmsEsms, esms.config(), esms.secrets()) as channel:
        yield channel


async def send(
    channel: SmsEsms, to: str = PHONE, key: str = "key-1", text: str = "Đơn hàng đã giao", timeout: float = 1.0
) -> Outcome:
    [outcome] = await channel.send([message(to, key, text=text)], timeout)
    return outcome


async def test_a_message_goes_out_without_diacritics(channel: SmsEsms, esms: EsmsStandIn) -> None:
    outcome = await send(channel)
    [entry] = esms.ledger.entries
    assert outcome == Accepted(provider_id=entry.provider_id)
    assert (entry.reference, entry.address) == ("key-1", "0987654321")
    assert entry.content == {
        "Content": "Don hang da giao",
        "Brandname": "NHIP",
        "SmsType": "2",
        "IsUnicode": "0",
    }


@pytest.mark.parametrize("sms_type", ["2", "8", 2, 8])
async def test_unicode_keeps_diacritics(esms: EsmsStandIn, sms_type: object) -> None:
    config = esms.config() | {"unicode": True, "sms_type": sms_type}
    async with open_channel(SmsEsms, config, esms.secrets()) as channel:
        assert isinstance(await send(channel), Accepted)
    content = esms.ledger.entries[0].content
    assert (content["Content"], content["IsUnicode"]) == ("Đơn hàng đã giao", "1")
    assert content["SmsType"] == str(sms_type)


async def test_the_same_key_twice_is_one_effect(channel: SmsEsms, esms: EsmsStandIn) -> None:
    esms.faults.script([Fault.ERROR_AFTER])
    assert isinstance(await send(channel), Ambiguous)
    assert await send(channel) == Accepted()
    assert esms.ledger.references() == {"key-1": 1}


async def test_a_key_is_remembered_for_a_day() -> None:
    now = [datetime.now(UTC).timestamp()]
    async with (
        EsmsStandIn(clock=lambda: now[0]) as esms,
        open_channel(SmsEsms, esms.config(), esms.secrets()) as channel,
    ):
        await send(channel)
        now[0] += DEDUPE_SECONDS - 1
        await send(channel)
        assert len(esms.ledger) == 1
        now[0] += 2
        await send(channel)
        assert len(esms.ledger) == 2
    assert SmsEsms.dedupe_seconds == DEDUPE_SECONDS


CODES = {
    RejectionReason.UNREACHABLE: "99 108",
    RejectionReason.INVALID: "110 201 210",
    RejectionReason.CONFIGURATION: "101 102 103 104 118 140 143 146 177 300 789 999",
}


@pytest.mark.parametrize(
    ("reason", "code"), [(reason, code) for reason, codes in CODES.items() for code in codes.split()], ids=str
)
async def test_each_rejection_has_its_reason(
    channel: SmsEsms, esms: EsmsStandIn, reason: RejectionReason, code: str
) -> None:
    outcome = await send(channel, f"+84900000{code:0>3}")
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (reason, code)
    assert len(esms.ledger) == 0


async def test_too_many_a_second_waits_and_does_not_count(channel: SmsEsms) -> None:
    outcome = await send(channel, "+84900000160")
    assert isinstance(outcome, NotSent)
    assert not outcome.counts
    assert outcome.retry_after


async def test_a_request_still_at_work_is_asked_again(channel: SmsEsms) -> None:
    assert isinstance(await send(channel, "+84900000199"), Ambiguous)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.SLOW])
async def test_what_nobody_knows_is_ambiguous_and_can_be_repeated(
    channel: SmsEsms, esms: EsmsStandIn, fault: Fault
) -> None:
    esms.faults.script([fault])
    assert isinstance(await send(channel, timeout=0.3), Ambiguous)
    assert isinstance(await send(channel), Accepted)
    assert esms.ledger.references() == {"key-1": 1}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(body=b'{"error":"Invalid request"}'), Rejected),
        (Answer(body=b'{"CodeResult":100,"SMSID":17}'), Accepted),
        (Answer(body=b"<html>"), Ambiguous),
        (Answer(body=b"[]"), Ambiguous),
        (Answer(status=404, body=b"Endpoint not found."), Rejected),
        (Answer(status=429), NotSent),
        (Answer(status=502), Ambiguous),
    ],
)
async def test_answers_are_read_tolerantly(
    channel: SmsEsms, esms: EsmsStandIn, answer: Answer, expected: type[Outcome]
) -> None:
    esms.intercept = lambda _request: answer
    assert isinstance(await send(channel), expected)


async def test_the_tables_of_the_account_are_checked() -> None:
    account = EsmsAccount(templates=("Don hang",))
    async with (
        EsmsStandIn(account=account, balance=1_000) as esms,
        open_channel(SmsEsms, esms.config() | {"brandname": "OTHER"}, esms.secrets()) as unknown,
        open_channel(SmsEsms, esms.config(), esms.secrets()) as known,
    ):
        outcomes = [
            await send(unknown),
            await send(known, text="Khuyen mai"),
            await send(known, to="+8412"),
            await send(known),
            await send(known, key="key-2"),
        ]
    assert [outcome.code if isinstance(outcome, Rejected) else "100" for outcome in outcomes] == [
        *("104", "146", "108", "100", "103")
    ]


async def test_the_sandbox_sends_nothing(esms: EsmsStandIn) -> None:
    async with open_channel(SmsEsms, esms.config() | {"sandbox": True}, esms.secrets()) as channel:
        assert isinstance(await send(channel), Accepted)
    assert len(esms.ledger) == 0


async def test_secrets_that_were_changed_are_read_anew(esms: EsmsStandIn) -> None:
    async with open_channel(SmsEsms, esms.config(), esms.secrets() | {"secret_key": "old"}) as channel:
        assert isinstance(await send(channel), Rejected)
        assert isinstance(channel.context.secrets, MemorySecrets)
        channel.context.secrets.write(esms.secrets())
        assert isinstance(await send(channel), Accepted)


async def test_a_bare_origin_gets_the_path(esms: EsmsStandIn) -> None:
    async with open_channel(SmsEsms, esms.config() | {"base_url": esms.base_url}, esms.secrets()) as channel:
        assert isinstance(await send(channel), Accepted)


def test_a_template_names_what_is_missing() -> None:
    assert [problem.path for problem in SmsEsms.check_content(Content(subject="x"))] == ["text"]
    assert not SmsEsms.check_content(Content(text="x"))


# --- callbacks --------------------------------------------------------------------------------------------------------


def callback(**query: str) -> InboundRequest:
    return InboundRequest(method="GET", path="/hooks/channels/sms/token", query=query, headers={}, body=b"")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"SendStatus": "5", "SendSuccess": "1", "SendFailed": "0"}, ReceiptStatus.DELIVERED),
        ({"SendStatus": "5", "SendSuccess": "0", "SendFailed": "1"}, ReceiptStatus.FAILED),
        ({"SendStatus": "5"}, ReceiptStatus.ACCEPTED),
        ({"SendStatus": "4"}, ReceiptStatus.FAILED),
        ({"SendStatus": "1"}, ReceiptStatus.ACCEPTED),
        ({"SendStatus": "2"}, ReceiptStatus.ACCEPTED),
        ({"SendStatus": "7"}, ReceiptStatus.ACCEPTED),
        ({"SendStatus": "5", "SendSuccess": "9" * 5_000}, ReceiptStatus.DELIVERED),
        ({"SendStatus": "8"}, None),
    ],
)
async def test_a_callback_tells_how_it_went(
    channel: SmsEsms, query: dict[str, str], status: ReceiptStatus | None
) -> None:
    inbound = await channel.receive(callback(SMSID="s1", RequestId="key-1", **query))
    assert [(receipt.status, receipt.provider_id, receipt.idempotency_key) for receipt in inbound.receipts] == (
        [] if status is None else [(status, "s1", "key-1")]
    )


@pytest.mark.parametrize("query", [{}, {"SMSID": "s1"}, {"SendStatus": "5"}])
async def test_a_callback_about_nothing_is_malformed(channel: SmsEsms, query: dict[str, str]) -> None:
    with pytest.raises(MalformedInput):
        await channel.receive(callback(**query))


@pytest.mark.parametrize(
    ("phone", "status"),
    [(PHONE, ReceiptStatus.DELIVERED), (f"+84{UNDELIVERED[1:]}", ReceiptStatus.FAILED)],
    ids=["delivered", "undelivered"],
)
async def test_the_stand_in_calls_back(esms: EsmsStandIn, phone: str, status: ReceiptStatus) -> None:
    got: list[Receipt] = []
    sending: list[SmsEsms] = []

    async def hook(incoming: web.Request) -> web.Response:
        query = dict(incoming.query)
        got.extend((await sending[0].receive(callback(**query))).receipts)
        return web.Response()

    app = web.Application()
    app.router.add_get("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?token=x"
    async with open_channel(SmsEsms, esms.config(), esms.secrets(), receipt_url=url) as channel:
        sending.append(channel)
        outcome = await send(channel, phone)
        async with asyncio.timeout(5):
            await esms.pusher.drain()
        assert isinstance(outcome, Accepted)
        assert [(receipt.status, receipt.provider_id, receipt.idempotency_key) for receipt in got] == [
            (status, outcome.provider_id, "key-1")
        ]
        status_url = f"{esms.config()['base_url']}/GetSendStatus?RefId={outcome.provider_id}&ApiKey=esms-key"
        answer = await channel.context.http.request("GET", f"{status_url}&SecretKey=esms-secret")
        assert answer.json()["SendStatus"] == 5
        assert answer.json()["SendSuccess"] == int(status is ReceiptStatus.DELIVERED)
    await runner.cleanup()
