"""Access tokens of a Zalo official account: OAuth v4, renewed by one process at a time and stored before use.

A refresh token is good for one use, so a pair that is lost means that a person must authorise the account again.
Therefore a renewal runs under the secret store's lock, is not cancelled with the message that asked for it, and its
result is stored before anybody uses it. Source: Zalo, "Official Account access token, OAuth v4".
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from nhip import AmbiguousOutcome, HttpClient, NotSentError, SecretStore

_REFRESH_TIMEOUT: Final = 15.0
_USUAL_LIFE_SECONDS: Final = 90_000.0
_RENEWAL_SHARE: Final = 0.8
"""A token of 25 hours is renewed after 20."""
_REFUSAL_PAUSE_SECONDS: Final = 600.0
"""How long a refused refresh token is not shown to Zalo again."""
_FAILURE_PAUSE_SECONDS: Final = 30.0
"""How long an early renewal that failed is left alone while the token is still good."""


class TokenRefused(Exception):
    """Zalo refuses the refresh token: a person must authorise the account again."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def appsecret_proof(app_secret: str, access_token: str) -> str:
    """The header ``appsecret_proof``: hex of HMAC-SHA256 over the token, keyed with the app secret."""
    return hmac.new(app_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def token_url(oauth_url: str) -> str:
    """Where tokens are renewed; a bare origin gets Zalo's own path."""
    bare = urlsplit(oauth_url).path in ("", "/")
    return oauth_url.rstrip("/") + "/v4/oa/access_token" if bare else oauth_url


class ZaloTokens:
    """The tokens of one account, as this process knows them."""

    def __init__(
        self, store: SecretStore, http: HttpClient, oauth_url: str, app_id: str, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._http = http
        self._url = token_url(oauth_url)
        self._app_id = app_id
        self._now = now
        self._known: Mapping[str, str] | None = None
        self._renewal: asyncio.Task[Mapping[str, str]] | None = None
        self._refused: tuple[str, float] = ("", 0.0)
        self._renewed: tuple[str, Mapping[str, str]] = ("", {})
        self._early_after = 0.0

    async def secrets(self) -> Mapping[str, str]:
        """All secrets, as they were last read or renewed."""
        if self._known is None:
            self._known = await self._store.read()
        return self._known

    async def reread(self) -> Mapping[str, str]:
        """All secrets, as they are stored now."""
        self._known = await self._store.read()
        return self._known

    async def usable(self, timeout: float) -> Mapping[str, str]:
        """The secrets with an access token that should be good; renewed early when its time is near.

        Raises:
            TokenRefused: there is none, and none can be had.
            NotSentError: none can be had just now.
        """
        secrets = await self.secrets()
        if not secrets.get("access_token"):
            return await self.renewed("", timeout)
        now = self._now().timestamp()
        if now >= _moment(secrets.get("renew_at") or secrets.get("expires_at")) and now >= self._early_after:
            self._early_after = now + _FAILURE_PAUSE_SECONDS
            try:
                return await self.renewed(secrets["access_token"], timeout / 2)
            except (TokenRefused, NotSentError):
                if now >= _moment(secrets.get("expires_at")):
                    raise
        return secrets

    async def renewed(self, stale: str, timeout: float) -> Mapping[str, str]:
        """The secrets with another access token than ``stale``, which Zalo refused or which is about to expire.

        Raises:
            TokenRefused: Zalo refuses the refresh token.
            NotSentError: no answer from Zalo within ``timeout`` seconds; the renewal itself goes on.
        """
        secrets = await self.secrets()
        if secrets.get("access_token", "") != stale:
            return secrets
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._renew(stale))
            self._renewal.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(self._renewal)
        except (TokenRefused, NotSentError):
            raise
        except TimeoutError as error:
            raise NotSentError("the access token is still being renewed", code="token_renewal") from error
        except Exception as error:  # whatever keeps the secret store from storing, the message has not gone out
            raise NotSentError(f"the access token could not be stored: {error!r}", code="token_renewal") from error

    async def close(self) -> None:
        """Let a renewal that is under way end, so that its tokens are not lost."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

    async def _renew(self, stale: str) -> Mapping[str, str]:
        for _ in range(2):
            self._known = await self._store.replace(await self.secrets(), self._ask)
            if self._known.get("access_token", "") != stale:
                return self._known
        raise TokenRefused("token_unchanged", "the stored access token is the one that Zalo refuses")

    async def _ask(self, secrets: Mapping[str, str]) -> Mapping[str, str]:
        """Renew at Zalo. Runs under the store's lock, on what is stored.

        Tokens that could not be stored the last time are answered again: Zalo gives them only once.
        """
        refresh_token = secrets.get("refresh_token", "")
        now = self._now().timestamp()
        if refresh_token and self._renewed[0] == refresh_token:
            return {**secrets, **self._renewed[1]}
        if not refresh_token:
            raise TokenRefused("no_refresh_token", "there is no refresh token")
        if self._refused[0] == refresh_token and now < self._refused[1]:
            raise TokenRefused("reauthorise", "Zalo refused the refresh token; authorise the account again")
        form = {"refresh_token": refresh_token, "app_id": self._app_id, "grant_type": "refresh_token"}
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "secret_key": secrets.get("app_secret", ""),
        }
        try:
            answer = await self._http.request(
                "POST", self._url, headers=headers, body=urlencode(form).encode(), timeout=_REFRESH_TIMEOUT
            )
            fields = _read_tokens(answer.status, answer.body)
        except AmbiguousOutcome as error:
            raise NotSentError(f"renewing the access token: {error.detail}", code="token_renewal") from error
        except TokenRefused:
            self._refused = (refresh_token, now + _REFUSAL_PAUSE_SECONDS)
            raise
        life = _moment(fields.get("expires_in"), _USUAL_LIFE_SECONDS)
        tokens = {
            "access_token": str(fields["access_token"]),
            "refresh_token": str(fields.get("refresh_token") or refresh_token),
            "expires_at": str(int(now + life)),
            "renew_at": str(int(now + life * _RENEWAL_SHARE)),
        }
        if tokens["refresh_token"] != refresh_token:
            self._renewed = (refresh_token, tokens)
        return {**secrets, **tokens}


def _read_tokens(status: int, body: bytes) -> dict[str, Any]:
    """Read the OAuth answer, which may be tokens, an error with a number or a quoted one, nothing, or an HTML page.

    An empty 200 was observed for a refresh token that had been used before.
    """
    if status == 200 and not body.strip():
        raise TokenRefused("refresh_token_used", "the refresh token had been used before")
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        fields = {}
    if fields.get("access_token"):
        return fields
    error = fields.get("error")
    if error is not None and str(error) != "0" and status < 500:
        text = str(fields.get("error_name") or fields.get("message") or "Zalo refuses to renew the access token")
        raise TokenRefused(str(error), text)
    raise NotSentError(f"renewing the access token: unreadable answer with status {status}", code="token_renewal")


def _moment(text: Any, default: float = float("inf")) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return default


def _retrieve(renewal: "asyncio.Task[Mapping[str, str]]") -> None:
    if not renewal.cancelled():
        renewal.exception()
