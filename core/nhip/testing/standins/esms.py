"""A stand-in for eSMS.vn: text messages with a ``RequestId`` that is remembered for 24 hours, tables, and callbacks.

A phone ``0900000`` followed by a result code (``0900000146``) gets that code; ``PHONE_FAULTS`` lists the phones that
get a fault; ``UNDELIVERED`` is accepted and then reported as failed.
"""

import secrets as random_secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from nhip.testing.standins.faults import Fault, Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.pusher import Pusher
from nhip.testing.standins.server import Answer, Request, StandIn, json_answer, spoiled

DEDUPE_SECONDS: Final = 86_400
UNDELIVERED: Final = "0900000008"
PHONE_FAULTS: Final[Mapping[str, Fault]] = {
    "0900000001": Fault.TIMEOUT_AFTER,
    "0900000002": Fault.RESET_AFTER,
    "0900000003": Fault.ERROR_AFTER,
    "0900000004": Fault.ERROR_BEFORE,
    "0900000005": Fault.GARBAGE,
    "0900000006": Fault.RESET_BEFORE,
    "0900000007": Fault.SLOW,
}
"""Phones that always meet a fault."""

_ROOT: Final = "/MainService.svc/json"


class EsmsAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the stand-in knows its one customer by. ``templates`` empty means that any text passes."""

    api_key: str = "esms-key"
    secret_key: str = "esms-secret"  # noqa: S105 - a stand-in keeps no secret
    brandnames: tuple[str, ...] = ("NHIP",)
    templates: tuple[str, ...] = ()
    """Beginnings of registered texts; another text gets 146."""
    price: int = 850


class _Accepted(msgspec.Struct, frozen=True):
    at: float
    identity: str
    phone: str
    reference: str


class EsmsStandIn(StandIn):
    """eSMS with one account. ``clock`` gives Unix seconds, for the 24 hours of ``RequestId``."""

    provider = "sms_esms"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        account: EsmsAccount | None = None,
        balance: int = 1_000_000_000,
        receipt_delay: float = 0.05,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port, ledger=ledger, faults=faults)
        self.account = account or EsmsAccount()
        self.balance = balance
        self.receipt_delay = receipt_delay
        self.clock = clock
        self.pusher = Pusher(retries=(0.2, 0.5, 1, 2, 4))
        self._by_reference: dict[str, _Accepted] = {}
        self._by_identity: dict[str, _Accepted] = {}

    def config(self) -> dict[str, Any]:
        """A configuration for the channel ``sms_esms`` that comes here."""
        return {"base_url": f"{self.base_url}{_ROOT}", "brandname": self.account.brandnames[0]}

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`."""
        return {"api_key": self.account.api_key, "secret_key": self.account.secret_key}

    async def close(self) -> None:
        """Stop listening and calling back."""
        await self.pusher.close()
        await super().close()

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        match request.method, request.path.rstrip("/"):
            case "POST", "/MainService.svc/json/SendMultipleMessage_V4_post_json":
                return self._send(request)
            case "POST", "/MainService.svc/json/GetBalance_json":
                fields = _json(request.body)
                if not self._knows(fields):
                    return json_answer({"CodeResponse": "101"})
                return json_answer({"Balance": self.balance, "CodeResponse": "100", "UserID": 9999})
            case "GET", "/MainService.svc/json/GetSendStatus":
                return self._status(request.query)
            case "GET", "/MainService.svc/json/GetSmsReceiverStatus_get":
                return self._receivers(request.query)
            case _:
                return Answer(body=b"Endpoint not found.", status=404, content_type="text/html")

    def _knows(self, fields: Mapping[str, Any]) -> bool:
        return fields.get("ApiKey") == self.account.api_key and fields.get("SecretKey") == self.account.secret_key

    def _send(self, request: Request) -> Answer:
        fields = _json(request.body)
        if not fields:
            return json_answer({"error": "Invalid request"})
        phone, reference = _local(str(fields.get("Phone", ""))), str(fields.get("RequestId", ""))
        code = self._refusal(fields, phone)
        if code is not None:
            return json_answer({"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": f"Error {code}"})
        known = self._by_reference.get(reference) if reference else None
        if known is not None and self.clock() - known.at < DEDUPE_SECONDS:
            return json_answer(
                {"CodeResult": "124", "CountRegenerate": 0, "ErrorMessage": "Request exist 1", "SendStatus": "5"}
            )
        fault = PHONE_FAULTS.get(phone) or self.faults.draw()
        if fault is not None and not fault.accepts:
            return spoiled(Answer(), fault, self.faults)
        identity = random_secrets.token_hex(16)
        if fields.get("Sandbox") != "1":
            self._accept(_Accepted(self.clock(), identity, phone, reference), fields, fault)
        return spoiled(json_answer({"CodeResult": "100", "CountRegenerate": 0, "SMSID": identity}), fault, self.faults)

    def _refusal(self, fields: Mapping[str, Any], phone: str) -> str | None:
        kind, text = str(fields.get("SmsType", "")), str(fields.get("Content", ""))
        checks = (
            ("101", self._knows(fields)),
            ("300", kind != ""),
            ("107", kind != "1"),
            ("118", kind in ("2", "8")),
            ("104", kind != "2" or fields.get("Brandname") in self.account.brandnames),
            ("108", phone.isascii() and phone.isdigit() and len(phone) == 10 and phone.startswith("0")),
            (str(int(phone[7:] or 0)) if phone[7:].isdigit() else "", not _is_magic(phone)),
            ("110", bool(text) and len(str(fields.get("RequestId", ""))) <= 50),
            ("110", fields.get("IsUnicode") == "1" or text.isascii() or not _has_vietnamese(text)),
            ("146", not self.account.templates or text.startswith(self.account.templates)),
            ("103", self.balance >= self.account.price),
        )
        return next((code for code, passes in checks if not passes), None)

    def _accept(self, message: _Accepted, fields: Mapping[str, Any], fault: Fault | None) -> None:
        self.balance -= self.account.price
        self.ledger.append(
            reference=message.reference,
            address=message.phone,
            provider_id=message.identity,
            provider=self.provider,
            fault=fault,
            content={name: fields.get(name) for name in ("Content", "Brandname", "SmsType", "IsUnicode")},
        )
        self._by_identity[message.identity] = message
        if message.reference:
            self._by_reference[message.reference] = message
        callback = fields.get("CallbackUrl")
        if isinstance(callback, str) and callback:
            mark = "&" if "?" in callback else "?"
            self.pusher.get(f"{callback}{mark}{urlencode(self.callback(message.identity))}", self.receipt_delay)

    def callback(self, identity: str) -> dict[str, str]:
        """The query of the callback that reports an accepted message."""
        message = self._by_identity[identity]
        failed = int(message.phone == UNDELIVERED)
        return {
            "SMSID": identity,
            "SendFailed": str(failed),
            "SendStatus": "5",
            "SendSuccess": str(1 - failed),
            "TotalPrice": str(self.account.price),
            "TotalReceiver": "1",
            "TotalSent": "1",
            "RequestId": message.reference,
            "TypeId": "2",
            "telcoid": "1",
            "phonenumber": message.phone,
        }

    def _status(self, query: Mapping[str, str]) -> Answer:
        message = self._by_identity.get(query.get("RefId", ""))
        if not self._knows(query):
            return json_answer({"CodeResponse": "101"})
        if message is None:
            return json_answer({"CodeResponse": "105"})
        finished = self.clock() >= message.at + self.receipt_delay
        failed = int(finished and message.phone == UNDELIVERED)
        return json_answer(
            {
                "CodeResponse": "100",
                "SMSID": message.identity,
                "SendFailed": failed,
                "SendStatus": 5 if finished else 7,
                "SendSuccess": int(finished) - failed,
                "TotalPrice": self.account.price,
                "TotalReceiver": 1,
                "TotalSent": 1,
            }
        )

    def _receivers(self, query: Mapping[str, str]) -> Answer:
        message = self._by_identity.get(query.get("RefId", ""))
        if not self._knows(query) or message is None:
            return json_answer({"CodeResponse": "105", "ReceiverList": []})
        row = {
            "IsSent": True,
            "NetworkName": "Viettel",
            "Phone": message.phone,
            "Retry": 0,
            "SentResult": message.phone != UNDELIVERED,
        }
        return json_answer({"CodeResponse": "100", "ReceiverList": [row]})


def _json(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _local(phone: str) -> str:
    return f"0{phone[2:]}" if phone.startswith("84") else phone


def _is_magic(phone: str) -> bool:
    return phone.startswith("0900000") and phone not in PHONE_FAULTS and int(phone[7:]) >= 99


def _has_vietnamese(text: str) -> bool:
    return any(ord(letter) > 0xFF for letter in text)
