"""The channel ``zalo_zns`` against a stand-in that speaks Zalo's protocol."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from nhip import Accepted, ActionUnavailable, Ambiguous, Content, Message, NotSent, Outcome, Rejected, RejectionReason
from nhip.testing.contexts import MemorySecrets, StandaloneContext, message, open_channel
from nhip.testing.standins import Fault
from nhip.testing.standins.server import Answer, Request
from nhip.testing.standins.zalo import Parameter, ZaloStandIn, ZaloTemplate, normal_phone
from nhip_channels.zalo_codes import outcome_of
from nhip_channels.zalo_tokens import appsecret_proof, token_url
from nhip_channels.zalo_zns import ZaloZns

PHONE = "+84987654321"


@pytest.fixture
async def zalo() -> AsyncIterator[ZaloStandIn]:
    async with ZaloStandIn() as zalo:
        yield zalo


@pytest.fixture
async def channel(zalo: ZaloStandIn) -> AsyncIterator[ZaloZns]:
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets()) as channel:
        yield channel


def zns(to: str = PHONE, key: str = "key-1", **params: str) -> Message:
    return message(to, key, provider_template_id="405463", params=params or {"order_code": "DH-1001"})


async def send(channel: ZaloZns, to: str = PHONE, key: str = "key-1", timeout: float = 1.0) -> Outcome:
    [outcome] = await channel.send([zns(to, key)], timeout)
    return outcome


def stored(channel: ZaloZns) -> MemorySecrets:
    assert isinstance(channel.context.secrets, MemorySecrets)
    return channel.context.secrets


# --- sending ----------------------------------------------------------------------------------------------------------


def test_the_proof_is_a_keyed_hash_of_the_token() -> None:
    expected = "4b062935fec529e51d39e89ee371a452c231b1e0c5549ac72d83fc4f3a0b0471"
    assert appsecret_proof("app-secret", "token") == expected


async def test_a_message_goes_out_as_zalo_wants_it(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    seen: list[Request] = []
    zalo.intercept = seen.append
    [outcome] = await channel.send([zns(customer="Nguyễn Thị Hoàng Anh")], 1)
    [entry] = zalo.ledger.entries
    assert outcome == Accepted(provider_id=entry.provider_id)
    assert (entry.reference, entry.address) == ("key-1", "84987654321")
    headers = seen[0].headers
    assert headers["access_token"] == "access-1"
    assert "authorization" not in headers
    assert headers["appsecret_proof"] == appsecret_proof("app-secret", "access-1")
    assert msgspec.json.decode(seen[0].body) == {
        "phone": "84987654321",
        "template_id": "405463",
        "template_data": {"customer": "Nguyễn Thị Hoàng Anh"},
        "tracking_id": "key-1",
    }


async def test_the_development_mode_is_told(zalo: ZaloStandIn) -> None:
    async with open_channel(ZaloZns, {**zalo.config(), "mode": "development"}, zalo.secrets()) as channel:
        await send(channel)
    assert zalo.ledger.entries[0].content["mode"] == "development"


async def test_a_wrong_app_secret_is_a_fault_of_the_configuration(zalo: ZaloStandIn) -> None:
    secrets = {**zalo.secrets(), "app_secret": "another"}
    async with open_channel(ZaloZns, zalo.config(), secrets) as channel:
        outcome = await send(channel)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (RejectionReason.CONFIGURATION, "-1241")
    async with open_channel(ZaloZns, {**zalo.config(), "appsecret_proof": False}, secrets) as channel:
        assert isinstance(await send(channel), Accepted)


CODES: list[tuple[RejectionReason, str]] = [
    (RejectionReason.CONFIGURATION, "101 102 103 104 105 106 109 115 117 120 1201 1202 1241 125 126 127 128 129 131"),
    (RejectionReason.CONFIGURATION, "135 1351 136 137 138 1381 142 143 145 146 1091"),
    (RejectionReason.INVALID, "107 108 111 112 1121 1122 1123 1124 113 1131 116 121 122 123 130 132 148 149 1491 150"),
    (RejectionReason.INVALID, "151 152 153 158 159 161 162"),
    (RejectionReason.UNREACHABLE, "110 114 118 119"),
    (RejectionReason.REFUSED, "134 139 140 141"),
]


@pytest.mark.parametrize(
    ("reason", "code"), [(reason, code) for reason, codes in CODES for code in codes.split()], ids=str
)
async def test_each_rejection_has_its_reason(
    channel: ZaloZns, zalo: ZaloStandIn, reason: RejectionReason, code: str
) -> None:
    outcome = await send(channel, f"+8490000{code:0>4}")
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (reason, f"-{code}")
    assert outcome.detail
    assert len(zalo.ledger) == 0


@pytest.mark.parametrize("code", ["133", "144", "1441", "147", "1471", "1472", "160"])
async def test_a_quota_waits_and_does_not_count(channel: ZaloZns, zalo: ZaloStandIn, code: str) -> None:
    outcome = await send(channel, f"+8490000{code:0>4}")
    assert isinstance(outcome, NotSent)
    assert not outcome.counts
    assert outcome.retry_after is not None
    assert 0 < outcome.retry_after <= 32 * 86_400
    assert len(zalo.ledger) == 0


@pytest.mark.parametrize(
    ("code", "now", "earliest"),
    [
        (-133, "2026-11-21T15:30:00+00:00", "2026-11-22T06:05:00+07:00"),
        (-133, "2026-11-21T18:30:00+00:00", "2026-11-22T06:05:00+07:00"),
        (-133, "2026-11-21T22:00:00+00:00", "2026-11-22T06:05:00+07:00"),
        (-144, "2026-11-21T18:30:00+00:00", "2026-11-23T06:05:00+07:00"),
        (-147, "2026-11-21T03:00:00+00:00", "2026-11-22T06:05:00+07:00"),
        (-1472, "2026-12-31T03:00:00+00:00", "2027-01-01T06:05:00+07:00"),
        (-1471, "2026-11-21T03:00:00+00:00", "2026-12-01T06:05:00+07:00"),
        (-1441, "2026-12-31T16:59:00+00:00", "2027-01-01T06:05:00+07:00"),
        (-1441, "2027-01-31T03:00:00+00:00", "2027-02-01T06:05:00+07:00"),
    ],
)
def test_a_quota_waits_for_the_right_morning(code: int, now: str, earliest: str) -> None:
    moment, start = datetime.fromisoformat(now), datetime.fromisoformat(earliest)
    waits = {key: outcome_of(code, "", moment, key) for key in ("a", "b", "c")}
    seconds = [outcome.retry_after or 0 for outcome in waits.values() if isinstance(outcome, NotSent)]
    assert len(set(seconds)) == 3, "messages do not come back all at once"
    assert all(start <= moment + timedelta(seconds=wait) < start + timedelta(minutes=10) for wait in seconds)


async def test_an_unknown_error_is_ambiguous(channel: ZaloZns) -> None:
    assert await send(channel, "+84900000100") == Ambiguous(code="-100", detail="Unknown error")


def test_a_rate_limit_waits_and_does_not_count() -> None:
    outcome = outcome_of(-32, "", datetime(2026, 1, 1, tzinfo=UTC), "k")
    assert isinstance(outcome, NotSent)
    assert not outcome.counts


def test_a_code_of_tomorrow_is_for_a_person_to_look_at() -> None:
    outcome = outcome_of(-9999, "", datetime(2026, 1, 1, tzinfo=UTC), "k")
    assert isinstance(outcome, Rejected)
    assert outcome.reason is RejectionReason.CONFIGURATION


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.SLOW])
async def test_what_nobody_knows_is_ambiguous(channel: ZaloZns, zalo: ZaloStandIn, fault: Fault) -> None:
    zalo.faults.script([fault])
    assert isinstance(await send(channel, timeout=0.3), Ambiguous)
    assert len(zalo.ledger) == int(fault.accepts)


async def test_a_slow_answer_in_time_is_an_answer(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    zalo.faults.slow_seconds = 0.2
    assert isinstance(await send(channel, "+84900000007"), Accepted)


async def test_nobody_listening_is_not_sent(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    await zalo.close()
    assert isinstance(await send(channel), NotSent)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(), Ambiguous),
        (Answer(body=b"[]"), Ambiguous),
        (Answer(body=b'{"error": null}'), Ambiguous),
        (Answer(body=b'{"message": "hello"}'), Ambiguous),
        (Answer(body=b'{"error": "0", "data": {"msg_id": 17}}'), Accepted),
        (Answer(body=b'{"error": 0}'), Accepted),
        (Answer(body=b'{"error": "-118", "message": "x"}'), Rejected),
        (Answer(body=b'{"error": -118}', status=400), Rejected),
        (Answer(body=b"<html>", status=404), Rejected),
        (Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}), Rejected),
        (Answer(status=429, headers={"Retry-After": "3"}), NotSent),
        (Answer(status=408), Ambiguous),
        (Answer(status=504, body=b"<html>"), Ambiguous),
    ],
)
async def test_answers_are_read_tolerantly(
    channel: ZaloZns, zalo: ZaloStandIn, answer: Answer, expected: type[Outcome]
) -> None:
    zalo.intercept = lambda _request: answer
    assert isinstance(await send(channel), expected)


async def test_a_template_is_checked_by_zalo() -> None:
    template = ZaloTemplate(id="405463", params=(Parameter("order_code", maxLength=10),))
    async with (
        ZaloStandIn(templates=(template,)) as zalo,
        open_channel(ZaloZns, zalo.config(), zalo.secrets()) as channel,
    ):
        outcomes = await channel.send(
            [
                zns(order_code="DH-1"),
                zns(order_code="x" * 11),
                zns(other="x"),
                message(PHONE, provider_template_id="1"),
            ],
            1,
        )
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Rejected)] == ["-1121", "-1122", "-111"]


async def test_a_quota_that_is_used_up_waits() -> None:
    async with (
        ZaloStandIn(daily_quota=1) as zalo,
        open_channel(ZaloZns, zalo.config(), zalo.secrets()) as channel,
    ):
        assert isinstance(await send(channel), Accepted)
        outcome = await send(channel, key="key-2")
    assert isinstance(outcome, NotSent)
    assert outcome.code == "-144"


def test_a_template_names_what_is_missing() -> None:
    problems = ZaloZns.check_content(Content(text="hello"))
    assert [problem.path for problem in problems] == ["provider_template_id", "params"]
    assert not ZaloZns.check_content(Content(provider_template_id="1", params={"a": "b"}))


@pytest.mark.parametrize("phone", ["+84987654321", "84987654321", "0987654321"])
def test_zalo_reads_a_phone_in_three_ways(phone: str) -> None:
    assert normal_phone(phone) == "84987654321"


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_a_refused_token_is_renewed_once_for_all(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    zalo.expire_access_token()
    outcomes = await channel.send([zns(key=f"key-{number}") for number in range(20)], 2)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert zalo.refreshes == 1
    assert len(zalo.ledger) == 20
    assert not zalo.ledger.duplicates()
    assert stored(channel).saved[-1]["refresh_token"] == zalo.refresh_token


async def test_tokens_are_stored_with_their_expiry_as_strings(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    zalo.expire_access_token()
    await send(channel)
    saved = stored(channel).saved[-1]
    now = datetime.now(UTC).timestamp()
    assert int(saved["expires_at"]) == pytest.approx(now + 90_000, abs=5)
    assert int(saved["renew_at"]) == pytest.approx(now + 72_000, abs=5)
    assert saved["oa_secret"] == "oa-secret"
    msgspec.convert(saved, ZaloZns.secrets_type)


async def test_processes_share_one_renewal(zalo: ZaloStandIn) -> None:
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets()) as one:
        two = ZaloZns(one.config, one.context)
        await asyncio.gather(send(one, key="a"), send(two, key="b"))
        zalo.expire_access_token()
        outcomes = await asyncio.gather(send(one, key="c"), send(two, key="d"))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert zalo.refresh_attempts == 1


async def test_a_token_is_renewed_before_its_time_ends(zalo: ZaloStandIn) -> None:
    clock = [datetime(2026, 11, 21, tzinfo=UTC)]
    zalo.clock = lambda: clock[0].timestamp()  # noqa: PLW0108 - the clock goes on
    secrets = {**zalo.secrets(), "access_token": ""}
    async with open_channel(ZaloZns, zalo.config(), secrets, clock=lambda: clock[0]) as channel:
        await send(channel, key="first")
        clock[0] += timedelta(hours=19, minutes=59)
        await send(channel, key="second")
        assert zalo.refreshes == 1
        clock[0] += timedelta(minutes=2)
        await send(channel, key="third")
        assert zalo.refreshes == 2
    assert len(zalo.ledger) == 3


async def test_a_renewal_that_fails_early_leaves_the_good_token_in_use(zalo: ZaloStandIn) -> None:
    zalo.oauth_faults.script([Fault.ERROR_BEFORE] * 5)
    now = datetime.now(UTC).timestamp()
    secrets = {**zalo.secrets(), "renew_at": str(int(now - 1)), "expires_at": str(int(now + 1_000))}
    async with open_channel(ZaloZns, zalo.config(), secrets) as channel:
        for number in range(5):
            assert isinstance(await send(channel, key=f"key-{number}"), Accepted)
    assert zalo.refresh_attempts == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.RESET_BEFORE, Fault.GARBAGE])
async def test_a_renewal_without_an_answer_is_tried_with_the_next_attempt(
    channel: ZaloZns, zalo: ZaloStandIn, fault: Fault
) -> None:
    zalo.expire_access_token()
    zalo.oauth_faults.script([fault])
    outcome = await send(channel)
    assert isinstance(outcome, NotSent)
    assert outcome.code == "token_renewal"
    assert len(zalo.ledger) == 0


async def test_a_refused_refresh_token_is_not_tried_again_and_again(zalo: ZaloStandIn) -> None:
    zalo.expire_access_token()
    secrets = {**zalo.secrets(), "refresh_token": "unknown"}
    async with open_channel(ZaloZns, zalo.config(), secrets) as channel:
        for _ in range(5):
            outcome = await send(channel)
            assert isinstance(outcome, Rejected)
            assert outcome.reason is RejectionReason.CONFIGURATION
        assert zalo.refresh_attempts == 1
        stored(channel).write(zalo.secrets() | {"refresh_token": zalo.refresh_token})
        assert isinstance(await send(channel), Accepted), "new tokens are noticed"


async def test_a_used_refresh_token_is_refused_with_an_empty_answer(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    zalo.expire_access_token()
    assert isinstance(await send(channel), Accepted)
    used = {**stored(channel).saved[0]}
    zalo.expire_access_token()
    async with open_channel(ZaloZns, zalo.config(), used) as late:
        outcome = await send(late)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (RejectionReason.CONFIGURATION, "refresh_token_used")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b'{"error":-14014,"error_name":"Invalid refresh token.","access_token":"","refresh_token":""}', "-14014"),
        (b'{"error":"-14014","error_name":"Invalid refresh token."}', "-14014"),
        (b"", "refresh_token_used"),
        (b"  ", "refresh_token_used"),
        (b"<html>504</html>", None),
        (b"[]", None),
        (b'{"error":0}', None),
    ],
)
async def test_the_oauth_answer_is_read_tolerantly(
    channel: ZaloZns, zalo: ZaloStandIn, answer: bytes, code: str | None
) -> None:
    zalo.intercept = lambda request: Answer(body=answer) if request.path == "/v4/oa/access_token" else None
    zalo.expire_access_token()
    outcome = await send(channel)
    assert outcome.code == (code or "token_renewal") if isinstance(outcome, Rejected | NotSent) else False


async def test_numbers_and_a_missing_refresh_token_are_fine(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    def answer(request: Request) -> Answer | None:
        if request.path == "/v4/oa/access_token":
            zalo.access_token = "fresh"
            zalo._expiries["fresh"] = 9e9
            return Answer(body=b'{"access_token":"fresh","expires_in":3600}')
        return None

    zalo.intercept = answer
    zalo.expire_access_token()
    assert isinstance(await send(channel), Accepted)
    assert stored(channel).saved[-1]["refresh_token"] == "refresh-1"


async def test_a_cancelled_message_does_not_lose_the_new_tokens(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    zalo.expire_access_token()
    zalo.oauth_faults.slow_seconds = 0.2
    zalo.oauth_faults.script([Fault.SLOW])
    sending = asyncio.create_task(send(channel))
    await asyncio.sleep(0.1)
    sending.cancel()
    await channel.close()
    assert stored(channel).saved[-1]["access_token"] == zalo.access_token != "access-1"


class BrittleSecrets(MemorySecrets):
    """Renews, and then cannot store."""

    broken = True

    async def replace(
        self, seen: Mapping[str, str], renew: Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
    ) -> Mapping[str, str]:
        async def renew_in_vain(secrets: Mapping[str, str]) -> Mapping[str, str]:
            renewed = await renew(secrets)
            if self.broken:
                raise ActionUnavailable("the lock was lost")
            return renewed

        return await super().replace(seen, renew_in_vain)


async def test_tokens_that_could_not_be_stored_are_not_lost(zalo: ZaloStandIn) -> None:
    """Zalo gives a pair only once: asking again with the used refresh token would mean that a person must authorise."""
    zalo.expire_access_token()
    async with open_channel(ZaloZns, zalo.config(), zalo.secrets()) as opened:
        secrets = BrittleSecrets(zalo.secrets())
        channel = ZaloZns(opened.config, StandaloneContext(http=opened.context.http, secrets=secrets))
        outcome = await send(channel)
        assert isinstance(outcome, NotSent)
        assert outcome.code == "token_renewal"
        assert (zalo.refresh_attempts, len(zalo.ledger)) == (1, 0)
        secrets.broken = False
        assert isinstance(await send(channel), Accepted)
        assert zalo.refresh_attempts == 1
        assert stored(channel).saved[-1]["refresh_token"] == zalo.refresh_token


def test_a_bare_origin_gets_zalos_path() -> None:
    assert (
        token_url("http://127.0.0.1:1") == token_url("http://127.0.0.1:1/") == "http://127.0.0.1:1/v4/oa/access_token"
    )
    assert token_url("https://oauth.zaloapp.com/v4/oa/access_token") == "https://oauth.zaloapp.com/v4/oa/access_token"


# --- the stand-in's other answers -------------------------------------------------------------------------------------


async def test_the_stand_in_tells_status_quota_and_templates(channel: ZaloZns, zalo: ZaloStandIn) -> None:
    outcome = await send(channel)
    assert isinstance(outcome, Accepted)
    http, headers = channel.context.http, {"access_token": zalo.access_token}

    async def ask(path: str) -> dict[str, object]:
        answer = await http.request("GET", zalo.base_url + path, headers=headers)
        data: dict[str, object] = answer.json()
        return data

    await asyncio.sleep(zalo.receipt_delay)
    status = await ask(f"/message/status?message_id={outcome.provider_id}")
    assert status["data"]["status"] == 1  # type: ignore[index]
    assert (await ask("/message/status?message_id=x"))["data"]["status"] == -1  # type: ignore[index]
    assert (await ask("/message/quota"))["data"]["remainingQuota"] == zalo.daily_quota - 1  # type: ignore[index]
    assert (await ask("/template/all?offset=0&limit=100"))["metadata"] == {"total": 0}
    assert (await ask("/template/info/v2?template_id=1"))["error"] == -109
    headers["access_token"] = "wrong"
    assert (await ask("/message/quota"))["error"] == -124
