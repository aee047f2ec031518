"""Who got something, and who did not."""

from typing import Literal

from nhip.domain.struct import Struct

How = Literal["round_robin", "least_busy"]


class Passed(Struct):
    """Somebody who was passed over, and why: ``left``, ``absent``, ``out_of_hours``, ``holiday``, ``no_address`` or
    ``unknown``.
    """

    staff: str
    reason: str


class Assigned(Struct):
    """Who gets something, or nobody."""

    staff: str | None
    """External id."""
    to: str
    """By which word it was: ``owner``, ``department:care``; of several that fall back on each other, the last one."""
    passed: tuple[Passed, ...] = ()
    """Who was passed over, in the order in which they were looked at."""
