"""Settings: read once from the environment (``NHIP_*``) and an optional ``nhip.toml``, by the shell alone.

The command line's options come first, then the environment, then the file, then the defaults. Every error names the
variable that is wrong::

    NHIP_PORT=8300 NHIP_DATABASE_URL=postgresql+asyncpg://nhip@localhost/nhip nhip api
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

from nhip.domain.errors import InvalidInput, Problem, invalid

PREFIX: Final = "NHIP_"
SHORTEST_KEY: Final = 32
MASK: Final = "********"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
UNREACHABLE: Final = LOOPBACK | {"0.0.0.0", "::"}  # noqa: S104
"""Hosts that mean something on this machine only."""

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one process runs. Make it with :func:`load`, which also fills what depends on other fields."""

    data_dir: Path = Path("nhip-data")
    """Where the embedded database, the embedded queue and the generated secret key live."""
    database_url: str
    """``sqlite+aiosqlite:///path`` or ``postgresql+asyncpg://…``; by default an SQLite file in ``data_dir``."""
    redis_url: str | None = None
    """``redis://…`` of a Redis or Valkey; none means an embedded Valkey, started and stopped with the process."""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8300
    """0 lets the system choose one."""
    admin_key: str | None = None
    """The first API key, ``nhip_<id>_<secret>``; without it one is made and printed once at the first start."""
    secret_key: str | None = None
    """What seals the channels' secrets: random texts of at least 32 characters, with commas between, the newest first.
    By default one is generated into ``data_dir``, readable to us alone; several machines must share one."""
    public_url: str
    """Where the outside reaches the API; tracked links and provider call-backs are made from it. No trailing slash."""
    allow_private_hosts: bool = False
    """Whether configured URLs may point at loopback and private addresses: for tests and demonstrations only."""
    plugins_allow: tuple[str, ...] = ()
    """Where not empty, the only plugins of other distributions that load: names of distributions, entry points or
    modules, with ``*`` as a wildcard."""
    plugins_deny: tuple[str, ...] = ()
    """Plugins that never load, whoever ships them."""
    lease_seconds: Seconds = 30.0
    """How long a worker may hold a step without recording it."""
    call_timeout_seconds: Seconds = 10.0
    """How long a provider may take to answer; well below the lease."""
    settle_seconds: Seconds = 600.0
    """How long a message with an unknown outcome waits for a receipt before its policy decides."""
    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 96
    """How many steps a worker process performs at once."""
    reconcile_seconds: Annotated[float, Meta(ge=0.05, le=3600)] = 1.0
    """How often each worker looks for expired leases, due waits and work that nobody rang for."""
    ingest_max_ready: Count = 50_000
    """Back-pressure: with more overdue steps than this, new events are refused with 429 until workers catch up."""
    pool_size: Annotated[int, Meta(ge=1, le=1000)] = 8
    """Connections to PostgreSQL that a process keeps; it may open as many again under load."""
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] = 180
    """How long events, finished runs and deliveries are kept: every worker deletes the older ones once an hour."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    docs_public: bool
    """Whether ``/schema`` is shown without a key; by default only while ``host`` is a loopback address."""

    @property
    def customer_url(self) -> str | None:
        """``public_url``, unless it leads to this machine alone, where no customer finds it; tests may."""
        host = urlsplit(self.public_url).hostname or ""
        return None if host in UNREACHABLE and not self.allow_private_hosts else self.public_url

    def masked(self) -> dict[str, Any]:
        """Every setting by its name, fit for a screen or a bug report: secrets and passwords in URLs are hidden."""
        shown: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        for name in ("admin_key", "secret_key"):
            shown[name] = MASK if shown[name] else None
        for name in ("database_url", "redis_url"):
            shown[name] = _without_password(shown[name]) if shown[name] else None
        return shown


FIELDS: Final = Settings.__struct_fields__
_LISTS: Final = frozenset({"plugins_allow", "plugins_deny"})
_PLACE: Final = re.compile(r"^(?P<text>.*) - at `\$\.(?P<field>\w+)(\[.*)?`$", re.DOTALL)


def load(environ: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Read the settings; ``options`` (the command line's) win where they are not ``None``.

    The file is ``nhip.toml`` in the working directory, or the one that ``NHIP_CONFIG`` names. The data folder is made
    when it is missing.

    Raises:
        InvalidInput: a value is not valid; the problem's path is the variable's name.
    """
    environ = os.environ if environ is None else environ
    raw: dict[str, Any] = _from_file(environ)
    for name in FIELDS:
        text = environ.get(PREFIX + name.upper(), "")
        if text:
            raw[name] = [item.strip() for item in text.split(",") if item.strip()] if name in _LISTS else text
    raw.update({name: value for name, value in options.items() if value is not None})
    raw["data_dir"] = Path(raw.get("data_dir", "nhip-data")).expanduser().resolve()
    _fill(raw)
    try:
        settings = msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from None
    _check(settings)
    return settings


def _from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    named = environ.get(PREFIX + "CONFIG")
    path = Path(named) if named else Path("nhip.toml")
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise invalid("NHIP_CONFIG", "no_such_file", f"there is no file {named}") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise invalid(named or "nhip.toml", "unreadable_file", str(error)) from None
    unknown = [
        Problem(path=f"{path.name}: {name}", code="unknown_field", message="there is no such setting")
        for name in content
        if name not in FIELDS
    ]
    if unknown:
        raise InvalidInput(unknown)
    return content


def _fill(raw: dict[str, Any]) -> None:
    """Fill the settings whose default depends on another one."""
    data_dir: Path = raw["data_dir"]
    host = str(raw.get("host", "127.0.0.1"))
    raw.setdefault("database_url", f"sqlite+aiosqlite:///{data_dir / 'nhip.db'}")
    shown = f"[{host}]" if ":" in host else host
    raw.setdefault("public_url", f"http://{shown}:{raw.get('port', 8300)}")
    raw["public_url"] = str(raw["public_url"]).rstrip("/")
    raw.setdefault("docs_public", host in LOOPBACK)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise invalid("NHIP_DATA_DIR", "unusable_folder", f"{data_dir} cannot be used: {error.strerror}") from None


def _check(settings: Settings) -> None:
    if settings.secret_key and any(len(key.strip()) < SHORTEST_KEY for key in settings.secret_key.split(",")):
        message = f"a key is a random text of at least {SHORTEST_KEY} characters, as `openssl rand -base64 32` makes it"
        raise invalid("NHIP_SECRET_KEY", "too_short", message)
    if not settings.database_url.startswith(("sqlite", "postgresql")):
        message = "it must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://"
        raise invalid("NHIP_DATABASE_URL", "unknown_database", message)
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise invalid("NHIP_REDIS_URL", "not_a_url", "it must begin with redis://, rediss:// or unix://")
    if not settings.public_url.startswith(("http://", "https://")):
        raise invalid("NHIP_PUBLIC_URL", "not_a_url", "it must begin with http:// or https://")
    if settings.call_timeout_seconds * 2 > settings.lease_seconds:
        message = "it must be at least twice NHIP_CALL_TIMEOUT_SECONDS, or a slow answer outlives its lease"
        raise invalid("NHIP_LEASE_SECONDS", "too_short", message)


def _named(text: str) -> InvalidInput:
    """Name the variable of a validation error: "Expected `int`, got `str` - at `$.port`" is about ``NHIP_PORT``."""
    match = _PLACE.match(text)
    if match is None:
        return invalid("", "invalid_setting", text)
    return invalid(PREFIX + match["field"].upper(), "invalid_setting", match["text"])


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{address}"))
