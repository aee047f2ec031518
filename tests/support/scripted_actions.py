"""Actions that misbehave on demand, as plugins that the real catalog loads."""

from collections.abc import Mapping
from typing import Any, ClassVar

from nhip import (
    Action,
    ActionFailed,
    ActionUnavailable,
    AmbiguousOutcome,
    Config,
    LocalAction,
    LocalContext,
    RemoteAction,
    RemoteContext,
    hookimpl,
)


class MoodConfig(Config):
    """How the action behaves."""

    mood: str = "well"


class Tagging(LocalAction):
    """Adds the tag `seen`, lets `greeting.made` happen, and then does what its mood says."""

    kind = "scripted_local"
    config_type = MoodConfig

    def run(self, context: LocalContext, config: MoodConfig) -> Mapping[str, Any]:
        context.update_contact({"status": "greeted"}, add_tags=["seen"])
        context.emit("greeting.made", {"by": context.step_id})
        match config.mood:
            case "fails":
                raise ActionFailed("no mood for it")
            case "raises":
                raise ZeroDivisionError("a bug")
            case "returns_nothing":
                return None  # type: ignore[return-value]
            case "returns_unencodable":
                return {"what": object()}
            case _:
                return {"greeted": True}


class Calling(RemoteAction):
    """Does what `outcomes` say, one after the other, and then succeeds; `keys` lists what it was called with."""

    kind = "scripted_remote"
    config_type = MoodConfig
    outcomes: ClassVar[list[str]] = []
    keys: ClassVar[list[str]] = []

    async def run(self, context: RemoteContext, config: MoodConfig) -> Mapping[str, Any]:
        self.keys.append(context.idempotency_key)
        match self.outcomes.pop(0) if self.outcomes else "well":
            case "unavailable":
                raise ActionUnavailable("later", retry_after=7)
            case "ambiguous":
                raise AmbiguousOutcome("silence")
            case "fails":
                raise ActionFailed("never")
            case "raises":
                raise ZeroDivisionError("a bug")
            case _:
                return {"answer": 42}


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    return [Tagging, Calling]
