"""A stand-in for Twilio's voice: calls come in as webhooks, TwiML is followed, and calls can be placed.

Signatures are made by Twilio's own library, and TwiML is read with its help: the distribution ``twilio`` has to be
installed. Like the real one it answers errors with a code and an HTTP status of the 400s, and drops no repeated call.
"""

import asyncio
import base64
import secrets as random_secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urljoin

import msgspec
from twilio.request_validator import RequestValidator

from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.server import Answer, Request, StandIn, json_answer, spoiled
from nhip.testing.standins.telephone import Reach, Reply, over_http
from nhip.testing.standins.twiml_reader import Verb, read_twiml

NOBODY_ANSWERS: Final = "+84900000480"
BUSY: Final = "+84900000486"
UNREACHABLE: Final = "+84900000404"
"""Phones that come out like this; every other is picked up."""
_STATUSES: Final[Mapping[str, str]] = {NOBODY_ANSWERS: "no-answer", BUSY: "busy", UNREACHABLE: "failed"}
_ASKING: Final = frozenset({"Gather", "Dial", "Enqueue", "Record"})
"""Verbs whose end asks for the next document."""


class TwilioAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the stand-in knows its one customer by."""

    sid: str = "AC" + "0" * 32
    auth_token: str = "twilio-token"  # noqa: S105 - a stand-in keeps no secret
    number: str = "+842873000000"


class TwilioCall:
    """One call, as Twilio leads it: it asks for TwiML, and does what it says until somebody has to do something."""

    def __init__(
        self, standin: "TwilioStandIn", answer_url: str, event_url: str | None, caller: str, called: str, direction: str
    ) -> None:
        self.sid = f"CA{random_secrets.token_hex(16)}"
        self.status = "ringing"
        self.verbs: list[Verb] = []
        """Everything that Twilio was told to do, in order."""
        self.waits_for: Verb | None = None
        """The verb that now waits for a key, a leg, a queue or a recording."""
        self.errors: list[str] = []
        """Twilio's errors, by code: 11200 for an answer that is none, 12100 and 12200 for TwiML that is none."""
        self.replies: list[Reply] = []
        self._standin = standin
        self._answer_url = self._document_url = answer_url
        self._event_url = event_url
        self._last: tuple[str, dict[str, str]] = ("", {})
        self._about = {
            "AccountSid": standin.account.sid, "ApiVersion": "2010-04-01", "CallSid": self.sid, "From": caller,
            "To": called, "Direction": direction,
        }  # fmt: skip

    @property
    def spoken(self) -> str:
        """Everything that was said so far."""
        return " ".join(verb.spoken for verb in self.verbs if verb.spoken)

    async def begin(self) -> None:
        """Ask for the first document."""
        self.status = "ringing" if self._about["Direction"] == "inbound" else "in-progress"
        await self._ask(self._answer_url, {})

    async def press(self, digits: str) -> None:
        """The caller presses keys where some are gathered; none at all where ``digits`` is empty."""
        verb = self._waiting("Gather")
        if not digits and verb.attributes.get("actionOnEmptyResult") != "true":
            return await self._end("completed")
        return await self._ask(self._action(verb), {"Digits": digits, "msg": "Gather End"})

    async def leg_ended(self, status: str) -> None:
        """Whom Twilio dialled has picked up and talked (``completed``), or has not (``no-answer``, ``busy``)."""
        verb = self._waiting("Dial")
        said = {"DialCallStatus": status, "DialCallSid": f"CA{random_secrets.token_hex(16)}"}
        await self._ask(self._action(verb), said)

    async def left_queue(self, result: str) -> None:
        """The caller was bridged to somebody, or left the queue (``QueueResult``)."""
        verb = self._waiting("Enqueue")
        await self._ask(self._action(verb), {"QueueResult": result, "QueueTime": "12"})

    async def recorded(self, url: str) -> None:
        """The caller has left a message."""
        await self._ask(self._action(self._waiting("Record")), {"RecordingUrl": url, "RecordingDuration": "7"})

    async def repeat(self) -> Reply:
        """Send the last request once more, as after a broken connection; what comes back is not followed."""
        return await self._post(*self._last)

    async def hang_up(self) -> None:
        """The caller hangs up."""
        await self._end("completed")

    async def report(self, status: str, **more: str) -> Reply:
        """Report a status to the event address."""
        assert self._event_url is not None
        return await self._post(self._event_url, {"CallStatus": status, **more})

    def _waiting(self, name: str) -> Verb:
        if self.waits_for is None or self.waits_for.name != name:
            raise RuntimeError(f"the call waits for {self.waits_for}, and not in {name}")
        return self.waits_for

    def _action(self, verb: Verb) -> str:
        return urljoin(self._document_url, verb.attributes["action"])

    async def _ask(self, url: str, fields: Mapping[str, str]) -> None:
        self._last = (url, {"CallStatus": self.status, **fields})
        self._document_url = url
        reply = await self._post(*self._last)
        if reply.status != 200 or "xml" not in reply.content_type:
            self.errors.append("11200" if reply.status != 200 else "12300")
            return await self._end("failed")
        try:
            verbs = read_twiml(reply.body)
        except ValueError as error:
            self.errors.append(str(error))
            return await self._end("failed")
        self.status, self.waits_for = "in-progress", None
        for verb in verbs:
            self.verbs.append(verb)
            if verb.name in _ASKING:
                self.waits_for = verb
                return None
        return await self._end("completed")

    async def _end(self, status: str) -> None:
        self.status, self.waits_for = status, None
        if self._event_url is not None:
            await self.report(status, CallDuration="42" if status == "completed" else "0")

    async def _post(self, url: str, fields: Mapping[str, str]) -> Reply:
        form = {**self._about, **fields}
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "user-agent": "TwilioProxy/1.1",
            "x-twilio-signature": self._standin.validator.compute_signature(url, form),
        }
        reply = await self._standin.reach("POST", url, headers, urlencode(form).encode())
        self.replies.append(reply)
        return reply


class TwilioStandIn(StandIn):
    """Twilio with one account that has one number."""

    provider = "voice_twilio"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        account: TwilioAccount | None = None,
        reach: Reach = over_http,
        public_url: str = "http://care.example",
    ) -> None:
        super().__init__(port=port, ledger=ledger, faults=faults)
        self.account = account or TwilioAccount()
        self.validator: Any = RequestValidator(self.account.auth_token)
        self.reach = reach
        self.public_url = public_url
        """Where its client can be reached; the ``public_url`` of the configuration."""
        self.placed: list[TwilioCall] = []
        """The calls that the client placed."""
        self._tasks: set[asyncio.Task[None]] = set()

    def config(self) -> dict[str, Any]:
        """A configuration for the channel ``voice_twilio`` that comes here."""
        account = self.account
        return {
            "base_url": self.base_url, "account_sid": account.sid, "from": account.number,
            "public_url": self.public_url,
        }  # fmt: skip

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`."""
        return {"auth_token": self.account.auth_token}

    async def dial_in(self, call_control: str, caller: str = "+84987654321", called: str | None = None) -> TwilioCall:
        """Somebody calls; ``call_control`` is the address of the account's call control. The first TwiML is followed.

        Who hides the number comes as Twilio names them: ``+266696687``, or ``Anonymous``.
        """
        number = called or self.account.number
        call = TwilioCall(self, f"{call_control}/answer", f"{call_control}/event", caller, number, "inbound")
        await call.begin()
        return call

    def handle(self, request: Request) -> Answer:
        """Answer one request to the REST API."""
        if request.method != "POST" or request.path != f"/2010-04-01/Accounts/{self.account.sid}/Calls.json":
            return _refusal(404, 20404, "The requested resource was not found")
        wanted = base64.b64encode(f"{self.account.sid}:{self.account.auth_token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            return _refusal(401, 20003, "Authenticate")
        form = request.form
        to = form.get("To", "")
        if not to:
            return _refusal(400, 21201, "No 'To' number is specified")
        if not (to.startswith("+") and to[1:].isdigit() and len(to) > 8):
            return _refusal(400, 21211, f"The 'To' number {to} is not a valid phone number")
        if form.get("From") != self.account.number:
            return _refusal(400, 21210, "'From' phone number not verified")
        if not form.get("Url", form.get("Twiml")):
            return _refusal(400, 21205, "Url parameter is required")
        fault = self.faults.draw()
        if fault is not None and not fault.accepts:
            return spoiled(Answer(), fault, self.faults)
        call = TwilioCall(self, form["Url"], form.get("StatusCallback"), self.account.number, to, "outbound-api")
        reference = form["Url"].partition("key=")[2].partition("&")[0]
        content = {"Url": form["Url"], "StatusCallback": form.get("StatusCallback")}
        self.ledger.append(
            reference=reference, address=to, provider_id=call.sid, provider=self.provider, fault=fault, content=content
        )
        self.placed.append(call)
        if form.get("StatusCallback"):
            self._later(self._place(call, _STATUSES.get(to)))
        answer = json_answer({"sid": call.sid, "status": "queued", "to": to, "from": self.account.number}, 201)
        return spoiled(answer, fault, self.faults)

    async def _place(self, call: TwilioCall, failure: str | None) -> None:
        await call.report("initiated")
        await call.report("ringing")
        if failure is not None:
            call.status = failure
            await call.report(failure, CallDuration="0")
            return
        await call.report("in-progress")
        await call.begin()

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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


def _refusal(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_answer({"code": code, "message": message, "more_info": more, "status": status}, status)
