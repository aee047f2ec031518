"""A stand-in for Zalo: OAuth v4 of an official account, ZBS Template Message by phone, and the webhook with receipts.

Like the real one it answers business errors with HTTP 200 and ``error != 0``, numbers as strings, and does not drop a
repeated ``tracking_id``. A phone ``8490000`` followed by an error code (``84900000118``, ``84900001471``) gets that
error; ``PHONE_FAULTS`` lists the phones that get a fault.
"""

import hashlib
import hmac
import secrets as random_secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from nhip.testing.standins.faults import Fault, Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.pusher import Pusher
from nhip.testing.standins.server import Answer, Request, StandIn, json_answer, spoiled
from nhip.testing.standins.zalo_events import ZaloAccount, ZaloEvents, millis

MESSAGES: Final[Mapping[int, str]] = {
    -100: "Unknown error",
    -101: "Application invalid",
    -103: "Application not activated",
    -104: "App secret key invalid",
    -107: "Message ID invalid",
    -108: "Phone number invalid",
    -109: "Template ID invalid",
    -110: "Zalo version unsupported",
    -111: "Template data empty",
    -114: "User is inactive, or reject the message, or using an outdated Zalo version, or other internal errors",
    -115: "Out of quota",
    -118: "Zalo account not existed",
    -119: "Account can not receive message",
    -121: "Body empty",
    -122: "Body is not JSON",
    -124: "Access token is invalid",
    -144: "ZNS daily quota exceeded",
    -1241: "appsecret_proof invalid",
}
"""Texts seen in Zalo's answers; for the other codes the text says only the code."""

PHONE_FAULTS: Final[Mapping[str, Fault]] = {
    "84900000001": Fault.TIMEOUT_AFTER,
    "84900000002": Fault.RESET_AFTER,
    "84900000003": Fault.ERROR_AFTER,
    "84900000004": Fault.ERROR_BEFORE,
    "84900000005": Fault.GARBAGE,
    "84900000006": Fault.RESET_BEFORE,
    "84900000007": Fault.SLOW,
}
"""Phones that always meet a fault."""


class Parameter(msgspec.Struct, frozen=True):
    """A registered parameter of a template."""

    name: str
    require: bool = True
    maxLength: int = 30  # noqa: N815 - Zalo's spelling


class ZaloTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """An approved template."""

    id: str
    name: str = "template"
    status: str = "ENABLE"
    tag: str = "TRANSACTION"
    price: int = 300
    params: tuple[Parameter, ...] = ()


class ZaloStandIn(StandIn):
    """Zalo with one app and one official account.

    With ``templates`` only those ids are accepted and their parameters are checked; without, any id is. Receipts are
    pushed to ``webhook_url`` ``receipt_delay`` seconds after a message was accepted, also when the client never got an
    answer. ``clock`` gives Unix seconds for the expiry of tokens.
    """

    provider = "zalo_zns"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        account: ZaloAccount | None = None,
        templates: tuple[ZaloTemplate, ...] = (),
        daily_quota: int = 10_000_000,
        webhook_url: str | None = None,
        receipt_delay: float = 0.05,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port, ledger=ledger, faults=faults)
        self.account = account or ZaloAccount()
        self.access_token = self.account.access_token
        self.refresh_token = self.account.refresh_token
        self.templates = {template.id: template for template in templates}
        self.daily_quota = self.remaining_quota = daily_quota
        self.webhook_url = webhook_url
        self.receipt_delay = receipt_delay
        self.clock = clock
        self.refreshes = 0
        """How often a pair of tokens was renewed."""
        self.refresh_attempts = 0
        self.oauth_faults = Faults()
        """Faults of the OAuth endpoint; ``faults`` is for messages."""
        self.events = ZaloEvents(self.account, clock)
        self.pusher = Pusher(self.events.sign)
        self._expiries = {self.access_token: clock() + self.account.token_seconds}
        self._consumed: set[str] = set()
        self._statuses: dict[str, tuple[float, str]] = {}

    def config(self) -> dict[str, Any]:
        """A configuration for the channel ``zalo_zns`` that comes here."""
        return {
            "app_id": self.account.app_id,
            "oa_id": self.account.oa_id,
            "base_url": self.base_url,
            "oauth_url": self.base_url,
        }

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`, as they are valid now."""
        return {
            "app_secret": self.account.app_secret,
            "oa_secret": self.account.oa_secret,
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
        }

    def expire_access_token(self) -> None:
        """Let the present access token be refused from now on, whatever its expiry said."""
        self._expiries[self.access_token] = 0.0

    async def close(self) -> None:
        """Stop listening and pushing."""
        await self.pusher.close()
        await super().close()

    def control(self, request: Request) -> Answer:
        """Also ``PUT /standin/webhook-url`` with the URL as the body."""
        if (request.method, request.path) != ("PUT", "/standin/webhook-url"):
            return super().control(request)
        self.webhook_url = request.body.decode() or None
        return Answer(status=204)

    # --- requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        """Answer one request of either host."""
        match request.method, request.path:
            case "POST", "/v4/oa/access_token":
                return self._oauth(request)
            case "POST", "/message/template":
                return self._send(request)
            case "GET", "/message/status":
                return self._guarded(request, self._status)
            case "GET", "/message/quota":
                return self._guarded(request, self._quota)
            case "GET", "/template/all":
                return self._guarded(request, self._template_list)
            case "GET", "/template/info/v2":
                return self._guarded(request, self._template_info)
            case _:
                return refusal(-106, "Method unsupported")

    def _guarded(self, request: Request, answer: Callable[[Request], Answer]) -> Answer:
        code = self._token_error(request)
        return answer(request) if code is None else refusal(code)

    def _token_error(self, request: Request) -> int | None:
        token = request.headers.get("access_token", "")
        if self._expiries.get(token, 0.0) <= self.clock():
            return -124
        expected = hmac.new(self.account.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        return None if request.headers.get("appsecret_proof", expected) == expected else -1241

    def _oauth(self, request: Request) -> Answer:
        self.refresh_attempts += 1
        fault = self.oauth_faults.draw()
        if fault is not None and not fault.accepts:
            return spoiled(Answer(), fault, self.oauth_faults)
        form = request.form
        token = form.get("refresh_token", "")
        if request.headers.get("secret_key") != self.account.app_secret or form.get("app_id") != self.account.app_id:
            return oauth_refusal(-14002, "Invalid app or secret key.")
        if form.get("grant_type") != "refresh_token":
            return oauth_refusal(-14003, "Invalid grant type.")
        if token in self._consumed:
            return Answer()
        if token != self.refresh_token:
            return oauth_refusal(-14014, "Invalid refresh token.")
        self._consumed.add(token)
        self.refreshes += 1
        self.access_token = f"access-{random_secrets.token_hex(8)}"
        self.refresh_token = f"refresh-{random_secrets.token_hex(8)}"
        self._expiries[self.access_token] = self.clock() + self.account.token_seconds
        answer = json_answer(
            {
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "expires_in": str(self.account.token_seconds),
            }
        )
        return spoiled(answer, fault, self.oauth_faults)

    def _send(self, request: Request) -> Answer:
        if not request.body:
            return refusal(-121)
        try:
            body = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return refusal(-122)
        code = self._token_error(request) or self._message_error(body)
        if code is not None:
            return refusal(code)
        phone = normal_phone(str(body["phone"]))
        fault = PHONE_FAULTS.get(phone) or self.faults.draw()
        if fault is not None and not fault.accepts:
            return spoiled(Answer(), fault, self.faults)
        self.remaining_quota -= 1
        message_id = random_secrets.token_hex(10)
        reference = str(body.get("tracking_id", ""))
        now = self.clock()
        self.ledger.append(
            reference=reference,
            address=phone,
            provider_id=message_id,
            provider=self.provider,
            fault=fault,
            content={name: body.get(name) for name in ("template_id", "template_data", "mode")},
        )
        self._statuses[message_id] = (now, phone)
        if self.webhook_url is not None:
            self.push(self.events.delivered(phone, message_id, reference))
        answer = json_answer(
            {
                "error": 0,
                "message": "Success",
                "data": {
                    "msg_id": message_id,
                    "sent_time": millis(now),
                    "sending_mode": "1",
                    "quota": {"dailyQuota": str(self.daily_quota), "remainingQuota": str(self.remaining_quota)},
                },
            }
        )
        return spoiled(answer, fault, self.faults)

    def _message_error(self, body: Mapping[str, Any]) -> int | None:
        phone = normal_phone(str(body.get("phone", "")))
        if not (phone.isascii() and phone.isdigit() and phone.startswith("84") and len(phone) == 11):
            return -108
        if phone.startswith("8490000") and phone not in PHONE_FAULTS and int(phone[7:]) >= 100:
            return -int(phone[7:])
        tracking = body.get("tracking_id", "")
        if not isinstance(tracking, str) or len(tracking) > 48:
            return -132
        data = body.get("template_data")
        if not isinstance(data, dict) or not data:
            return -111
        if self.remaining_quota <= 0:
            return -144
        return self._template_error(str(body.get("template_id", "")), data)

    def _template_error(self, template_id: str, data: Mapping[str, Any]) -> int | None:
        if not self.templates:
            return None if template_id else -109
        template = self.templates.get(template_id)
        if template is None:
            return -109
        if template.status != "ENABLE":
            return -131
        for parameter in template.params:
            value = data.get(parameter.name)
            if value is None and parameter.require:
                return -1122
            if value is not None and len(str(value)) > parameter.maxLength:
                return -1121
        return None

    def _status(self, request: Request) -> Answer:
        known = self._statuses.get(request.query.get("message_id", ""))
        if known is None:
            data = {"delivery_time": None, "message": "The message ID is unknown", "status": -1}
        elif self.clock() < known[0] + self.receipt_delay:
            data = {"delivery_time": None, "message": "The message is on the servers", "status": 0}
        else:
            text = "The message was delivered to the user's phone"
            data = {"delivery_time": millis(known[0] + self.receipt_delay), "message": text, "status": 1}
        return json_answer({"error": 0, "message": "Success", "data": data})

    def _quota(self, request: Request) -> Answer:
        data = {"dailyQuota": self.daily_quota, "remainingQuota": self.remaining_quota, "dailyQuotaPromotion": None}
        return json_answer({"error": 0, "message": "success", "data": data})

    def _template_list(self, request: Request) -> Answer:
        rows = [
            {"templateId": template.id, "templateName": template.name, "status": template.status, "createdTime": 0}
            for template in self.templates.values()
        ]
        offset, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "100"))
        return json_answer(
            {"error": 0, "message": "Success", "data": rows[offset : offset + limit], "metadata": {"total": len(rows)}}
        )

    def _template_info(self, request: Request) -> Answer:
        template = self.templates.get(request.query.get("template_id", ""))
        if template is None:
            return refusal(-109)
        data = {
            "templateId": template.id,
            "templateName": template.name,
            "status": template.status,
            "listParams": [
                {"name": each.name, "require": each.require, "type": "STRING", "maxLength": each.maxLength}
                for each in template.params
            ],
            "templateTag": template.tag,
            "timeout": 7_200_000,
            "price": str(template.price),
        }
        return json_answer({"error": 0, "message": "Success", "data": data})

    # --- the webhook --------------------------------------------------------------------------------------------------

    def push(self, fields: Mapping[str, Any], *, copies: int = 1, delay: float | None = None) -> None:
        """Push one of ``events`` to ``webhook_url``, repeated as Zalo repeats it until 200 comes back."""
        if self.webhook_url is None:
            raise ValueError("the stand-in has no webhook_url to push to")
        body = msgspec.json.encode(fields)
        for _ in range(copies):
            self.pusher.post(self.webhook_url, body, self.receipt_delay if delay is None else delay)


def refusal(code: int, message: str | None = None) -> Answer:
    """A business error: HTTP 200, and no ``data``."""
    return json_answer({"error": code, "message": message or MESSAGES.get(code, f"Error {code}")})


def oauth_refusal(code: int, name: str) -> Answer:
    """A refusal of the OAuth endpoint: HTTP 200 with empty tokens."""
    return json_answer({"error": code, "error_name": name, "message": "", "access_token": "", "refresh_token": ""})


def normal_phone(text: str) -> str:
    """``+84…``, ``84…`` and ``0…`` as ``84…``, as Zalo's guideline says it accepts them."""
    digits = text.removeprefix("+")
    return f"84{digits[1:]}" if digits.startswith("0") else digits
