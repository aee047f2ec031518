"""What ``nhip plugins new`` writes: a project with one plugin that works, and a test of it."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from nhip import __version__
from nhip.domain.errors import Conflict, invalid

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")

_PYPROJECT: Final = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "nhip-$dashed"
version = "0.1.0"
description = "A $kind for Nhịp: $name"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["nhip>=$version"]

[project.optional-dependencies]
dev = ["pytest>=8.4", "pytest-asyncio>=1"]

# One line for each module with plugins; each loads, or fails, by itself.
[project.entry-points.nhip]
"$dashed" = "nhip_$name.plugin"

[tool.hatch.build.targets.wheel]
packages = ["nhip_$name"]

[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
"""

_README: Final = """\
# nhip-$dashed

A $kind for Nhịp (`nhip`).

    pip install -e '.[dev]'
    pytest
    nhip plugins check

The plugin is `nhip_$name/plugin.py`. Everything it needs comes from `nhip`.
"""

_TRIGGER: Final = '''\
"""Starts a workflow when an order comes to a status.

    {"id": "start", "type": "$name", "config": {"status": ["refunded"]}}
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, hookimpl, test


class ${Camel}Config(Config):
    """When the workflow starts."""

    status: Annotated[tuple[str, ...], Meta(min_length=1, description="The statuses that start it.")]


class $Camel(Trigger):
    """Starts when an order comes to one of these statuses."""

    kind = "$name"
    config_type = ${Camel}Config

    def lower(self, config: ${Camel}Config) -> Lowered:
        """Say which events concern this configuration, and what has to hold."""
        return Lowered(
            event_types=("order.created", "order.status_changed"),
            condition=test("order.status", "in", list(config.status)),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Tell Nhịp about it."""
    return [$Camel]
'''

_TRIGGER_TEST: Final = """\
from nhip.testing.conformance import check_trigger
from nhip_$name.plugin import $Camel, ${Camel}Config


def test_it_conforms() -> None:
    check_trigger($Camel, {"status": ["refunded"]})


def test_it_listens_to_orders() -> None:
    assert "order.status_changed" in $Camel().lower(${Camel}Config(status=("refunded",))).event_types
"""

_CONDITION: Final = '''\
"""Holds for a share of the contacts, always for the same ones.

    {"condition": "$name", "config": {"percent": 10}}
"""

import zlib
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from nhip import Condition, Config, Facts, Reason, Verdict, hookimpl


class ${Camel}Config(Config):
    """For how many it holds."""

    percent: Annotated[int, Meta(ge=0, le=100, description="For how many of a hundred contacts it holds.")]


class $Camel(Condition):
    """Holds for a share of the contacts, always for the same ones."""

    kind = "$name"
    config_type = ${Camel}Config
    needs = ("contact",)

    def check(self, config: ${Camel}Config, facts: Facts, now: datetime) -> Verdict:
        """Decide. Pure: the same arguments always give the same verdict."""
        contact = facts.get("contact") or {}
        place = zlib.crc32(str(contact.get("external_id", "")).encode()) % 100
        reason = Reason(path="", code="holds" if place < config.percent else "differs", actual=place)
        return Verdict(holds=place < config.percent, reasons=(reason,))


@hookimpl
def nhip_register_conditions() -> list[type[Condition]]:
    """Tell Nhịp about it."""
    return [$Camel]
'''

_CONDITION_TEST: Final = """\
from datetime import UTC, datetime

from nhip.testing.conformance import check_condition
from nhip_$name.plugin import $Camel, ${Camel}Config

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_it_conforms() -> None:
    check_condition($Camel, {"percent": 10})


def test_it_holds_for_all_and_for_nobody() -> None:
    facts = {"contact": {"external_id": "KH-001"}}
    assert $Camel().check(${Camel}Config(percent=100), facts, NOW).holds
    assert not $Camel().check(${Camel}Config(percent=0), facts, NOW).holds
"""

_ACTION: Final = '''\
"""Counts, in a custom field of the contact, how often a run came here.

    {"id": "count", "action": "$name", "config": {"field": "visits"}}
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from nhip import Action, Config, LocalAction, LocalContext, hookimpl


class ${Camel}Config(Config):
    """Where it counts."""

    field: Annotated[str, Meta(min_length=1, max_length=100, description="The custom field.")]


class $Camel(LocalAction):
    """Counts in a custom field of the contact. It happens exactly once, in the transaction that records the step."""

    kind = "$name"
    config_type = ${Camel}Config

    def run(self, context: LocalContext, config: ${Camel}Config) -> Mapping[str, Any]:
        """Add one; what is returned is the step's output."""
        custom = context.facts["contact"].get("custom") or {}
        count = int(custom.get(config.field) or 0) + 1
        context.update_contact({"custom": {config.field: count}})
        return {"count": count}


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Tell Nhịp about it."""
    return [$Camel]
'''

_ACTION_TEST: Final = """\
from nhip.testing.conformance import check_action
from nhip_$name.plugin import $Camel


def test_it_conforms() -> None:
    check_action($Camel, {"field": "visits"})
"""

_CHANNEL: Final = '''\
"""Appends each message to a file.

    {"name": "notes", "type": "$name", "config": {"path": "messages.txt"}}
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from nhip import (
    Accepted,
    AddressKind,
    Capabilities,
    Channel,
    Config,
    DeliveryClass,
    Message,
    NotSent,
    Outcome,
    hookimpl,
)


class ${Camel}Config(Config):
    """Where the messages go."""

    path: Annotated[str, Meta(min_length=1, description="The file.")]


class $Camel(Channel):
    """Appends each message to a file."""

    kind = "$name"
    config_type = ${Camel}Config
    # BLIND: nobody could tell afterwards whether an interrupted attempt arrived, so it is never repeated blindly.
    delivery_class = DeliveryClass.BLIND
    capabilities = Capabilities(address=AddressKind.PHONE)

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Answer with one outcome for each message, and never guess."""
        return [await asyncio.to_thread(self._append, message) for message in batch]

    def _append(self, message: Message) -> Outcome:
        try:
            with Path(self.config.path).open("a", encoding="utf-8") as file:
                file.write(f"{message.idempotency_key} {message.to} {message.content.text}\\n")
        except OSError as error:
            return NotSent(code="file", detail=str(error))
        return Accepted()


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Tell Nhịp about it."""
    return [$Camel]
'''

_CHANNEL_TEST: Final = """\
from pathlib import Path

from nhip import Accepted
from nhip.testing.conformance import check_channel
from nhip.testing.contexts import message, open_channel
from nhip_$name.plugin import $Camel


def test_it_conforms() -> None:
    check_channel($Camel)


async def test_a_message_stands_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "messages.txt"
    async with open_channel($Camel, {"path": str(file)}, {}) as channel:
        assert await channel.send([message("+84987654321", text="Xin chào")], timeout=1.0) == [Accepted()]

    assert "Xin chào" in file.read_text(encoding="utf-8")
"""

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "trigger": (_TRIGGER, _TRIGGER_TEST),
    "condition": (_CONDITION, _CONDITION_TEST),
    "action": (_ACTION, _ACTION_TEST),
    "channel": (_CHANNEL, _CHANNEL_TEST),
}
"""Per sort, the plugin and its test."""


def write_project(name: str, kind: str, directory: Path) -> list[Path]:
    """Write a project for a plugin of that name; answers its files.

    Raises:
        InvalidInput: not a name.
        Conflict: there is something of that name already.
    """
    if not _NAME.fullmatch(name):
        raise invalid("name", "bad_value", "a name is snake_case: order_refunded")
    dashed = name.replace("_", "-")
    root = directory / f"nhip-{dashed}"
    if root.exists():
        raise Conflict(f"{root} exists already")
    plugin, test = KINDS[kind]
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"nhip_{name}/__init__.py": f'"""The plugin {name} for Nhịp."""\n',
        f"nhip_{name}/plugin.py": plugin,
        f"nhip_{name}/py.typed": "",
        f"tests/test_{name}.py": test,
    }
    words = {"name": name, "dashed": dashed, "kind": kind, "version": __version__, "Camel": _camel(name)}
    written = []
    for relative, content in files.items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(content).substitute(words), encoding="utf-8")
        written.append(path)
    return written


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
