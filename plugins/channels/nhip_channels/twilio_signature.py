"""How Twilio signs its requests: HMAC-SHA1 over the address and the form, in base64, in ``X-Twilio-Signature``.

Source: Twilio's documentation, "Validating requests are coming from Twilio".
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, parse_qsl, urlsplit

Form = Mapping[str, Sequence[str]]


def read_form(body: bytes) -> dict[str, list[str]]:
    """The fields of a form, each with all its values."""
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


def signature(token: str, url: str, form: Form) -> str:
    """The signature of a request to an address with a form (an empty one for GET)."""
    text = url + "".join(f"{name}{value}" for name in sorted(form) for value in sorted(set(form[name])))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def is_genuine(token: str, said: str, url: str, form: Form, body: bytes = b"") -> bool:
    """Whether Twilio signed this, with or without the port in the address. What is no form is signed by its hash."""
    hashed = dict(parse_qsl(urlsplit(url).query)).get("bodySHA256")
    if hashed is not None:
        if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), hashed.lower()):
            return False
        form = {}
    return any(
        hmac.compare_digest(signature(token, address, form).encode(), said.encode("utf-8", "replace"))
        for address in _spellings(url)
    )


def _spellings(url: str) -> tuple[str, ...]:
    """The address as it is, and with its port added or taken away."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port
    except ValueError:
        port = None
    default = 443 if parts.scheme == "https" else 80
    other = host if port is not None else f"{host}:{default}"
    return (url, parts._replace(netloc=other).geturl())
