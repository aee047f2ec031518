"""The guarded HTTP client against real servers: what it refuses, and what its two errors mean."""

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nhip import AmbiguousOutcome, NotSentError
from nhip.adapters import http as http_module
from nhip.adapters.http import GuardedClient
from nhip.ports.surroundings import CALL_BEGINS_BEFORE
from nhip.testing.standins.server import Answer, Request, StandIn


class Server(StandIn):
    """Answers what a test tells it to."""

    provider = "test"
    seen: Request

    def handle(self, request: Request) -> Answer:
        return Answer(body=b"{}")

    def answer(self, request: Request) -> Answer:
        self.seen = request
        return super().answer(request)


class FixedResolver(AbstractResolver):
    """Answers each question with the next list of addresses."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.questions = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers[min(self.questions, len(self.answers) - 1)]
        self.questions += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[GuardedClient]:
    client = GuardedClient(allow_private=True)
    yield client
    await client.close()


async def test_it_sends_what_it_is_given(client: GuardedClient, server: Server) -> None:
    server.intercept = lambda request: Answer(body=request.body, status=201, headers={"X-One": "1"})
    answer = await client.request("PUT", f"{server.base_url}/a?b=c", headers={"x-two": "2"}, body=b"\x00hello")
    assert (answer.status, answer.body, answer.headers["x-one"]) == (201, b"\x00hello", "1")
    seen = server.seen
    assert (seen.method, seen.path, seen.query, seen.headers["x-two"]) == ("PUT", "/a", {"b": "c"}, "2")
    assert seen.headers["user-agent"] == "Nhip"
    assert "cookie" not in seen.headers


async def test_a_connection_is_used_again(client: GuardedClient, server: Server) -> None:
    for _ in range(20):
        await client.request("POST", server.base_url, body=b"x")
    assert (server.requests, server.connections) == (20, 1)


async def test_no_cookie_is_kept(client: GuardedClient, server: Server) -> None:
    server.intercept = lambda _request: Answer(headers={"Set-Cookie": "a=b"})
    await client.request("GET", server.base_url)
    await client.request("GET", server.base_url)
    assert "cookie" not in server.seen.headers


async def test_a_redirect_is_an_answer_and_its_target_gets_no_connection(client: GuardedClient, server: Server) -> None:
    async with Server() as canary:
        server.intercept = lambda _request: Answer(status=302, headers={"Location": canary.base_url})
        answer = await client.request("GET", server.base_url)
        assert (answer.status, answer.headers["location"]) == (302, canary.base_url)
        assert canary.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:{port}/",
        "https://127.0.0.1:{port}/",
        "https://2130706433:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:{port}/",
    ],
)
async def test_a_private_host_gets_no_connection(url: str) -> None:
    async with Server() as canary:
        client = GuardedClient(ports=frozenset({canary.port}))
        with pytest.raises(NotSentError) as refused:
            await client.request("GET", url.format(port=canary.port))
        assert refused.value.data["code"] in ("refused_url", "refused_address")
        assert canary.connections == 0
        await client.close()


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]],
    ids=",".join,
)
async def test_one_bad_address_refuses_the_name(addresses: list[str]) -> None:
    async with Server() as canary:
        client = GuardedClient(ports=frozenset({canary.port}), resolver=FixedResolver(addresses))
        with pytest.raises(NotSentError) as refused:
            await client.request("GET", f"https://rebound.example:{canary.port}/")
        assert refused.value.data["code"] == "refused_address"
        assert canary.connections == 0
        await client.close()


async def test_a_name_that_is_rebound_gets_no_second_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer counts as public here; the second one is the loopback where the canary listens."""
    monkeypatch.setattr(http_module, "is_public", lambda address: address == "127.0.0.2")
    async with Server() as canary:
        resolver = FixedResolver(["127.0.0.2"], ["127.0.0.1"])
        client = GuardedClient(ports=frozenset({canary.port}), resolver=resolver)
        with pytest.raises(NotSentError) as first:
            await client.request("GET", f"https://rebound.example:{canary.port}/")
        assert first.value.data["code"] == "connection_refused", "it connects to the checked address"
        client_two = GuardedClient(ports=frozenset({canary.port}), resolver=resolver)
        with pytest.raises(NotSentError) as second:
            await client_two.request("GET", f"https://rebound.example:{canary.port}/")
        assert second.value.data["code"] == "refused_address"
        assert canary.connections == 0
        await client.close()
        await client_two.close()


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    async with Server() as canary:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, canary.base_url)
        client = GuardedClient(allow_private=True)
        await client.request("GET", server.base_url)
        assert (server.requests, canary.connections) == (1, 0)
        await client.close()


async def test_nobody_listening_is_not_sent(client: GuardedClient) -> None:
    async with Server() as gone:
        url = gone.base_url
    with pytest.raises(NotSentError) as error:
        await client.request("POST", url)
    assert error.value.data["code"] == "connection_refused"


async def test_an_unknown_name_is_not_sent() -> None:
    class Nowhere(FixedResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    client = GuardedClient(allow_private=True, resolver=Nowhere())
    with pytest.raises(NotSentError) as error:
        await client.request("POST", "http://nowhere.example/")
    assert error.value.data["code"] == "unresolved_name"
    await client.close()


async def test_no_tls_is_not_sent(client: GuardedClient, server: Server) -> None:
    with pytest.raises(NotSentError) as error:
        await client.request("POST", server.base_url.replace("http:", "https:"))
    assert error.value.data["code"] == "tls"
    assert server.requests == 0


async def test_a_line_break_in_a_header_is_not_sent(client: GuardedClient, server: Server) -> None:
    with pytest.raises(NotSentError):
        await client.request("POST", server.base_url, headers={"x": "a\r\nb: c"})
    assert server.requests == 0


async def test_waiting_for_a_connection_in_vain_is_not_sent() -> None:
    async with Server() as server:
        server.intercept = lambda _request: Answer(delay=2)
        client = GuardedClient(allow_private=True, connections=1)
        first = asyncio.create_task(client.request("POST", server.base_url))
        await asyncio.sleep(0.05)
        with pytest.raises(NotSentError) as error:
            await client.request("POST", server.base_url, timeout=0.2)
        assert error.value.data["code"] == "connect_timeout"
        first.cancel()
        await client.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(hang=True), "timeout"),
        (Answer(delay=1), "timeout"),
        (Answer(reset=True), "disconnected"),
        (Answer(body=b"x" * 65_537), "response_too_long"),
        (Answer(body=b"x", headers={"Content-Encoding": "br"}), "unreadable_response"),
        (Answer(body=b"not gzip", headers={"Content-Encoding": "gzip"}), "unreadable_response"),
        (Answer(body=gzip.compress(b"\0" * 10_000_000), headers={"Content-Encoding": "gzip"}), "response_too_long"),
        (Answer(body=zlib.compress(b"\0" * 100_000), headers={"Content-Encoding": "deflate"}), "response_too_long"),
    ],
)
async def test_what_goes_wrong_after_sending_is_ambiguous(
    client: GuardedClient, server: Server, answer: Answer, code: str
) -> None:
    server.intercept = lambda _request: answer
    with pytest.raises(AmbiguousOutcome) as error:
        await client.request("POST", server.base_url, body=b"x", timeout=0.3)
    assert error.value.data["code"] == code
    assert server.requests == 1


async def test_an_endless_answer_is_cut_off(client: GuardedClient) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
        except OSError:
            writer.close()

    listener = await asyncio.start_server(flood, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(AmbiguousOutcome) as error:
        await client.request("POST", f"http://127.0.0.1:{port}/", timeout=5)
    assert error.value.data["code"] == "response_too_long"
    listener.close()


async def test_garbage_in_place_of_http_is_ambiguous(client: GuardedClient) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(AmbiguousOutcome):
        await client.request("POST", f"http://127.0.0.1:{port}/", timeout=5)
    listener.close()


async def test_an_encoded_answer_within_the_limit_is_read(client: GuardedClient, server: Server) -> None:
    server.intercept = lambda _request: Answer(body=gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})
    assert (await client.request("GET", server.base_url)).body == b"hello"


async def closes_idle_connections(client: GuardedClient, server: Server, pause: float) -> int:
    """How many of 200 requests noticed that the server closes each connection while it is idle."""
    noticed = 0
    for _ in range(200):
        try:
            assert (await client.request("POST", server.base_url, body=b"x")).status == 200
        except AmbiguousOutcome:
            noticed += 1
        server.drop_connections()
        await asyncio.sleep(pause)
    return noticed


@pytest.mark.parametrize("pause", [0.002, 0.0], ids=["a little later", "in the same moment"])
async def test_a_connection_closed_while_idle_is_not_mistaken_for_a_broken_one(
    client: GuardedClient, server: Server, pause: float
) -> None:
    assert await closes_idle_connections(client, server, pause) == 0
    assert server.requests == 200


async def test_a_request_of_a_process_that_slept_is_not_written(client: GuardedClient, server: Server) -> None:
    """Neither on a new connection nor on a kept one; the next one is."""
    for sent in (0, 1):
        token = CALL_BEGINS_BEFORE.set(asyncio.get_running_loop().time() - 0.001)
        with pytest.raises(NotSentError) as caught:
            await client.request("POST", server.base_url, body=b"x")
        assert caught.value.data["code"] == "lease"
        CALL_BEGINS_BEFORE.reset(token)
        assert server.requests == sent
        assert (await client.request("POST", server.base_url, body=b"x")).status == 200


async def test_without_the_look_at_idle_connections_requests_would_break(
    client: GuardedClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary of the test above."""
    monkeypatch.setattr(http_module, "CarefulConnector", aiohttp.TCPConnector)
    assert await closes_idle_connections(client, server, 0.0) > 0


async def test_many_requests_at_once(client: GuardedClient, server: Server) -> None:
    answers = await asyncio.gather(*(client.request("POST", server.base_url, body=b"x") for _ in range(500)))
    assert all(answer.status == 200 for answer in answers)
    assert server.connections <= 128


def certificate_for(name: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("name", ["hook.example", "other.example"])
async def test_the_checked_address_is_reached_under_the_name_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The certificate is for hook.example; both names resolve to the same address."""
    certificate = certificate_for("hook.example", tmp_path)
    asked: list[str | None] = []
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _socket, server_name, _context: asked.append(server_name)
    listener = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    port = listener.sockets[0].getsockname()[1]
    monkeypatch.setattr(http_module, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=str(certificate)))
    client = GuardedClient(ports=frozenset({port}), resolver=FixedResolver(["127.0.0.1"]))
    if name == "hook.example":
        assert (await client.request("GET", f"https://{name}:{port}/")).body == b"{}"
        assert f"Host: {name}:{port}".encode() in heads[0]
    else:
        with pytest.raises(NotSentError) as refused:
            await client.request("GET", f"https://{name}:{port}/")
        assert refused.value.data["code"] == "tls"
        assert not heads
    assert asked == [name]
    await client.close()
    listener.close()
