"""The error tree. Every error carries a stable code and data; the shells (HTTP, command line) word and map them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from nhip.domain.struct import Struct


class Problem(Struct):
    """One fault in an input, with its place."""

    path: str
    """Where, in the input's own terms: ``steps[2].config.template``; empty for the whole input."""
    code: str
    """Stable and machine-readable: ``unknown_template``."""
    message: str
    """For a person, naming the value that was seen where that is safe."""


class NhipError(Exception):
    """The root of every error that Nhịp raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, **data: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


class InvalidInput(NhipError):
    """The input breaks a rule; ``problems`` say which and where."""

    code = "invalid_input"

    def __init__(self, problems: Sequence[Problem], detail: str | None = None) -> None:
        first = problems[0] if problems else None
        said = first.message if first else "the input is not valid"
        super().__init__(detail or (f"{first.path}: {said}" if first and first.path else said))
        self.problems = tuple(problems)


def invalid(path: str, code: str, message: str) -> InvalidInput:
    """Make the error for one fault at ``path``."""
    return InvalidInput([Problem(path=path, code=code, message=message)])


class MalformedInput(NhipError):
    """The input cannot be read at all: broken JSON, a NUL character, nesting too deep."""

    code = "malformed_input"


class TooLarge(NhipError):
    """The input is past a size limit."""

    code = "too_large"


class UnsupportedMediaType(NhipError):
    """The content type is not one that this door accepts."""

    code = "unsupported_media_type"


class NotAuthenticated(NhipError):
    """No key, or a key that is unknown, expired or revoked."""

    code = "not_authenticated"


class NotPermitted(NhipError):
    """The key lacks the scope."""

    code = "not_permitted"


class NotFound(NhipError):
    """Nothing of that name in this workspace."""

    code = "not_found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} named {name!r}", kind=kind, name=name)


class Conflict(NhipError):
    """The request contradicts the present state; the ``code`` given says how."""

    code = "conflict"


class StaleRevision(NhipError):
    """The resource changed since the caller read it (``If-Match`` does not hold)."""

    code = "stale_revision"


class KeyReused(NhipError):
    """An ``Idempotency-Key`` came back with another body."""

    code = "idempotency_key_reused"


class Overloaded(NhipError):
    """Back-pressure: come back after ``retry_after`` seconds."""

    code = "overloaded"

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class StorageUnavailable(NhipError):
    """The database cannot be reached or refuses work for now; nothing was stored."""

    code = "storage_unavailable"


class ActionFailed(NhipError):
    """An action's final failure: the step ends ``dead`` with this reason."""

    code = "action_failed"


class ActionUnavailable(NhipError):
    """Not now: the step is tried again, after ``retry_after`` seconds where the other side said so."""

    code = "action_unavailable"

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class AmbiguousOutcome(NhipError):
    """A request went out and nobody knows whether it took effect; the step becomes ``unknown``."""

    code = "ambiguous"


class NotSentError(NhipError):
    """The request surely never reached the other side (refused connection, DNS, TLS, a guard's refusal)."""

    code = "not_sent"


class SignatureMismatch(NhipError):
    """An inbound request's signature does not verify."""

    code = "signature_mismatch"


class TemplateError(NhipError):
    """A template cannot be compiled or rendered; ``data['path']`` names the part and the line."""

    code = "template_error"


class PluginRefused(NhipError):
    """A plugin breaks the catalog's rules: duplicate kind, misspelt hook, wrong base class."""

    code = "plugin_refused"
