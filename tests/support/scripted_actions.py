"""Actions that misbehave on demand, as plugins that the real catalog loads."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from nhip import (
    Action,
    ActionFailed,
    ActionUnavailable,
    AmbiguousOutcome,
    Await,
    Config,
    LocalAction,
    LocalContext,
    RemoteAction,
    RemoteContext,
    Result,
    hookimpl,
    test,
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


class Patient(LocalAction):
    """Asks, and waits an hour for `shop.answered`; `later` as its word lets it wait once more."""

    kind = "scripted_patient"
    config_type = MoodConfig
    hears = ("shop.answered",)

    def run(self, context: LocalContext, config: MoodConfig) -> Result:
        context.emit("shop.asked", {"step": context.step_id})
        return self.waiting(context, 1)

    def heard(
        self, context: LocalContext, config: MoodConfig, output: Mapping[str, Any], event: Mapping[str, Any]
    ) -> Result | Mapping[str, Any]:
        context.emit("shop.asked", {"again": True})
        if event["data"]["word"] == "later":
            return self.waiting(context, output["asked"] + 1)
        return Result(output={**output, "word": event["data"]["word"]}, outcome="answered")

    def waiting(self, context: LocalContext, asked: int) -> Result:
        mine = test("event.data.step", "equals", context.step_id)
        return Result(
            output={"asked": asked}, wait=Await(events=("shop.answered",), timeout=timedelta(hours=1), where=mine)
        )


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
    return [Tagging, Calling, Patient]
