"""Answers a call: a returning caller goes to the store last in contact, everybody else chooses from a menu.

Example, for a run that ``ivr_call`` started::

    {"id": "route", "action": "route_call", "config": {
        "menu": "Bấm 1 để gặp chăm sóc khách hàng, bấm 2 để được tư vấn sản phẩm.",
        "options": {"1": "care", "2": {"to": "advice", "say": "Xin quý khách giữ máy."}, "9": {"hang_up": true}},
        "returning_caller": "last_store", "hours": {"from": "08:00", "to": "21:30"},
        "stores": {"CH-HN-1": {"to": "+842473000001"}}, "fallback": "care", "ring_seconds": 20}}

The step is done when somebody was connected, or when the call ends. Its outcome is where the call went: a target as it
is written here (``care``), ``store:<name>``, ``say``, ``record`` or ``hang_up``; ``ended`` where the caller hung up in
the menu, ``missed`` where nobody could be reached, ``taken`` where another workflow answers this call, ``timeout``
where nothing was heard of it any more.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, field

from nhip import (
    Action,
    Await,
    CallPlan,
    CallStep,
    Config,
    Connect,
    Gather,
    HangUp,
    LocalAction,
    LocalContext,
    Problem,
    Queue,
    RecordVoice,
    Result,
    Say,
    all_of,
    dialled_number,
    hookimpl,
    parse_duration,
    parse_time,
    test,
)
from nhip_actions.call_targets import (
    Key,
    Menu,
    Name,
    RingSeconds,
    Store,
    Target,
    Words,
    menu_problems,
    options_at,
    prompts_of,
    store_problems,
    target_problems,
)
from nhip_actions.opening_hours import OpeningHours, hours_problems, is_open

_NUMBER: Final = re.compile(r"\+?[0-9 ().\-]{7,20}")


class RouteCallConfig(Config):
    """Where a call goes; texts may have {{ … }}."""

    menu: Annotated[Menu | None, Meta(description="What the caller hears: a text, or a list of prompts.")] = None
    options: Annotated[dict[Key, Name | Target], Meta(description="Per key, where the call goes.", max_length=12)] = (
        field(default_factory=dict)
    )
    returning_caller: Annotated[
        Literal["last_store", "menu"],
        Meta(description="Where a caller goes whose last store is known: there while it is open, or to the menu."),
    ] = "menu"
    returning_days: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="For how many days after the last contact a caller counts as returning."),
    ] = None
    stores: Annotated[
        dict[Name, Store], Meta(description="Per store, how callers reach it and when it is open.", max_length=1000)
    ] = field(default_factory=dict)
    hours: Annotated[
        OpeningHours | None, Meta(description="When stores are open that say nothing else; always without it.")
    ] = None
    fallback: Annotated[
        Name | Target | None,
        Meta(description="Where the call goes when nobody is reached, or no valid key is pressed."),
    ] = None
    ring_seconds: Annotated[RingSeconds, Meta(description="How long it rings at somebody's.")] = 20
    key_seconds: Annotated[int, Meta(description="How long to wait for a key.", ge=1, le=60)] = 6
    repeats: Annotated[
        int, Meta(description="How often the menu is said again after a wrong key or none.", ge=0, le=9)
    ] = 2
    wrong_key: Annotated[Words | None, Meta(description="What is said before it, after a wrong key.")] = (
        "Phím quý khách chọn không đúng."
    )
    goodbye: Annotated[Words, Meta(description="What is said where there is nobody left to reach.")] = (
        "Hiện chưa có nhân viên tiếp nhận. Xin quý khách gọi lại sau."
    )
    language: Annotated[str, Meta(description="The language of everything that is said.", max_length=16)] = "vi-VN"
    caller_id: Annotated[Name | None, Meta(description="The number that whom we ring sees.")] = None
    longest: Annotated[str, Meta(description="The step ends after this time, whatever the provider says.")] = "PT4H"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a call has come; it is the step's output."""

    call_id: str
    phase: Literal["menu", "store", "option", "fallback", "over"] = "menu"
    digits: str = ""
    """The keys that led to where the call is."""
    keys: tuple[str, ...] = ()
    """Every key that was pressed, also wrong ones."""
    tries: int = 0
    """How often the present menu was left without a valid key."""
    target: str | None = None
    """Where the call goes, or went."""


class RouteCall(LocalAction):
    """Answers a call: the store last in contact, a menu, departments, people and numbers to ring."""

    kind = "route_call"
    config_type = RouteCallConfig
    hears = ("call.keypress", "call.transferred", "call.ended")

    def check(self, config: RouteCallConfig) -> Sequence[Problem]:
        """There must be something to hear or to ring, on every way."""
        problems = menu_problems(config.menu, config.options, "")
        if config.menu is None and config.fallback is None and not problems:
            problems.append(Problem(path="menu", code="missing", message="say menu and options, or a fallback"))
        if config.fallback is not None:
            problems += target_problems(config.fallback, "fallback")
            if isinstance(config.fallback, Target) and config.fallback.menu is not None:
                message = "a fallback is the last way: it cannot be a menu"
                problems.append(Problem(path="fallback.menu", code="bad_value", message=message))
        problems += [*store_problems(config.stores), *hours_problems(config.hours, "hours")]
        try:
            parse_duration(config.longest)
        except ValueError as error:
            problems.append(Problem(path="longest", code="bad_value", message=str(error)))
        return problems

    def run(self, context: LocalContext, config: RouteCallConfig) -> Result:
        """Send the caller to a store, or say the menu."""
        about = context.facts["event"]["data"]
        ways = _Ways(context, config, Standing(call_id=str(about.get("call_id") or "")))
        store = _last_store(config, context) if config.returning_caller == "last_store" else None
        plan = ways.to_store(store) if store is not None else None
        return ways.waiting(plan or ways.to_menu())

    def heard(
        self, context: LocalContext, config: RouteCallConfig, output: Mapping[str, Any], event: Mapping[str, Any]
    ) -> Result:
        """A key was pressed, somebody was reached or not, the call is over."""
        standing = msgspec.convert(output, Standing)
        said = event["data"]
        ways = _Ways(context, config, standing)
        if event["type"] == "call.ended":
            return ways.done("ended" if standing.phase == "menu" else standing.target or "ended")
        if event["type"] == "call.transferred":
            if said.get("outcome") == "answered":
                return ways.done(standing.target or "ended")
            if said.get("outcome") == "cancelled" or standing.phase in ("menu", "over"):
                return ways.waiting(None)
            return ways.waiting(ways.on_missed())
        return ways.waiting(ways.on_key(str(said.get("digits") or "")[:1]) if standing.phase == "menu" else None)

    def timed_out(self, context: LocalContext, config: RouteCallConfig, output: Mapping[str, Any]) -> Result:
        """Nothing was heard of the call for too long."""
        return Result(output=dict(output), outcome="timeout")


def _last_store(config: RouteCallConfig, context: LocalContext) -> str | None:
    """The store that a known caller was in contact with last, where it is open."""
    about, contact = context.facts["event"]["data"], context.facts.get("contact") or {}
    if about.get("hidden"):
        return None
    store = about.get("last_store") or contact.get("store")
    if not isinstance(store, str) or not store:
        return None
    since = about.get("last_store_at")
    if config.returning_days is not None and isinstance(since, str) and _is_long_ago(since, context.now, config):
        return None
    known = config.stores.get(store)
    hours = known.hours if known and known.hours else config.hours
    return store if is_open(hours, context.now, context.holiday) else None


def _is_long_ago(since: str, now: datetime, config: RouteCallConfig) -> bool:
    assert config.returning_days is not None
    return parse_time(since) < now - timedelta(days=config.returning_days)


class _Ways:
    """The ways that a call can go from where it stands."""

    def __init__(self, context: LocalContext, config: RouteCallConfig, standing: Standing) -> None:
        self.context = context
        self.config = config
        self.standing = standing

    # --- results ------------------------------------------------------------------------------------------------------

    def waiting(self, plan: CallPlan | None) -> Result:
        """Leave a plan, and wait for what comes of it."""
        if plan is not None and not self.context.answer_call(plan):
            return self.done("taken")
        about = self.context.facts["event"]["data"]
        where = all_of(
            test("event.data.call_id", "equals", about.get("call_id")),
            test("event.data.channel", "equals", about.get("channel")),
        )
        wait = Await(events=RouteCall.hears, timeout=parse_duration(self.config.longest), where=where)
        return Result(output=self.output(), wait=wait)

    def done(self, outcome: str) -> Result:
        """The step is over."""
        return Result(output=self.output(), outcome=outcome)

    def output(self) -> dict[str, Any]:
        """What the step leaves."""
        said: dict[str, Any] = msgspec.to_builtins(self.standing)
        return said

    def stand(self, **changes: Any) -> None:
        """Note how far the call has come."""
        self.standing = msgspec.structs.replace(self.standing, **changes)

    # --- ways ---------------------------------------------------------------------------------------------------------

    def to_store(self, store: str) -> CallPlan | None:
        """Ring a store."""
        known = self.config.stores.get(store) or Store()
        self.stand(phase="store", target=f"store:{store}")
        ring = known.ring_seconds or self.config.ring_seconds
        reached = self.ring(known.to or store, ring)
        return CallPlan(steps=(reached,)) if reached is not None else None

    def to_menu(self, first: str | None = None) -> CallPlan:
        """Say the menu that the keys so far lead to, or go where there is none."""
        menu, options = options_at(self.config.options, self.standing.digits)
        menu = menu if self.standing.digits else self.config.menu
        if menu is None or not options:
            return self.to_fallback()
        self.stand(phase="menu", target=None)
        prompts = prompts_of(self.rendered(menu), self.config.language)
        if first:
            prompts = (self.say(first), *prompts)
        return CallPlan(steps=(Gather(prompts=prompts, timeout=float(self.config.key_seconds)),))

    def on_key(self, key: str) -> CallPlan:
        """Go where a key leads, or say the menu again."""
        _, options = options_at(self.config.options, self.standing.digits)
        if key:
            self.stand(keys=(*self.standing.keys, key))
        target = options.get(key)
        if target is None:
            self.stand(tries=self.standing.tries + 1)
            if self.standing.tries > self.config.repeats:
                return self.to_fallback()
            return self.to_menu(self.config.wrong_key if key else None)
        self.stand(digits=self.standing.digits + key, tries=0)
        if isinstance(target, Target) and target.menu is not None:
            return self.to_menu(target.say)
        self.stand(phase="option")
        return self.to_target(target) or self.on_missed()

    def on_missed(self) -> CallPlan:
        """Go on after somebody could not be reached."""
        match self.standing.phase:
            case "store":
                return self.to_menu()
            case "option":
                return self.to_fallback()
            case _:
                self.stand(phase="over", target="missed")
                return CallPlan(steps=(self.say(self.config.goodbye), HangUp()))

    def to_fallback(self) -> CallPlan:
        """Go the last way."""
        self.stand(phase="fallback")
        plan = self.to_target(self.config.fallback) if self.config.fallback is not None else None
        return plan or self.on_missed()

    def to_target(self, target: Name | Target) -> CallPlan | None:
        """The plan for a target that is no menu; ``None`` where it cannot be reached."""
        whole = Target(to=target) if isinstance(target, str) else target
        first: tuple[CallStep, ...] = (self.say(whole.say),) if whole.say else ()
        if whole.to is not None:
            self.stand(target=whole.to)
            reached = self.ring(whole.to, whole.ring_seconds or self.config.ring_seconds)
            return CallPlan(steps=(*first, reached)) if reached is not None else None
        self.stand(phase="over")
        if whole.record:
            self.stand(target="record")
            return CallPlan(steps=(*first, RecordVoice(), HangUp()))
        self.stand(target="hang_up" if whole.hang_up else "say")
        return CallPlan(steps=(*first, HangUp()))

    def ring(self, to: str, seconds: int) -> CallStep | None:
        """Ring an employee, a number, or whoever takes the calls of a department."""
        caller_id = self.config.caller_id
        if to.startswith("staff:"):
            phone = self.context.employee_phone(to.removeprefix("staff:"))
            return Connect(to=phone, ring_seconds=seconds, caller_id=caller_id) if phone else None
        if _NUMBER.fullmatch(to):
            return Connect(to=dialled_number(to), ring_seconds=seconds, caller_id=caller_id)
        return Queue(name=to, ring_seconds=seconds)

    def say(self, text: str) -> Say:
        """Speak a text."""
        return Say(text=str(self.context.render(text)), language=self.config.language)

    def rendered(self, menu: Menu) -> Menu:
        """A menu with its texts filled in."""
        filled: Menu = msgspec.convert(self.context.render(msgspec.to_builtins(menu)), Menu)
        return filled


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [RouteCall]
