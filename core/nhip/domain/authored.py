"""What admins write, as it is stored and as they may say it: channel accounts, templates, workflows and versions."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nhip.domain.messages import Content, MessageClass
from nhip.domain.struct import Struct


class StoredChannel(msgspec.Struct, kw_only=True):
    """One row of ``channels``; ``secrets`` is sealed."""

    workspace_id: int
    name: str
    id: str
    type: str
    config: dict[str, Any]
    secrets: str
    secrets_revision: int
    hook_token: str
    rate_per_second: int | None
    price_amount: int | None
    price_currency: str | None
    revision: int
    created_at: int
    updated_at: int


class StoredTemplate(msgspec.Struct, kw_only=True):
    """One row of ``templates``."""

    workspace_id: int
    name: str
    id: str
    channel_type: str
    message_class: MessageClass
    content: Content
    revision: int
    created_at: int
    updated_at: int


class StoredWorkflow(msgspec.Struct, kw_only=True):
    """One row of ``workflows``: the draft, and which version is published."""

    workspace_id: int
    name: str
    id: str
    title: str
    state: str
    draft: dict[str, Any]
    revision: int
    published_version: int | None
    published_version_id: str | None
    changed_version: int
    created_at: int
    updated_at: int


class StoredVersion(msgspec.Struct, kw_only=True):
    """One row of ``workflow_versions``; it never changes."""

    id: str
    workspace_id: int
    workflow: str
    number: int
    definition: dict[str, Any]
    published_at: int
    published_by: str | None
    listens: str | None = None
    """The types of events that its runs wait for and that end them, as a JSON list, where there are any."""


class Fate(StrEnum):
    """What becomes of a run when another version is published."""

    FINISH = "finish"
    """It ends on the version that it entered."""
    MOVE = "move"
    """It goes on in the new version, at a step of its own."""
    EXIT = "exit"
    """It is over."""


class StandingRuns(msgspec.Struct, kw_only=True):
    """How many runs of one version stand on one step, and what becomes of them."""

    version: int
    step: str
    """Empty for runs that are queued and stand on none yet."""
    runs: int
    fate: Fate = Fate.FINISH
    to: str | None = None
    """For those that move: the step of the new version that they stand on then."""


class PublishPlan(Struct):
    """What shall become of the runs of older versions."""

    runs: Fate = Fate.FINISH
    map: dict[str, str] = msgspec.field(default_factory=dict)
    """For ``move``: the steps that have another id in the new version, old to new."""
    otherwise: Fate = Fate.FINISH
    """For ``move``: what becomes of runs on steps that the new version does not have; ``finish`` or ``exit``."""


# --- what admins may say ----------------------------------------------------------------------------------------------


class RateLimit(Struct):
    """How fast an account may send."""

    per_second: Annotated[int, Meta(ge=1, le=100_000)]


class Price(Struct):
    """What one message costs, in the currency's minor unit."""

    amount: Annotated[int, Meta(ge=0, le=10**12)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]


class ChannelDraft(Struct):
    """A channel account to be made."""

    name: str
    type: str
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    secrets: dict[str, Any] = msgspec.field(default_factory=dict)
    rate_limit: RateLimit | None = None
    price: Price | None = None


class ChannelChange(Struct):
    """What shall be different: a JSON merge patch, so what is left out stays and null takes a field away."""

    config: dict[str, Any] | UnsetType = UNSET
    secrets: dict[str, Any] | UnsetType = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    price: Price | UnsetType | None = UNSET


class TemplateDraft(Struct):
    """A template as it shall be."""

    channel_type: str
    message_class: MessageClass = MessageClass.CARE
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    provider_template_id: Annotated[str, Meta(max_length=200)] | None = None
    params: dict[Annotated[str, Meta(min_length=1, max_length=100)], str] = msgspec.field(default_factory=dict)

    def content(self) -> Content:
        """The parts that are rendered."""
        return Content(
            subject=self.subject,
            text=self.text,
            html=self.html,
            provider_template_id=self.provider_template_id,
            params=self.params,
        )
