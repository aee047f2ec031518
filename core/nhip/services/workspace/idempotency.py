"""``Idempotency-Key``: a request that creates something answers a repetition with what it answered the first time.

The first request writes its key down before it works, and its answer after it. A repetition finds the answer, finds the
first one still at work, or finds that it brought another body. Only answers of success are kept: a request that was
refused has changed nothing and may come again.
"""

import re
from typing import Final

from nhip.domain.access import StoredAnswer
from nhip.domain.errors import Conflict, KeyReused, invalid
from nhip.ports import Unit

KEPT_MICROS: Final = 24 * 3600 * 1_000_000
"""How long an answer is kept: a day."""
ABANDONED_MICROS: Final = 60 * 1_000_000
"""After a minute without an answer, the first request has died with its process and the key is free again."""
_KEY: Final = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,199}")


def parse_key(text: str) -> str:
    """The key of an ``Idempotency-Key`` header, in quotes or without.

    Raises:
        InvalidInput: it is empty, longer than 200 characters, or not printable ASCII.
    """
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not _KEY.fullmatch(text):
        raise invalid("Idempotency-Key", "bad_value", "a key is 1 to 200 printable ASCII characters")
    return text


def begin(unit: Unit, workspace_id: int, route: str, key: str, fingerprint: str, now: int) -> StoredAnswer | None:
    """Take the key, or answer with what the first request answered.

    Raises:
        KeyReused: the key came before with another body.
        Conflict: the first request is still running.
    """
    found = unit.idempotency.find(workspace_id, route, key)
    if found is not None and _is_over(found, now):
        unit.idempotency.forget(workspace_id, route, key)
        found = None
    if found is None:
        unit.idempotency.insert(workspace_id, route, key, fingerprint, now)
        return None
    if found.fingerprint != fingerprint:
        raise KeyReused("this Idempotency-Key came before with another request")
    if found.status is None:
        raise Conflict("the first request with this Idempotency-Key is still running")
    return found


def finish(unit: Unit, workspace_id: int, route: str, key: str, status: int, headers: str, body: str) -> None:
    """Keep the answer."""
    unit.idempotency.finish(workspace_id, route, key, status, headers, body)


def forget(unit: Unit, workspace_id: int, route: str, key: str) -> None:
    """Free the key: its request was refused."""
    unit.idempotency.forget(workspace_id, route, key)


def _is_over(answer: StoredAnswer, now: int) -> bool:
    limit = ABANDONED_MICROS if answer.status is None else KEPT_MICROS
    return answer.created_at + limit < now
