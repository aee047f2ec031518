"""Templates, as they are shown and previewed."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from nhip.domain.authored import StoredTemplate
from nhip.domain.messages import MessageClass
from nhip_admin_api.presenting import moment


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """Message content for a kind of channel."""

    name: str
    channel_type: str
    message_class: MessageClass
    subject: str | None
    text: str | None
    html: str | None
    provider_template_id: str | None
    params: dict[str, str]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredTemplate) -> Self:
        """Show what is stored."""
        content = stored.content
        return cls(
            name=stored.name,
            channel_type=stored.channel_type,
            message_class=stored.message_class,
            subject=content.subject,
            text=content.text,
            html=content.html,
            provider_template_id=content.provider_template_id,
            params=content.params,
            created_at=moment(stored.created_at),
            updated_at=moment(stored.updated_at),
        )


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose facts to fill in."""

    contact: Annotated[str | None, Meta(description="An external id; without one, only `data` is known")] = None
    data: Annotated[
        dict[str, Any],
        Meta(description="Laid over the facts: `data.…`, and whole facts under their names (`order`, `contact`)"),
    ] = msgspec.field(default_factory=dict)
