"""Where a call may go to, and the menu that leads there."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, field

from nhip import Config, Play, Problem, Say
from nhip_actions.opening_hours import OpeningHours, hours_problems

Key = Annotated[str, Meta(pattern=r"^[0-9*#]$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(min_length=1, max_length=2000)]
RingSeconds = Annotated[int, Meta(ge=5, le=300)]


class Prompt(Config):
    """One thing that is heard: words that are spoken, or a recording."""

    say: Annotated[Words | None, Meta(description="The words; may have {{ … }}.")] = None
    play: Annotated[Words | None, Meta(description="The URL of a recording.")] = None


Menu = Words | Annotated[tuple[Words | Prompt, ...], Meta(min_length=1, max_length=20)]


class Target(Config):
    """Where a call goes. One of: somebody to ring (``to``), a further menu, words and the end, a recording, the end."""

    to: Annotated[
        Name | None, Meta(description="A department or queue, staff:<external id>, or a telephone number.")
    ] = None
    say: Annotated[
        Words | None, Meta(description="What is said first; alone, it is said and the call ends. May have {{ … }}.")
    ] = None
    menu: Annotated[Menu | None, Meta(description="A further menu, with options of its own.")] = None
    options: Annotated[
        dict[Key, "Name | Target"], Meta(description="Per key of that menu, where the call goes.", max_length=12)
    ] = field(default_factory=dict)
    record: Annotated[bool, Meta(description="Whether the caller may leave a spoken message.")] = False
    hang_up: Annotated[bool, Meta(description="Whether the call ends.")] = False
    ring_seconds: Annotated[RingSeconds | None, Meta(description="How long it rings, if not as long as usual.")] = None


class Store(Config):
    """How callers reach a store, and when."""

    to: Annotated[
        Name | None, Meta(description="Whom to ring: as a target. Without it, the queue of the store's name.")
    ] = None
    hours: Annotated[OpeningHours | None, Meta(description="When it is open, if not as usual.")] = None
    ring_seconds: Annotated[RingSeconds | None, Meta(description="How long it rings, if not as long as usual.")] = None


def prompts_of(menu: Menu | None, language: str) -> tuple[Say | Play, ...]:
    """What a menu lets be heard."""
    parts = (menu,) if isinstance(menu, str) else menu or ()
    heard: list[Say | Play] = []
    for part in parts:
        if isinstance(part, str):
            heard.append(Say(text=part, language=language))
            continue
        if part.say:
            heard.append(Say(text=part.say, language=language))
        if part.play:
            heard.append(Play(url=part.play))
    return tuple(heard)


Options = dict[Key, Name | Target]


def options_at(options: Options, path: Sequence[str]) -> tuple[Menu | None, Options]:
    """The menu and the options that the keys of ``path`` lead to; the first menu is not known here."""
    menu: Menu | None = None
    for key in path:
        found = options.get(key)
        if not isinstance(found, Target):
            return None, {}
        menu, options = found.menu, found.options
    return menu, options


def target_problems(target: Name | Target, path: str) -> list[Problem]:
    """What types cannot say of a target."""
    if isinstance(target, str):
        return []
    ways = [target.to is not None, target.menu is not None, target.record, target.hang_up]
    if sum(ways) > 1:
        return [Problem(path=path, code="contradiction", message="to, menu, record and hang_up exclude each other")]
    if not any(ways) and target.say is None:
        return [Problem(path=path, code="missing", message="this leads nowhere: say to, menu, say, record or hang_up")]
    return menu_problems(target.menu, target.options, path)


def menu_problems(menu: Menu | None, options: Options, path: str) -> list[Problem]:
    """What types cannot say of a menu."""
    inside = f"{path}." if path else ""
    problems: list[Problem] = []
    if menu is not None and not options:
        problems.append(Problem(path=f"{inside}options", code="missing", message="this menu leads nowhere"))
    if options and menu is None:
        problems.append(Problem(path=f"{inside}menu", code="missing", message="nobody knows options without a menu"))
    if menu is not None and not prompts_of(menu, ""):
        problems.append(Problem(path=f"{inside}menu", code="missing", message="nothing is to be heard"))
    for key, target in options.items():
        problems += target_problems(target, f"{inside}options.{key}")
    return problems


def store_problems(stores: dict[Name, Store]) -> list[Problem]:
    """What types cannot say of stores."""
    found: list[Problem] = []
    for name, store in stores.items():
        found += hours_problems(store.hours, f"stores.{name}.hours")
    return found
