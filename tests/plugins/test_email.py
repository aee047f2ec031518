"""The channel ``email`` against a real SMTP server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nhip import Accepted, Ambiguous, Content, NotSent, Outcome, Rejected, RejectionReason
from nhip.testing.contexts import message, open_channel
from nhip.testing.standins import Fault, Faults
from nhip.testing.standins.smtp import SmtpStandIn
from nhip_channels.email import EmailChannel


@pytest.fixture
async def server() -> AsyncIterator[SmtpStandIn]:
    async with SmtpStandIn() as server:
        yield server


@pytest.fixture
async def channel(server: SmtpStandIn) -> AsyncIterator[EmailChannel]:
    async with open_channel(EmailChannel, server.config(), server.secrets()) as channel:
        yield channel


async def send(channel: EmailChannel, to: str = "anh@example.com", key: str = "key-1", timeout: float = 1.0) -> Outcome:
    [outcome] = await channel.send([message(to, key, subject="Đơn hàng đã giao", text="Cảm ơn chị Anh.")], timeout)
    return outcome


async def test_an_email_arrives(channel: EmailChannel, server: SmtpStandIn) -> None:
    data = {"unsubscribe_url": "https://nhip.example/u/token"}
    mail = message("anh@example.com", "key-1", subject="Chào", text="Cảm ơn", html="<p>Cảm ơn</p>", data=data)
    assert list(await channel.send([mail], 1)) == [Accepted(provider_id="Q00000000")]
    [entry] = server.ledger.entries
    assert (entry.reference, entry.address) == ("key-1", "anh@example.com")
    [arrived] = server.parsed()
    assert arrived["Subject"] == "Chào"
    assert arrived["Message-ID"] == "<key-1@nhip.example>"
    assert arrived["List-Unsubscribe"] == "<https://nhip.example/u/token>"
    body = arrived.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Cảm ơn"


async def test_connections_are_used_again(channel: EmailChannel, server: SmtpStandIn) -> None:
    for number in range(20):
        assert isinstance(await send(channel, key=f"key-{number}"), Accepted)
    assert (len(server.ledger), server.connections) == (20, 1)


async def test_many_at_once(channel: EmailChannel, server: SmtpStandIn) -> None:
    batch = [message("anh@example.com", f"key-{number}", subject="x", text="y") for number in range(20)]
    assert all(isinstance(outcome, Accepted) for outcome in await channel.send(batch, 5))
    assert server.ledger.references() == {f"key-{number}": 1 for number in range(20)}


async def test_an_idle_connection_that_was_closed_is_replaced(channel: EmailChannel, server: SmtpStandIn) -> None:
    for number in range(10):
        assert isinstance(await send(channel, key=f"key-{number}"), Accepted)
        server.drop_connections()
        if number % 2:
            await asyncio.sleep(0.01)
    assert not server.ledger.duplicates()
    assert len(server.ledger) == 10


@pytest.mark.parametrize(
    ("mailbox", "expected", "code"),
    [
        ("unknown", RejectionReason.UNREACHABLE, "550"),
        ("full", RejectionReason.UNREACHABLE, "552"),
        ("spam", RejectionReason.INVALID, "554"),
        ("greylisted", NotSent, "451"),
        ("closing", NotSent, "421"),
        ("later", NotSent, "452"),
        ("drop", Ambiguous, "disconnected"),
    ],
)
async def test_each_reply_has_its_meaning(
    channel: EmailChannel, server: SmtpStandIn, mailbox: str, expected: object, code: str
) -> None:
    for _ in range(2):
        outcome = await send(channel, f"{mailbox}@example.com")
        assert not isinstance(outcome, Accepted)
        assert outcome.code == code
        assert outcome.reason is expected if isinstance(outcome, Rejected) else type(outcome) is expected
        assert isinstance(await send(channel, key="good"), Accepted), "the next message is not harmed"
    assert server.ledger.references().get("key-1", 0) == (2 if mailbox == "drop" else 0)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.TIMEOUT_AFTER, Ambiguous),
        (Fault.ERROR_AFTER, Ambiguous),
        (Fault.RESET_AFTER, Ambiguous),
        (Fault.GARBAGE, Ambiguous),
        (Fault.RESET_BEFORE, NotSent),
        (Fault.ERROR_BEFORE, NotSent),
        (Fault.SLOW, Accepted),
    ],
)
async def test_only_what_broke_after_the_content_is_ambiguous(
    channel: EmailChannel, server: SmtpStandIn, fault: Fault, expected: type[Outcome]
) -> None:
    server.faults.slow_seconds = 0.1
    server.faults.script([fault])
    assert isinstance(await send(channel, timeout=0.5), expected)
    assert len(server.ledger) == int(fault.accepts)
    assert isinstance(await send(channel, key="next"), Accepted)


async def test_what_is_ambiguous_was_sent_at_most_once() -> None:
    """A storm of faults over connections that are used again: the ledger has each key at most once."""
    faults = Faults(seed=3, reset=0.3, garbage=0.1, error_after=0.1, error_before=0.1, hang_seconds=1)
    async with (
        SmtpStandIn(faults=faults) as server,
        open_channel(EmailChannel, server.config()) as channel,
    ):
        outcomes: dict[str, Outcome] = {}
        for number in range(200):
            outcomes[f"key-{number}"] = await send(channel, key=f"key-{number}")
    references = server.ledger.references()
    assert not server.ledger.duplicates()
    for key, outcome in outcomes.items():
        if isinstance(outcome, Accepted):
            assert references[key] == 1
        if isinstance(outcome, NotSent | Rejected):
            assert key not in references


async def test_a_connection_at_work_when_the_channel_closes_is_closed_after_it(
    channel: EmailChannel, server: SmtpStandIn
) -> None:
    server.faults.slow_seconds = 0.1
    server.faults.script([Fault.SLOW])
    sending = asyncio.create_task(send(channel))
    await asyncio.sleep(0.05)
    await channel.close()
    assert isinstance(await sending, Accepted)
    assert not channel._relay._idle


async def test_nobody_listening_is_not_sent(channel: EmailChannel, server: SmtpStandIn) -> None:
    await server.close()
    outcome = await send(channel)
    assert isinstance(outcome, NotSent)
    assert outcome.code == "connection_refused"


async def test_a_login_is_used_and_a_wrong_one_is_a_fault_of_the_configuration() -> None:
    async with SmtpStandIn(username="care", password="right") as server:
        async with open_channel(EmailChannel, server.config(), server.secrets()) as channel:
            assert isinstance(await send(channel), Accepted)
        async with open_channel(EmailChannel, server.config(), {"username": "care", "password": "wrong"}) as channel:
            outcome = await send(channel)
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.code) == (RejectionReason.CONFIGURATION, "535")


async def test_no_starttls_where_it_is_wanted_is_a_fault_of_the_configuration(server: SmtpStandIn) -> None:
    async with open_channel(EmailChannel, server.config() | {"security": "starttls"}) as channel:
        outcome = await send(channel)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is RejectionReason.CONFIGURATION
    assert len(server.ledger) == 0


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "unknown"])
async def test_tls_wants_a_certificate_that_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, implicit: bool, trusted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with SmtpStandIn(tls=context, implicit_tls=implicit) as server:
        assert server.config()["security"] == ("tls" if implicit else "starttls")
        async with open_channel(EmailChannel, server.config()) as channel:
            outcome = await send(channel)
    if trusted:
        assert isinstance(outcome, Accepted)
    else:
        assert isinstance(outcome, NotSent)
        assert outcome.code == "tls"
        assert len(server.ledger) == 0


@pytest.mark.parametrize("to", ["", "nobody", "a b@example.com", "a@example.com\r\nRCPT TO:<b@example.com>", "ế@x.vn"])
async def test_an_address_that_is_none_is_unreachable(channel: EmailChannel, server: SmtpStandIn, to: str) -> None:
    outcome = await send(channel, to)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is RejectionReason.UNREACHABLE
    assert server.connections == 0


def test_a_template_names_what_is_missing() -> None:
    assert [problem.path for problem in EmailChannel.check_content(Content())] == ["subject", "text"]
    assert not EmailChannel.check_content(Content(subject="x", html="<p>y</p>"))


def test_the_configuration_is_spelt_as_clients_write_it() -> None:
    config = msgspec.convert({"host": "smtp.example.com", "from": "care@example.com"}, EmailChannel.config_type)
    assert msgspec.to_builtins(config)["from"] == "care@example.com"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"host": "smtp.example.com", "from": "nobody"}, EmailChannel.config_type)
