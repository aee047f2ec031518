"""The public test kit: a world to tell stories in, scenario files, contexts for single plugins, stand-in providers,
conformance checks.

``World`` is loaded when it is asked for: whoever needs a context alone does not wait for the whole engine.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nhip.testing.clockwork import EndlessWork
    from nhip.testing.world import World

__all__ = ["EndlessWork", "World"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nhip.testing import clockwork, world

    return getattr(clockwork if name == "EndlessWork" else world, name)
