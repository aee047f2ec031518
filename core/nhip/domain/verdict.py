"""What a condition tree answers: a truth value with located reasons."""

from typing import Any

from nhip.domain.struct import Struct


class Reason(Struct, omit_defaults=True):
    """Why one test of a tree holds or does not."""

    path: str
    """The test's place in its tree: ``conditions.all[1]``."""
    code: str
    """``holds``, ``differs``, ``missing``, ``type_mismatch`` or a plugin's own code."""
    field: str | None = None
    op: str | None = None
    expected: Any = None
    actual: Any = None


class Verdict(Struct, omit_defaults=True):
    """Whether a tree holds, and the tests that decided it."""

    holds: bool
    reasons: tuple[Reason, ...] = ()
