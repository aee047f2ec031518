"""Everybody of a department or a store who is to hear of something."""

from typing import Literal

from nhip.domain.assignment import Passed
from nhip.domain.struct import Struct

Who = Literal["on_duty", "present", "everybody"]
"""Whom of them: who is at work, or whoever is not away where nobody is; whoever is not away; all who work here."""
ReachedBy = Literal["phone", "email"]


class Member(Struct):
    """One of them."""

    staff: str
    """External id."""
    name: str


class Team(Struct):
    """Those who are to hear of it, and who of the same department or store is not, each once."""

    members: tuple[Member, ...]
    passed: tuple[Passed, ...] = ()
    """Why: as in an assignment, and ``same_address`` and ``too_many``."""
