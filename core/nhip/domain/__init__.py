"""The words of the engine as frozen structs, and its error tree. Standard library and msgspec only."""

from nhip.domain.struct import Struct

__all__ = ["Struct"]
