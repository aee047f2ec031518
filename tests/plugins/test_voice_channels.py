"""The voice channels: plans in each provider's words, signatures, and what providers say to calls that are placed."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient as TwilioHttp
from twilio.http.response import Response as TwilioResponse
from twilio.rest import Client

from nhip import (
    Accepted,
    Ambiguous,
    CallOutcome,
    CallPlan,
    CallRequest,
    CallState,
    Connect,
    Gather,
    HangUp,
    InboundRequest,
    MalformedInput,
    NotSent,
    Outcome,
    Play,
    Queue,
    RecordVoice,
    Rejected,
    RejectionReason,
    Say,
    SignatureMismatch,
)
from nhip.testing.contexts import message, open_channel
from nhip.testing.standins import Fault
from nhip.testing.standins.asterisk import AsteriskStandIn
from nhip.testing.standins.server import Answer, Request
from nhip.testing.standins.stringee import StringeeStandIn
from nhip.testing.standins.telephone import Reply
from nhip.testing.standins.twilio import TwilioStandIn
from nhip.testing.standins.twiml_reader import read_twiml
from nhip_channels import ari, scco, twiml
from nhip_channels.stringee_calls import sign
from nhip_channels.twilio_signature import is_genuine, signature
from nhip_channels.voice_asterisk import VoiceAsterisk
from nhip_channels.voice_stringee import VoiceStringee
from nhip_channels.voice_twilio import VoiceTwilio

PHONE = "+84987654321"
CALL = CallRequest(call_id="c-1", state=CallState.RINGING, caller=PHONE, base_url="https://care.example/voice/h/t")
MENU = Gather(prompts=(Say(text='Bấm "1" & <2>\x00'), Play(url="https://cdn.example/a.mp3?x=1&y=2")), timeout=5)
PLANS = {
    "menu": CallPlan(steps=(Say(text="Chào"), MENU)),
    "number": CallPlan(steps=(Connect(to="+84901234567", ring_seconds=15, caller_id="+842873000000"),)),
    "queue": CallPlan(steps=(Queue(name="care"),)),
    "mapped queue": CallPlan(steps=(Queue(name="advice"),)),
    "recording": CallPlan(steps=(Say(text="Mời nói"), RecordVoice(seconds=60), HangUp())),
    "words": CallPlan(steps=(Say(text="Tạm biệt"), HangUp())),
    "nothing": CallPlan(),
}
QUEUES = {"advice": "+842873000005"}


async def nobody(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Nobody takes what the provider reports."""
    return Reply(0)


# --- in the provider's words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_twilios_library_would_have_written_the_same(name: str) -> None:
    verbs = read_twiml(twiml.render(PLANS[name], "https://care.example/answer?turn=1&key=k", QUEUES))
    assert [verb.name for verb in verbs] == {
        "menu": ["Say", "Gather"],
        "number": ["Dial"],
        "queue": ["Enqueue"],
        "mapped queue": ["Dial"],
        "recording": ["Say", "Record", "Hangup"],
        "words": ["Say", "Hangup"],
        "nothing": [],
    }[name]
    asking = [verb for verb in verbs if verb.name in ("Gather", "Dial", "Enqueue", "Record")]
    assert all(verb.attributes["action"] == "https://care.example/answer?turn=1&key=k" for verb in asking)


def test_twiml_says_what_is_meant() -> None:
    [gather] = read_twiml(twiml.render(CallPlan(steps=(MENU,)), "/answer?turn=1", {}))
    assert gather.nested[0].text == 'Bấm "1" & <2>'
    assert gather.nested[1].text == "https://cdn.example/a.mp3?x=1&y=2"
    assert gather.attributes["actionOnEmptyResult"] == "true"
    [dial] = read_twiml(twiml.render(PLANS["number"], "/answer?turn=1", {}))
    assert (dial.nested[0].name, dial.nested[0].text) == ("Number", "+84901234567")
    assert (dial.attributes["timeout"], dial.attributes["callerId"]) == ("15", "+842873000000")


def test_the_reader_refuses_what_is_no_twiml() -> None:
    for document in (b"<Response><Dance/></Response>", b"<Response><Say tempo='1'>x</Say></Response>", b"<Say/>", b"x"):
        with pytest.raises(ValueError, match="12"):
            read_twiml(document)


def test_scco_says_what_is_meant() -> None:
    def actions(name: str) -> Any:
        return msgspec.json.decode(scco.render(PLANS[name], "+842873000000", "U?turn=1", "E?turn=1", QUEUES))

    assert [one["action"] for one in actions("menu")] == ["talk", "talk", "stream", "input"]
    assert [one.get("bargeIn") for one in actions("menu")] == [False, True, True, None]
    assert (actions("menu")[-1]["eventUrl"], actions("menu")[-1]["timeout"]) == ("U?turn=1", 5)
    [connect] = actions("number")
    assert connect["to"] == {"type": "external", "number": "84901234567", "alias": "84901234567"}
    assert (connect["timeout"], connect["onFailEventUrl"], connect["eventUrl"]) == (15, "U?turn=1", "E?turn=1")
    assert actions("queue")[0]["to"] == {"type": "internal", "number": "care", "alias": "care"}
    assert actions("mapped queue")[0]["to"]["number"] == "842873000005"
    assert [one["action"] for one in actions("recording")] == ["talk", "recordMessage"]
    assert [one["action"] for one in actions("words")] == ["talk"]
    assert actions("nothing") == []


def test_ari_is_asked_for_what_is_meant() -> None:
    way = ari.Way(
        app="nhip", number="+842873000000", dial_context="nhip-dial", queue_context="nhip-queue", queues=QUEUES,
        sounds={"Chào": "sound:custom/hello"}, speech_url="http://speech.example/?t={text}&l={language}",
    )  # fmt: skip

    def asked(name: str) -> list[str]:
        return [f"{one.method} {one.path.rpartition('c-1')[2]}" for one in ari.render(PLANS[name], CALL, way).calls][1:]

    menu = ari.render(PLANS["menu"], CALL, way)
    assert menu.gather == ari.AriGather(digits=1, timeout=5, turn=1)
    assert menu.calls[0].query == {"eventSource": "channel:c-1"}
    assert menu.calls[2].query == {"media": "sound:custom/hello"}
    assert menu.calls[3].query["media"].startswith("sound:http://speech.example/?t=B%E1%BA%A5m")
    assert asked("words")[-1] == "DELETE "
    assert asked("number")[-1] == "POST /continue"
    calls = ari.render(PLANS["number"], CALL, way).calls
    assert calls[-1].query == {"context": "nhip-dial", "extension": "+84901234567", "priority": "1"}
    assert {one.query["variable"]: one.query["value"] for one in calls if "variable" in one.query} == {
        "NHIP_RING": "15", "NHIP_TURN": "1", "NHIP_FROM": "+842873000000",
    }  # fmt: skip
    assert ari.render(PLANS["queue"], CALL, way).calls[-1].query["context"] == "nhip-queue"
    assert ari.render(PLANS["mapped queue"], CALL, way).calls[-1].query["context"] == "nhip-dial"
    assert ari.render(PLANS["recording"], CALL, way).turn == 1
    later = msgspec.structs.replace(CALL, state=CallState.KEYPRESS, turn=1)
    assert ari.render(PLANS["nothing"], later, way).calls == [
        ari.AriCall("DELETE", "/channels/c-1", {"reason": "normal"})
    ]


# --- signatures -------------------------------------------------------------------------------------------------------


def test_twilios_own_example_verifies() -> None:
    form = {
        "CallSid": ["CA1234567890ABCDE"], "Caller": ["+12349013030"], "Digits": ["1234"], "From": ["+12349013030"],
        "To": ["+18005551212"],
    }  # fmt: skip
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    said = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert signature("12345", url, form) == said
    assert is_genuine("12345", said, url.replace(".com/", ".com:443/"), form)
    assert not is_genuine("12345", said, url, {**form, "Digits": ["1"]})
    body = b'{"property": "value", "boolean": true}'
    hashed = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    address = f"https://mycompany.com/myapp.php?bodySHA256={hashed}"
    assert is_genuine("12345", "y77kIzt2vzLz71DgmJGsen2scGs=", address, {"ignored": ["x"]}, body)
    assert not is_genuine("12345", "y77kIzt2vzLz71DgmJGsen2scGs=", address, {}, body + b" ")


def test_stringees_signatures_are_those_of_its_documentation() -> None:
    assert sign("signing-secret", b'{"call_status":"ended"}') == "2sqLDaGo4EzjP+Y9DmRJ1iXPBqg="
    asked = b"/answer?from=84909986668&to=84899199866&uuid=890ccbe2&fromInternal=false"
    assert sign("signing-secret", asked) == "kZ6BqdNCZk0r5yaEXrrBSvoLpsE="


async def test_twilio_is_believed_behind_a_proxy_and_without_a_public_url() -> None:
    twilio = TwilioStandIn()
    config = {**twilio.config(), "public_url": None}
    async with open_channel(VoiceTwilio, config, twilio.secrets()) as channel:
        url = "https://care.example/voice/main/token/answer?turn=1"
        form = {"CallSid": "CA1", "From": PHONE, "To": "+842873000000", "Digits": "1"}
        headers = {"host": "care.example", "x-twilio-signature": twilio.validator.compute_signature(url, form)}
        body = b"CallSid=CA1&From=%2B84987654321&To=%2B842873000000&Digits=1"
        request = InboundRequest(
            method="POST", path="/voice/main/token/answer", query={"turn": "1"}, headers=headers, body=body,
            query_string="turn=1",
        )  # fmt: skip
        call = await channel.read_call(request)
        assert (call.state, call.digits, call.turn, call.caller) == (CallState.KEYPRESS, "1", 1, PHONE)
        with pytest.raises(SignatureMismatch):
            await channel.read_call(msgspec.structs.replace(request, query_string="turn=2"))


@pytest.mark.parametrize(
    ("form", "query", "path", "state", "outcome"),
    [
        ({"CallStatus": "ringing"}, {}, "answer", CallState.RINGING, None),
        ({"CallStatus": "in-progress", "Digits": ""}, {"turn": "1"}, "answer", CallState.KEYPRESS, None),
        ({"DialCallStatus": "busy"}, {"turn": "2"}, "answer", CallState.TRANSFERRED, CallOutcome.BUSY),
        ({"DialCallStatus": "completed"}, {"turn": "2"}, "answer", CallState.TRANSFERRED, CallOutcome.ANSWERED),
        ({"QueueResult": "bridged"}, {"turn": "2"}, "answer", CallState.TRANSFERRED, CallOutcome.ANSWERED),
        ({"QueueResult": "error"}, {"turn": "2"}, "answer", CallState.TRANSFERRED, CallOutcome.FAILED),
        ({"RecordingUrl": "https://x"}, {"turn": "2"}, "answer", CallState.RECORDING, None),
        ({"CallStatus": "in-progress"}, {"key": "k"}, "answer", CallState.ANSWERED, None),
        ({"CallStatus": "initiated"}, {}, "event", CallState.RINGING, None),
        ({"CallStatus": "in-progress"}, {}, "event", CallState.ANSWERED, None),
        ({"CallStatus": "no-answer"}, {}, "event", CallState.ENDED, CallOutcome.NO_ANSWER),
        ({"CallStatus": "canceled"}, {}, "event", CallState.ENDED, CallOutcome.CANCELLED),
    ],
)
async def test_twilios_requests_are_understood(
    form: dict[str, str], query: dict[str, str], path: str, state: CallState, outcome: CallOutcome | None
) -> None:
    twilio = TwilioStandIn(public_url="https://care.example")
    async with open_channel(VoiceTwilio, twilio.config(), twilio.secrets()) as channel:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        url = f"https://care.example/voice/main/token/{path}" + (f"?{text}" if text else "")
        fields = {"CallSid": "CA1", **form}
        said = twilio.validator.compute_signature(url, fields)
        body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
        request = InboundRequest(
            method="POST", path=f"/voice/main/token/{path}", query=query, headers={"x-twilio-signature": said},
            body=body, query_string=text,
        )  # fmt: skip
        call = await channel.read_call(request)
    assert (call.state, call.outcome, call.asks) == (state, outcome, path == "answer")


async def test_the_bridge_is_believed_for_five_minutes() -> None:
    asterisk = AsteriskStandIn()
    async with open_channel(VoiceAsterisk, asterisk.config(), asterisk.secrets()) as channel:
        for timestamp in ("", "x", "1732240000"):
            headers = {"webhook-id": "1", "webhook-timestamp": timestamp, "webhook-signature": "v1,x"}
            request = InboundRequest(method="POST", path="/voice/m/t/answer", query={}, headers=headers, body=b"{}")
            with pytest.raises(SignatureMismatch):
                await channel.read_call(request)


def test_what_is_no_event_of_a_call_is_malformed() -> None:
    for body in (b"", b"[]", b"{}", b'{"type": "StasisStart"}', b'{"type": "Dial", "channel": {"id": "1"}}'):
        with pytest.raises(MalformedInput):
            ari.read_event(body, 0, asks=True, base_url="")


# --- calls that are placed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, 21211, RejectionReason.UNREACHABLE),
        (400, 21215, RejectionReason.CONFIGURATION),
        (401, 20003, RejectionReason.CONFIGURATION),
    ],
)
async def test_twilios_codes_are_read(status: int, code: int, reason: RejectionReason) -> None:
    async with TwilioStandIn(reach=nobody) as twilio:
        twilio.intercept = lambda _: Answer(msgspec.json.encode({"code": code, "message": "no"}), status)
        async with open_channel(VoiceTwilio, twilio.config(), twilio.secrets()) as channel:
            [outcome] = await channel.send([message(PHONE, "k1", text="Xin chào")], 1.0)
    assert outcome == Rejected(reason=reason, code=str(code), detail="no")


async def test_too_many_calls_are_placed_later() -> None:
    async with TwilioStandIn(reach=nobody) as twilio:
        twilio.intercept = lambda _: Answer(b'{"code": 20429}', 429, {"Retry-After": "7"})
        async with open_channel(VoiceTwilio, twilio.config(), twilio.secrets()) as channel:
            [outcome] = await channel.send([message(PHONE, "k1", text="Xin chào")], 1.0)
    assert outcome == NotSent(code="20429", detail="too many calls", retry_after=7.0, counts=False)


async def test_the_same_code_at_stringee_comes_with_http_200() -> None:
    async with StringeeStandIn(reach=nobody) as stringee:
        secrets = {**stringee.secrets(), "key_secret": "another"}
        async with open_channel(VoiceStringee, stringee.config(), secrets) as channel:
            [outcome] = await channel.send([message(PHONE, "k1", text="Xin chào")], 1.0)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (RejectionReason.CONFIGURATION, "6")


async def test_a_second_channel_of_the_same_key_is_the_first_one() -> None:
    async with AsteriskStandIn() as asterisk:
        asterisk.faults.script([Fault.RESET_AFTER])
        async with open_channel(VoiceAsterisk, asterisk.config(), asterisk.secrets()) as channel:
            outcomes: list[Outcome] = []
            for _ in range(2):
                outcomes += await channel.send([message(PHONE, "k1", text="Xin chào")], 1.0)
    assert isinstance(outcomes[0], Ambiguous)
    assert outcomes[1] == Accepted(provider_id="nhip-k1")
    assert len(asterisk.ledger) == 1


@pytest.mark.parametrize(("kind", "standin"), [(VoiceTwilio, TwilioStandIn), (VoiceStringee, StringeeStandIn)])
async def test_nobody_is_called_who_could_not_be_told_anything(kind: Any, standin: Any) -> None:
    config = {**standin().config(), "public_url": None}
    async with open_channel(kind, config, standin().secrets()) as channel:
        [outcome] = await channel.send([message(PHONE, "k1", text="Xin chào")], 1.0)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (RejectionReason.CONFIGURATION, "no_public_url")


def test_a_call_needs_words() -> None:
    for kind in (VoiceTwilio, VoiceStringee, VoiceAsterisk):
        assert [problem.code for problem in kind.check_content(message(PHONE).content)] == ["missing"]
        assert kind.check_content(message(PHONE, text="Xin chào").content) == []


# --- the stand-in is as Twilio's own library expects it ---------------------------------------------------------------


class _InProcess(TwilioHttp):  # type: ignore[misc]
    """Twilio's library, talking to the stand-in."""

    def __init__(self, standin: TwilioStandIn) -> None:
        self._standin = standin

    def request(
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = False,
    ) -> Any:
        login = base64.b64encode(":".join(auth).encode()).decode()
        path = uri.removeprefix("https://api.twilio.com")
        body = urlencode(data or {}, doseq=True).encode()
        answer = self._standin.answer(Request(method, path, "", {"authorization": f"Basic {login}"}, body))
        return TwilioResponse(answer.status, answer.body.decode())


async def test_twilios_client_places_calls_at_the_stand_in() -> None:
    standin = TwilioStandIn(reach=nobody)
    account = standin.account
    client = Client(account.sid, account.auth_token, http_client=_InProcess(standin))
    call = client.calls.create(to=PHONE, from_=account.number, url="https://care.example/answer?key=k1")
    assert (call.sid, call.status) == (standin.ledger.entries[0].provider_id, "queued")
    with pytest.raises(TwilioRestException) as refused:
        client.calls.create(to="+84", from_=account.number, url="https://care.example/answer")
    assert refused.value.code == 21211
    await asyncio.sleep(0)
