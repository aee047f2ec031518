"""The base of every struct in the domain."""

from typing import dataclass_transform

import msgspec


# The decorator tells type checkers that a subclass is frozen without saying so again, as it is when it runs.
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen value with named fields; an unknown field in its input is an error."""
