"""Sources: doors for forms, website tags and other systems, as they are stored and as admins may say them."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nhip.domain.authored import RateLimit
from nhip.domain.struct import Struct

USUAL_PER_SECOND: Final = 50
"""How many requests a second a source takes whose admin said nothing."""
SECRETS: Final = ("secret", "verify_token")
"""The parts of a verification that only go in."""

Origin = Annotated[
    str, Meta(pattern=r"^(\*|https?://[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?)$(?!\n)", max_length=300)
]


class Verification(Struct):
    """How it is known who sends."""

    type: Annotated[
        Literal["none", "standard_webhooks", "hmac", "zalo"],
        Meta(
            description="`hmac`: a header holds the HMAC of the body. `zalo`: SHA-256 over app id, body, time, secret"
        ),
    ] = "none"
    header: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{0,100}$(?!\n)", description="For `hmac`: its name")] = ""
    algorithm: Literal["sha256", "sha1"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, Meta(max_length=50, description="What stands before the HMAC: `sha256=`")] = ""


class VerificationDraft(Verification):
    """A verification with its secrets."""

    secret: Annotated[
        str,
        Meta(
            min_length=1, max_length=1000,
            description="Write-only. For `standard_webhooks`, `whsec_…`; during a rotation both, separated by a space",
        ),
    ] | None = None  # fmt: skip
    verify_token: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="Write-only. What Facebook sends when it checks the address"),
    ] | None = None  # fmt: skip


class StoredSource(msgspec.Struct, kw_only=True):
    """One row of ``sources``; ``secrets`` is sealed."""

    workspace_id: int
    name: str
    id: str
    title: str
    preset: str | None
    mapping: Any
    verification: Verification
    secrets: str
    hook_token: str
    rate_per_second: int
    allowed_origins: list[str]
    success_status: int
    revision: int
    created_at: int
    updated_at: int


class SourcePreset(Struct):
    """What a source of a common kind usually is; one that is made from it keeps a copy."""

    name: str
    title: str
    description: str
    mapping: Any
    example: Any
    """A body as the other side sends it."""
    verification: Verification = Verification()
    success_status: Literal[200, 202] = 202


# --- what admins may say ----------------------------------------------------------------------------------------------

Mapping = Annotated[
    dict[str, Any] | list[dict[str, Any]],
    Meta(description="A rule, or a list of rules that are all tried: how a body becomes events"),
]
Origins = Annotated[
    list[Origin],
    Meta(max_length=50, description="Pages that may send from a browser, as `https://shop.example.com`; `*` for any"),
]
SuccessStatus = Annotated[Literal[200, 202], Meta(description="Facebook and Zalo take nothing but a 200 for success")]


class SourceDraft(Struct):
    """A source to be made."""

    name: str
    title: Annotated[str, Meta(max_length=200)] = ""
    preset: Annotated[str | None, Meta(description="Fills what is left out; `GET /v1/source-presets` lists them")] = (
        None
    )
    mapping: Mapping | None = None
    verification: Annotated[
        dict[str, Any],
        Meta(
            description="`type` (`none`, `standard_webhooks`, `hmac`, `zalo`), for `hmac` `header`, `algorithm`,"
            " `encoding` and `prefix`, and the write-only `secret` and `verify_token`"
        ),
    ] = msgspec.field(default_factory=dict)
    rate_limit: RateLimit | None = None
    allowed_origins: Origins = msgspec.field(default_factory=list)
    success_status: SuccessStatus | None = None


class SourceChange(Struct):
    """What shall be different: what is left out stays. ``verification`` is a merge patch, all else is replaced."""

    title: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    mapping: Mapping | UnsetType = UNSET
    verification: dict[str, Any] | UnsetType = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    allowed_origins: Origins | UnsetType = UNSET
    success_status: SuccessStatus | UnsetType = UNSET
