"""The channel ``webhook`` against a real endpoint that checks Standard Webhooks signatures."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from nhip import Accepted, Ambiguous, NotSent, Outcome, Rejected, RejectionReason
from nhip.testing.contexts import MemorySecrets, message, open_channel
from nhip.testing.standins import Fault
from nhip.testing.standins.server import Answer
from nhip.testing.standins.webhook import WebhookStandIn, verifies
from nhip_channels.retry_after import retry_after
from nhip_channels.standard_webhooks import sign, signing_keys
from nhip_channels.webhook import Webhook

EXAMPLE = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def endpoint() -> AsyncIterator[WebhookStandIn]:
    async with WebhookStandIn() as endpoint:
        yield endpoint


@pytest.fixture
async def channel(endpoint: WebhookStandIn) -> AsyncIterator[Webhook]:
    async with open_channel(Webhook, endpoint.config(), endpoint.secrets()) as channel:
        yield channel


async def send(channel: Webhook, key: str = "k1", timeout: float = 0.5) -> Outcome:
    [outcome] = await channel.send([message("+84987654321", key, text="Xin chào", data={"order": "DH-1"})], timeout)
    return outcome


def test_the_signature_is_that_of_the_standard() -> None:
    identity, timestamp, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
    signature = sign(signing_keys(EXAMPLE), identity, timestamp, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert verifies(EXAMPLE, identity, timestamp, body, f"v1,other {signature}", now=1614265330 + 299)
    assert not verifies(EXAMPLE, identity, timestamp, body, signature, now=1614265330 + 301)
    assert not verifies(EXAMPLE, identity, timestamp, body + b" ", signature, now=1614265330)


async def test_a_message_arrives_signed_and_whole(channel: Webhook, endpoint: WebhookStandIn) -> None:
    assert await send(channel) == Accepted()
    [delivery] = endpoint.deliveries
    assert delivery.verified
    assert delivery.id == "k1"
    body = msgspec.json.decode(delivery.body)
    assert (body["type"], body["data"]["to"], body["data"]["text"]) == ("message", "+84987654321", "Xin chào")
    assert body["data"]["data"] == {"order": "DH-1"}
    assert endpoint.ledger.references() == {"k1": 1}


async def test_the_same_key_twice_is_one_effect(channel: Webhook, endpoint: WebhookStandIn) -> None:
    endpoint.faults.script([Fault.ERROR_AFTER])
    assert await send(channel) == Ambiguous(code="500", detail="the receiver failed while it had the message")
    assert await send(channel) == Accepted()
    assert endpoint.ledger.references() == {"k1": 1}
    assert [delivery.repeated for delivery in endpoint.deliveries] == [False, True]


async def test_a_rotation_signs_with_both_secrets(endpoint: WebhookStandIn) -> None:
    secret = f"whsec_{'A' * 32} {endpoint.secret}"
    async with open_channel(Webhook, endpoint.config(), {"secret": secret}) as channel:
        assert await send(channel) == Accepted()
        assert endpoint.deliveries[0].headers["webhook-signature"].count("v1,") == 2


async def test_a_secret_that_was_changed_is_read_anew(endpoint: WebhookStandIn) -> None:
    async with open_channel(Webhook, endpoint.config(), {"secret": f"whsec_{'A' * 32}"}) as channel:
        assert await send(channel) == Rejected(
            reason=RejectionReason.CONFIGURATION, code="401", detail="the receiver does not accept the signature"
        )
        assert isinstance(channel.context.secrets, MemorySecrets)
        channel.context.secrets.write(endpoint.secrets())
        assert await send(channel, "k2") == Accepted()
    assert endpoint.ledger.references() == {"k2": 1}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=200), Accepted),
        (Answer(status=202), Accepted),
        (Answer(status=301, headers={"Location": "http://127.0.0.1:1/"}), RejectionReason.CONFIGURATION),
        (Answer(status=307, headers={"Location": "http://127.0.0.1:1/"}), RejectionReason.CONFIGURATION),
        (Answer(status=400), RejectionReason.INVALID),
        (Answer(status=403), RejectionReason.CONFIGURATION),
        (Answer(status=404), RejectionReason.CONFIGURATION),
        (Answer(status=408), (None, True)),
        (Answer(status=410), RejectionReason.CONFIGURATION),
        (Answer(status=413), RejectionReason.INVALID),
        (Answer(status=422), RejectionReason.INVALID),
        (Answer(status=429), (None, False)),
        (Answer(status=429, headers={"Retry-After": "30"}), (30.0, False)),
        (Answer(status=503, headers={"Retry-After": "7"}), (7.0, True)),
        (Answer(status=500), Ambiguous),
        (Answer(status=502), Ambiguous),
        (Answer(status=503), Ambiguous),
        (Answer(status=504), Ambiguous),
        (Answer(reset=True), Ambiguous),
        (Answer(hang=True), Ambiguous),
    ],
    ids=lambda value: (
        f"{value.status}{'-hang' * value.hang}{'-reset' * value.reset}" if isinstance(value, Answer) else ""
    ),
)
async def test_each_answer_has_its_meaning(
    channel: Webhook, endpoint: WebhookStandIn, answer: Answer, expected: object
) -> None:
    endpoint.answer_next(answer)
    outcome = await send(channel)
    match outcome:
        case NotSent():
            assert (outcome.retry_after, outcome.counts) == expected
        case Rejected():
            assert outcome.reason is expected
        case _:
            assert isinstance(outcome, expected) if isinstance(expected, type) else False


async def test_nobody_listening_is_not_sent(endpoint: WebhookStandIn, channel: Webhook) -> None:
    await endpoint.close()
    outcome = await send(channel)
    assert isinstance(outcome, NotSent)
    assert outcome.code == "connection_refused"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "not base64 at all"])
async def test_a_secret_that_is_none_is_a_fault_of_the_configuration(endpoint: WebhookStandIn, secret: str) -> None:
    async with open_channel(Webhook, endpoint.config(), {"secret": secret}) as channel:
        outcome = await send(channel)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is RejectionReason.CONFIGURATION
    assert endpoint.requests == 0


async def test_each_message_of_a_batch_has_its_outcome(channel: Webhook, endpoint: WebhookStandIn) -> None:
    batch = [message("+84987654321", f"k{number}", text="x") for number in range(30)]
    assert list(await channel.send(batch, 2)) == [Accepted()] * 30
    assert len(endpoint.ledger) == 30


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("999999999999", 86_400.0),
        ("Sat, 21 Nov 2026 08:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 07:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, datetime(2026, 11, 21, 8, tzinfo=UTC)) == seconds
