"""A stand-in for Stringee: calls come in by a GET of the answer URL, SCCO is followed, and calls can be placed.

Like the real one it signs what it sends (``X-STRINGEE-SIGNATURE``), answers errors with HTTP 200 and ``r != 0``,
reports each change of a call to the project's event URL, and drops no repeated call.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets as random_secrets
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.server import Answer, Request, StandIn, json_answer, spoiled
from nhip.testing.standins.telephone import Reach, Reply, over_http

NOBODY_ANSWERS: Final = "84900000480"
BUSY: Final = "84900000486"
REFUSES: Final = "84900000603"
"""Phones that come out like this; every other is picked up."""
CAUSES: Final[Mapping[str, str]] = {
    NOBODY_ANSWERS: "480 Temporarily Unavailable",
    BUSY: "486 Busy Here",
    REFUSES: "603 Decline",
}
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "talk": frozenset({"text", "voice", "speed", "bargeIn", "loop", "silenceTime"}),
    "stream": frozenset({"url", "bargeIn", "loop"}),
    "input": frozenset({"eventUrl", "submitOnHash", "timeout", "customField"}),
    "connect": frozenset({"from", "to", "customData", "timeout", "maxConnectTime", "peerToPeerCall", "continueOnFail"})
    | {"onFailEventUrl", "eventUrl"},
    "recordMessage": frozenset({"eventUrl", "beepStart", "timeout", "format", "silenceThresh", "silenceTimeout"}),
}
"""The actions of SCCO and their fields."""
_ASKING: Final = frozenset({"input", "connect", "recordMessage"})


class StringeeAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the stand-in knows its one customer by."""

    key_sid: str = "SK0"
    key_secret: str = "stringee-key-secret"  # noqa: S105 - a stand-in keeps no secret
    signing_secret: str = "stringee-signing-secret"  # noqa: S105
    number: str = "842873000000"


class StringeeCall:
    """One call, as Stringee leads it: it asks for SCCO, and does what it says until somebody has to do something."""

    def __init__(
        self, standin: "StringeeStandIn", answer_url: str, event_url: str | None, caller: str, called: str
    ) -> None:
        self.call_id = f"call-vn-1-{random_secrets.token_hex(8)}"
        self.caller, self.called = caller, called
        self.actions: list[dict[str, Any]] = []
        """Everything that Stringee was told to do, in order."""
        self.waits_for: dict[str, Any] | None = None
        """The action that now waits for a key, somebody to pick up, or a recording."""
        self.errors: list[str] = []
        self.over = False
        self._standin = standin
        self._answer_url = answer_url
        self._event_url = event_url
        self._last: tuple[str, str, bytes] = ("GET", "", b"")

    @property
    def spoken(self) -> str:
        """Everything that was said so far."""
        return " ".join(action["text"] for action in self.actions if action["action"] == "talk")

    async def begin(self, *, outbound: bool = False) -> None:
        """Ask for the first array."""
        said = {"from": self.caller, "to": self.called}
        said |= {"callId": self.call_id} if outbound else {"uuid": self.call_id, "fromInternal": "false"}
        mark = "&" if "?" in self._answer_url else "?"
        await self._ask("GET", f"{self._answer_url}{mark}{urlencode(said)}", None)

    async def press(self, digits: str) -> None:
        """The caller presses keys, or none in time where ``digits`` is empty."""
        fields = {
            "time": str(time.time_ns() // 1_000_000), "dtmf": digits, "call_id": self.call_id, "customField": "",
            "timeout": not digits,
        }  # fmt: skip
        await self._ask("POST", self._waiting("input")["eventUrl"], fields)

    async def picked_up(self) -> None:
        """Whom Stringee connects has picked up."""
        await self._post(self._waiting("connect")["eventUrl"], self._status("answered"))

    async def not_reached(self, cause: str = "480 Temporarily Unavailable") -> None:
        """Whom Stringee connects has not."""
        await self._ask("POST", self._waiting("connect")["onFailEventUrl"], self._status("ended", endCallCause=cause))

    async def recorded(self, url: str) -> None:
        """The caller has left a message."""
        said = {"call_id": self.call_id, "recording_url": url}
        await self._ask("POST", self._waiting("recordMessage")["eventUrl"], said)

    async def hang_up(self, cause: str = "USER_END_CALL", seconds: int = 42) -> None:
        """The call is over."""
        self.over, self.waits_for = True, None
        await self.report("ended", endCallCause=cause, answerDuration=seconds, duration=seconds)

    async def report(self, status: str, **more: Any) -> Reply | None:
        """Report a status to the project's event URL."""
        return await self._post(self._event_url, self._status(status, **more)) if self._event_url else None

    async def repeat(self) -> Reply:
        """Send the last request once more; what comes back is not followed."""
        return await self._send(*self._last)

    def _waiting(self, name: str) -> dict[str, Any]:
        if self.waits_for is None or self.waits_for["action"] != name:
            raise RuntimeError(f"the call waits for {self.waits_for}, and not in {name}")
        return self.waits_for

    def _status(self, status: str, **more: Any) -> dict[str, Any]:
        return {
            "call_status": status, "call_id": self.call_id, "project_id": "1", "account_sid": "AC0",
            "timestamp_ms": time.time_ns() // 1_000_000, "type": "stringee_call",
            "from": {"number": self.caller, "alias": self.caller, "type": "external"},
            "to": {"number": self.called, "alias": self.called, "type": "external"}, **more,
        }  # fmt: skip

    async def _ask(self, method: str, url: str, fields: Mapping[str, Any] | None) -> None:
        self._last = (method, url, b"" if fields is None else msgspec.json.encode(fields))
        reply = await self._send(*self._last)
        try:
            actions = _read(reply)
        except ValueError as error:
            self.errors.append(str(error))
            return await self.hang_up("500 SCCO", 0)
        self.waits_for = None
        for action in actions:
            self.actions.append(action)
            if action["action"] in _ASKING:
                self.waits_for = action
                return None
        return await self.hang_up("BOT_END_CALL")

    async def _post(self, url: str, fields: Mapping[str, Any]) -> Reply:
        return await self._send("POST", url, msgspec.json.encode(fields))

    async def _send(self, method: str, url: str, body: bytes) -> Reply:
        parts = urlsplit(url)
        text = body if method == "POST" else f"{parts.path}?{parts.query}".replace("+", "%20").encode()
        headers = {"content-type": "application/json", "x-stringee-signature": self._standin.sign(text)}
        return await self._standin.reach(method, url, headers, body)


def _read(reply: Reply) -> list[dict[str, Any]]:
    """The actions of an answer.

    Raises:
        ValueError: it is no SCCO.
    """
    if reply.status != 200 or "json" not in reply.content_type:
        raise ValueError(f"HTTP {reply.status} {reply.content_type}")
    actions = msgspec.json.decode(reply.body, type=list[dict[str, Any]])
    for action in actions:
        known = _KNOWN.get(str(action.get("action")))
        if known is None:
            raise ValueError(f"SCCO has no action {action.get('action')!r}")
        if strange := action.keys() - known - {"action"}:
            raise ValueError(f"{action['action']} has no {', '.join(sorted(strange))}")
    return actions


class StringeeStandIn(StandIn):
    """Stringee with one project that has one number."""

    provider = "voice_stringee"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        account: StringeeAccount | None = None,
        reach: Reach = over_http,
        public_url: str = "http://care.example",
        event_url: str | None = None,
        says_call_id: bool = True,
    ) -> None:
        super().__init__(port=port, ledger=ledger, faults=faults)
        self.account = account or StringeeAccount()
        self.reach = reach
        self.public_url = public_url
        self.event_url = event_url
        """The project's event URL."""
        self.says_call_id = says_call_id
        """Whether the answer to a call that is placed says its id."""
        self.placed: list[StringeeCall] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def config(self) -> dict[str, Any]:
        """A configuration for the channel ``voice_stringee`` that comes here."""
        account = self.account
        return {
            "base_url": self.base_url, "key_sid": account.key_sid, "from": f"+{account.number}",
            "public_url": self.public_url,
        }  # fmt: skip

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`."""
        return {"key_secret": self.account.key_secret, "signing_secret": self.account.signing_secret}

    def sign(self, text: bytes) -> str:
        """The signature of what it sends."""
        key = self.account.signing_secret.encode()
        return base64.b64encode(hmac.new(key, text, hashlib.sha1).digest()).decode()

    async def dial_in(self, call_control: str, caller: str = "84987654321", called: str | None = None) -> StringeeCall:
        """Somebody calls; ``call_control`` is the address of the account's call control. The first SCCO is followed."""
        number = called or self.account.number
        call = StringeeCall(self, f"{call_control}/answer", f"{call_control}/event", caller, number)
        await call.report("created")
        await call.begin()
        return call

    def handle(self, request: Request) -> Answer:
        """Answer one request to the REST API."""
        if request.method != "POST" or request.path != "/v1/call2/callout":
            return Answer(status=404)
        if not self._knows(request.headers.get("x-stringee-auth", "")):
            return json_answer({"r": 6, "message": "Authentication failed"})
        try:
            fields = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return json_answer({"r": 1, "message": "Request is not JSON"})
        answer_url, to = fields.get("answer_url"), fields.get("to")
        if not answer_url and not fields.get("actions"):
            return json_answer({"r": 2, "message": "answer_url or actions is required"})
        if not isinstance(to, list) or not to or not str(to[0].get("number", "")).isdigit():
            return json_answer({"r": 3, "message": "to number is invalid"})
        if fields.get("from", {}).get("number") != self.account.number:
            return json_answer({"r": 10, "message": "from number is not yours"})
        fault = self.faults.draw()
        if fault is not None and not fault.accepts:
            return spoiled(Answer(), fault, self.faults)
        number = str(to[0]["number"])
        call = StringeeCall(self, str(answer_url), self.event_url, self.account.number, number)
        reference = str(answer_url).partition("key=")[2].partition("&")[0]
        self.ledger.append(
            reference=reference, address=number, provider_id=call.call_id, provider=self.provider, fault=fault,
            content={"answer_url": answer_url},
        )  # fmt: skip
        self.placed.append(call)
        if self.event_url is not None:
            task = asyncio.get_running_loop().create_task(self._place(call, CAUSES.get(number)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        said = {"r": 0, "message": "Success", **({"call_id": call.call_id} if self.says_call_id else {})}
        return spoiled(json_answer(said), fault, self.faults)

    def _knows(self, token: str) -> bool:
        """Whether a JWT is the account's, and has not expired."""
        parts = token.split(".")
        if len(parts) != 3:
            return False
        try:
            header, claims = (msgspec.json.decode(_decoded(part), type=dict[str, Any]) for part in parts[:2])
        except (ValueError, msgspec.DecodeError):
            return False
        key = self.account.key_secret.encode()
        wanted = hmac.new(key, f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
        genuine = hmac.compare_digest(_decoded(parts[2]), wanted)
        stated = header.get("alg") == "HS256" and header.get("cty") == "stringee-api;v=1" and claims.get("rest_api")
        return bool(
            genuine and stated and claims.get("iss") == self.account.key_sid and claims.get("exp", 0) > time.time()
        )

    async def _place(self, call: StringeeCall, cause: str | None) -> None:
        await call.report("created")
        await call.report("ringing")
        if cause is not None:
            await call.hang_up(cause, 0)
            return
        await call.report("answered")
        await call.begin(outbound=True)

    async def settled(self) -> None:
        """Wait until the calls that were placed are over."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Stop listening, and drop what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
