"""What all voice accounts have in common: their public address, their queues, and what a caller hears in need."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import Meta, field

from nhip import CallPlan, CallRequest, ChannelContext, Config, Connect, Content, InboundRequest, Problem, spoken_plan

Words = Annotated[str, Meta(min_length=1, max_length=1000)]
Number = Annotated[str, Meta(max_length=64)]


class VoiceConfig(Config):
    """The part of a voice account's configuration that no provider cares about."""

    from_: Annotated[Number, Meta(description="The number that calls come from, as in +842873000000.")] = field(
        name="from"
    )
    public_url: Annotated[
        str | None, Meta(description="Where the provider reaches this server, if not at NHIP_PUBLIC_URL.")
    ] = None
    queues: Annotated[
        dict[str, Number],
        Meta(description="Per department or queue of a workflow, the number or extension that rings.", max_length=200),
    ] = field(default_factory=dict)
    language: Annotated[str, Meta(description="The language of what is said in need.", max_length=16)] = "vi-VN"
    unrouted: Annotated[
        Words | None, Meta(description="What a caller hears whom no workflow concerns, instead of a polite word.")
    ] = None
    trouble: Annotated[
        Words | None, Meta(description="What a caller hears when something went wrong, instead of an apology.")
    ] = None
    fallback_number: Annotated[
        Number | None, Meta(description="Who is rung when something went wrong, instead of saying so.")
    ] = None


def spare_plan(config: VoiceConfig, occasion: Literal["unrouted", "trouble", "test"]) -> CallPlan | None:
    """What the account is configured to do where no workflow says anything."""
    if occasion == "trouble" and config.fallback_number:
        return CallPlan(steps=(Connect(to=config.fallback_number, ring_seconds=30),))
    words = {"unrouted": config.unrouted, "trouble": config.trouble}.get(occasion)
    return spoken_plan(words, config.language) if words else None


def base_url(context: ChannelContext, config: VoiceConfig, request: InboundRequest) -> str:
    """The address of the account's call control: as it is configured, or else as this request reached it."""
    known = context.call_url(config.public_url)
    if known is not None:
        return known
    scheme = request.headers.get("x-forwarded-proto", "http")
    return f"{scheme}://{request.headers.get('host', 'localhost')}{request.path.rpartition('/')[0]}"


def next_url(call: CallRequest, /, **more: str) -> str:
    """Where the provider asks for what follows."""
    said = {"turn": str(call.turn + 1), **({"key": call.reference} if call.reference else {}), **more}
    return f"{call.base_url or ''}/answer?{urlencode(said)}"


def event_url(call: CallRequest, /, **more: str) -> str:
    """Where the provider reports what becomes of the steps of a plan."""
    return next_url(call, **more).replace("/answer?", "/event?", 1)


def turn_of(query: Mapping[str, str]) -> int:
    """The number of the plan that is asked for; 0 for the first."""
    text = query.get("turn", "")
    return int(text[:5]) if text.isascii() and text.isdigit() else 0


def is_report(request: InboundRequest) -> bool:
    """Whether a request only reports, and awaits no plan."""
    return request.path.endswith("/event")


def check_text(content: Content) -> list[Problem]:
    """A call needs something to say."""
    return [] if content.text else [Problem(path="text", code="missing", message="a call needs a text to say")]
