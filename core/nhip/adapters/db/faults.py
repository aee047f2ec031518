"""What may come out of a unit of work that is not its own doing: which faults pass by themselves, and what others are
called.
"""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, TimeoutError as PoolTimeout

from nhip.domain.errors import Conflict, StorageUnavailable

T = TypeVar("T")

_RETRIES: Final = 6
FAULTS: Final = (
    Conflict,
    DBAPIError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    PoolTimeout,
    OSError,
    TimeoutError,
)
"""What may come out of a unit that is not its own doing; hot statements raise the drivers' own errors."""
_RETRYABLE_STATES: Final = frozenset({"40001", "40P01", "55P03"})
_ENDED: Final = frozenset({"57P01", "57P02", "57P03"})
_UNAVAILABLE_CLASSES: Final = frozenset({"08", "53", "55", "57"})
"""Classes of PostgreSQL's codes: connection, resources, object not ready, operator's intervention."""


async def insist(unit: Callable[[], Awaitable[T]]) -> T:
    """Run a unit, and run it again when another transaction got in its way.

    Raises:
        StorageUnavailable: the database cannot be reached, is full, or stays locked.
    """
    for attempt in range(1, _RETRIES + 1):
        try:
            return await unit()
        except FAULTS as error:
            if attempt == _RETRIES or not _is_retryable(error):
                raise translated(error) from error
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")


def _sqlstate(error: Exception) -> str:
    """PostgreSQL's code of an error, raised by the driver or wrapped by SQLAlchemy; empty where there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def is_lost(error: Exception) -> bool:
    """Whether the connection is gone: the server went away, or ended it."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, asyncpg.InterfaceError | asyncpg.PostgresConnectionError) or _sqlstate(error) in _ENDED


def _is_locked(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause)


def _is_clash(error: Exception) -> bool:
    """Whether a constraint refused a row: the unique key appeared meanwhile, and a second run will find it."""
    return isinstance(error, IntegrityError | sqlite3.IntegrityError | asyncpg.IntegrityConstraintViolationError)


def _is_retryable(error: Exception) -> bool:
    if isinstance(error, Conflict):
        return bool(error.data.get("retry"))
    return _is_clash(error) or _is_locked(error) or is_lost(error) or _sqlstate(error) in _RETRYABLE_STATES


def translated(error: Exception) -> Exception:
    """Storage faults as :class:`StorageUnavailable`; everything else is a bug and stays what it is."""
    if isinstance(error, Conflict) and error.data.get("retry"):
        return StorageUnavailable("the database is too contended to take this now")
    state = _sqlstate(error)
    if _is_clash(error):
        return error
    unavailable = OperationalError | InterfaceError | sqlite3.OperationalError | PoolTimeout | OSError
    if isinstance(error, unavailable) or is_lost(error) or state[:2] in _UNAVAILABLE_CLASSES:
        return StorageUnavailable(f"the database is not available: {state or type(error).__name__}")
    return error
