"""Signatures, against the vectors of their standards, and rates."""

import base64
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nhip.domain.errors import SignatureMismatch
from nhip.domain.sources import Verification
from nhip.engine.incoming.rates import admit
from nhip.engine.incoming.signatures import hmac_of, signing_keys, verify, zalo_mac

META = Verification(type="hmac", header="X-Hub-Signature-256", prefix="sha256=")
STANDARD = Verification(type="standard_webhooks")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,none v1a,eA== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
ZALO_BODY = (
    b'{"app_id":"360846524940903967","sender":{"id":"2893352839501541173"},"recipient":{"id":"84987654321"},'
    b'"event_name":"user_received_message","message":{"delivery_time":"1602960467432","msg_id":"15a0cc0bbb13bd4ce403",'
    b'"tracking_id":"t1"},"timestamp":"1602560967477"}'
)


def test_standard_webhooks_own_vector() -> None:
    assert verify(STANDARD, SECRET, HEADERS, BODY, fields={}, now=1614265330) == HEADERS["webhook-id"]
    for now in (1614265330 - 301, 1614265330 + 301):
        with pytest.raises(SignatureMismatch):
            verify(STANDARD, SECRET, HEADERS, BODY, fields={}, now=now)


def test_facebook_s_vector() -> None:
    mac = "ae958d6f00b134dd32b95a9a76bedaaeb068c0949769358355023f7d1a0c580b"
    body = b'{"object":"page"}'
    assert hmac_of(META, "app-secret", body) == mac
    for given_mac in (mac, mac.upper()):
        headers = {"x-hub-signature-256": f"sha256={given_mac}"}
        assert verify(META, "app-secret", headers, body, fields={}, now=0) is None
    for wrong in ("", mac, f"sha1={mac}", f"sha256={mac[:-1]}"):
        with pytest.raises(SignatureMismatch):
            verify(META, "app-secret", {"x-hub-signature-256": wrong}, body, fields={}, now=0)


def test_zalo_s_vector() -> None:
    fields = {"app_id": "360846524940903967", "timestamp": "1602560967477"}
    mac = "e5b04bb6e5481e3f7338465e8e1767abe94cc34a18247f1858f32e3aed26d935"
    assert zalo_mac(fields, "oa-secret", ZALO_BODY) == mac
    zalo = Verification(type="zalo")
    verify(zalo, "oa-secret", {"x-zevent-signature": f"mac={mac}"}, ZALO_BODY, fields=fields, now=0)
    with pytest.raises(SignatureMismatch):
        verify(zalo, "oa-secret", {"x-zevent-signature": f"mac={mac}"}, ZALO_BODY + b" ", fields=fields, now=0)


@pytest.mark.parametrize("kind", ["standard_webhooks", "hmac", "zalo"])
def test_without_a_secret_nothing_verifies(kind: Any) -> None:
    for header in ("", "v1,", "mac="):
        headers: dict[str, str] = dict.fromkeys(("webhook-id", "webhook-signature", "x", "x-zevent-signature"), header)
        with pytest.raises(SignatureMismatch):
            verify(Verification(type=kind, header="x"), "", headers, b"{}", fields={}, now=0)


@given(
    headers=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x", "x-zevent-signature"]), st.text()
    ),
    body=st.binary(max_size=50),
    fields=st.dictionaries(st.sampled_from(["app_id", "timestamp"]), st.none() | st.integers() | st.text()),
    kind=st.sampled_from(["standard_webhooks", "hmac", "zalo"]),
)
def test_whatever_comes_is_a_mismatch(headers: Any, body: bytes, fields: Any, kind: Any) -> None:
    verification = Verification(type=kind, header="x")
    with pytest.raises(SignatureMismatch):
        verify(verification, SECRET, headers, body, fields=fields, now=0)


@pytest.mark.parametrize("secret", ["", " ", "whsec_", "whsec_%%%", "nö", f"{SECRET} whsec_*"])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError):
        signing_keys(secret)


def test_secrets_come_with_and_without_their_prefix() -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert signing_keys(f" {SECRET}  {SECRET.removeprefix('whsec_')} ") == [key, key]


@given(
    per_second=st.integers(1, 1000), waits=st.lists(st.integers(0, 3_000_000), max_size=50), asked=st.integers(1, 20)
)
def test_no_second_lets_more_pass_than_two_seconds_worth(per_second: int, waits: list[int], asked: int) -> None:
    free_at, now, passes = 0, 10**15, []
    for wait in waits:
        now += wait
        passed, free_at, next_at = admit(free_at, per_second, asked, now)
        assert 0 <= passed <= asked
        if passed < asked:
            assert next_at > now
            assert admit(free_at, per_second, 1, next_at)[0] == 1
        passes.append((now, passed))
    for begin, _ in passes:
        within = sum(passed for moment, passed in passes if begin <= moment < begin + 1_000_000)
        assert within <= 2 * per_second + 1
