"""Sources, as they are shown and tried."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from nhip.domain.authored import RateLimit
from nhip.domain.events import IncomingEvent
from nhip.domain.sources import Mapping, SourcePreset, StoredSource, Verification
from nhip_admin_api.presenting import moment, moment_or_none
from nhip_admin_api.schemas.channels import Hook


class ShownVerification(Verification):
    """How it is known who sends. The secrets are never shown, only which of them are set."""

    secrets_set: list[str] = msgspec.field(default_factory=list)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A door for another system."""

    name: str
    title: str
    preset: str | None
    mapping: Any
    verification: ShownVerification
    rate_limit: RateLimit
    allowed_origins: list[str]
    success_status: int
    hook: Hook
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredSource, secrets_set: list[str], public_url: str) -> Self:
        """Show what is stored."""
        return cls(
            name=stored.name,
            title=stored.title,
            preset=stored.preset,
            mapping=stored.mapping,
            verification=ShownVerification(**msgspec.structs.asdict(stored.verification), secrets_set=secrets_set),
            rate_limit=RateLimit(per_second=stored.rate_per_second),
            allowed_origins=stored.allowed_origins,
            success_status=stored.success_status,
            hook=Hook(token=stored.hook_token, url=f"{public_url.rstrip('/')}/hooks/in/{stored.hook_token}"),
            created_at=moment(stored.created_at),
            updated_at=moment(stored.updated_at),
        )


class SourcePresets(msgspec.Struct, frozen=True, kw_only=True):
    """Every preset."""

    items: list[SourcePreset]


class SourcePreview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body to try."""

    body: Annotated[Any, Meta(description="As the other system would send it; a form as an object of texts")]
    mapping: Annotated[Mapping | None, Meta(description="Another mapping than the source's, before it is saved")] = None


class PreviewedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a body would become."""

    type: str
    source: str
    id: str
    time: Annotated[datetime | None, Meta(description="None for the moment at which it comes")]
    contact: Annotated[dict[str, Any] | None, Meta(description="What it would say of the contact; null for nobody")]
    data: dict[str, Any]

    @classmethod
    def of(cls, event: IncomingEvent) -> Self:
        """Show an event."""
        return cls(
            type=event.type,
            source=event.source,
            id=event.source_id,
            time=moment_or_none(event.time),
            contact=event.contact,
            data=event.data,
        )


class PreviewedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """What a body would become."""

    events: list[PreviewedEvent]
