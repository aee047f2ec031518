"""Calls another system over HTTP.

Example, telling the point-of-sale system about a new VIP::

    {"id": "tell", "action": "call_webhook", "config": {
        "url": "https://pos.example/customers/{{ contact.external_id | urlencode }}", "method": "PUT",
        "headers": {"Authorization": "Bearer …"}, "body": {"group": "VIP", "name": "{{ contact.name }}"}}}

The request carries an ``Idempotency-Key`` that stays the same over all retries, so that the other side can drop a
repeated one (draft-ietf-httpapi-idempotency-key-header). A 2xx status is success, unless ``expect`` lists others.
429 and 503 are tried again, any other 4xx is final, and after a 5xx or silence nobody knows whether it took effect:
the step becomes ``unknown``. Only a GET, which has no effect, is then tried again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from nhip import (
    Action,
    ActionFailed,
    ActionUnavailable,
    AmbiguousOutcome,
    Config,
    HttpResponse,
    Problem,
    RemoteAction,
    RemoteContext,
    hookimpl,
)

OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "idempotency-key"})
"""Headers that only the engine and its HTTP client set."""


class CallWebhookConfig(Config):
    """The request, and what counts as success."""

    url: Annotated[str, Meta(description="Where to; may have {{ … }} after the host.", min_length=8, max_length=2_000)]
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], Meta(description="The method.")] = "POST"
    headers: Annotated[dict[str, str], Meta(description="More headers; values may have {{ … }}.", max_length=30)] = (
        field(default_factory=dict)
    )
    body: Annotated[Any, Meta(description="The body: JSON, or a text sent as it is; texts may have {{ … }}.")] = None
    expect: Annotated[
        tuple[Annotated[int, Meta(ge=100, le=599)], ...],
        Meta(description="The statuses that count as success; any 2xx where the list is empty.", max_length=20),
    ] = ()


class CallWebhook(RemoteAction):
    """Calls another system over HTTP."""

    kind = "call_webhook"
    config_type = CallWebhookConfig

    def check(self, config: CallWebhookConfig) -> Sequence[Problem]:
        """The address must be a web address whose host is written out, and some headers are the engine's."""
        problems = []
        scheme, _, rest = config.url.partition("://")
        if scheme.lower() not in ("http", "https") or not rest or "{" in rest.partition("/")[0]:
            said = "a URL begins with https:// or http:// and a host that is written out"
            problems.append(Problem(path="url", code="bad_url", message=said))
        problems += [
            Problem(path=f"headers.{name}", code="not_allowed", message=f"the header {name} is set by the engine")
            for name in config.headers
            if name.lower() in OURS
        ]
        return problems

    async def run(self, context: RemoteContext, config: CallWebhookConfig) -> Mapping[str, Any]:
        """Send it; the output has the ``status`` and the ``body`` of the answer."""
        headers, body = _request(context, config)
        try:
            answer = await context.http.request(
                config.method, context.render(config.url), headers=headers, body=body, timeout=context.timeout
            )
        except AmbiguousOutcome as error:
            if config.method == "GET":
                raise ActionUnavailable(error.detail) from None
            raise
        status = answer.status
        if status in config.expect if config.expect else 200 <= status < 300:
            return {"status": status, "body": _body(answer)}
        said = f"the answer was {status}"
        if status in (429, 503) or (status >= 500 and config.method == "GET"):
            raise ActionUnavailable(said, _retry_after(answer.headers.get("retry-after"), context.now))
        if status >= 500:
            raise AmbiguousOutcome(said)
        raise ActionFailed(said, status=status)


def _request(context: RemoteContext, config: CallWebhookConfig) -> tuple[dict[str, str], bytes | None]:
    headers = {"Idempotency-Key": context.idempotency_key}
    body: bytes | None = None
    if isinstance(config.body, str):
        headers["Content-Type"] = "text/plain; charset=utf-8"
        body = str(context.render(config.body)).encode()
    elif config.body is not None:
        headers["Content-Type"] = "application/json"
        body = msgspec.json.encode(context.render(config.body))
    for name, value in context.render(config.headers).items():
        if any(ord(letter) < 32 for letter in value):
            raise ActionFailed(f"the header {name} has a line break or another control character")
        headers = {key: old for key, old in headers.items() if key.lower() != name.lower()} | {name: value}
    return headers, body


def _body(answer: HttpResponse) -> Any:
    try:
        return answer.json() if answer.body else None
    except ValueError:
        return answer.body.decode(errors="replace").replace("\0", "")


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds, from seconds or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [CallWebhook]
