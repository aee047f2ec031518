"""One broken plugin never stops the others, and an admin can read what is wrong with it."""

import sys
import textwrap
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from nhip import Channel, Trigger
from nhip.catalog import Catalog, PluginStatus
from nhip.domain.errors import NotFound

Ship = Callable[..., None]

GOOD = """
    from nhip import Lowered, Trigger, hookimpl

    class Visit(Trigger):
        '''Starts when somebody visits.'''
        kind = "visit"
        def lower(self, config): return Lowered(event_types=("site.visited",))

    @hookimpl
    def nhip_register_triggers(): return [Visit]
"""
HEAD = """
    from typing import Annotated, Any, ClassVar
    from msgspec import Meta
    from nhip import *
    from nhip import Action, Bundle, Channel, Condition, Config, RecordFields, RecordType, Trigger, hookimpl
"""
TRIGGER = """
    class Visit(Trigger):
        kind = {kind}
        {more}
        def lower(self, config): return Lowered(event_types=("site.visited",))

    @hookimpl
    def nhip_register_triggers(): return [Visit]
"""
_numbers = count()


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ship:
    """Install a distribution whose entry points are these modules, given as source."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution: str, version: str = "1.0", **sources: str) -> None:
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = ["[nhip]"]
        for point, source in sources.items():
            module = f"stranger_{point}_{next(_numbers)}"
            (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
            lines.append(f"{point} = {module}")
        (info / "entry_points.txt").write_text("\n".join(lines))

    return install


def status(catalog: Catalog, name: str) -> PluginStatus:
    (found,) = [plugin for plugin in catalog.plugins if plugin.name == name]
    return found


def test_the_shipped_plugins_are_loaded() -> None:
    catalog = Catalog.load()

    failed = {plugin.name: plugin.reason for plugin in catalog.plugins if plugin.state != "loaded"}
    assert failed == {}
    assert {"order_status", "ticket", "deal", "form_submitted", "record_changed", "event"} <= catalog.triggers.keys()
    assert {"send_message", "update_contact", "create_task", "call_webhook"} <= catalog.actions.keys()
    assert {"order", "deal", "ticket", "task", "appointment"} <= catalog.record_types.keys()
    assert "working_hours" in catalog.conditions
    assert status(catalog, "trigger.order_status").kinds == ("trigger.order_status",)


def test_a_strangers_plugin_is_loaded_with_its_distribution(ship: Ship) -> None:
    ship("acme-shop", "1.2", visit=GOOD)

    catalog = Catalog.load()

    assert issubclass(catalog.triggers["visit"], Trigger)
    found = status(catalog, "visit")
    assert (found.state, found.distribution, found.version, found.reason) == ("loaded", "acme-shop", "1.2", None)
    assert found.kinds == ("trigger.visit",)


BROKEN = {
    "raises at import": ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero (stranger_"),
    "exits at import": ("import sys\nsys.exit(3)", "cannot be imported: SystemExit: 3"),
    "is no Python": ("def (", "cannot be imported: SyntaxError"),
    "imports what is not there": ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
    "misspells a hook": (
        HEAD + "    @hookimpl\n    def nhip_register_chanels(): return []",
        "'nhip_register_chanels' is no hook; did you mean 'nhip_register_channels'?",
    ),
    "misspells a hook without the marker": (
        HEAD + "    def nhip_register_chanels(): return []",
        "'nhip_register_chanels' is no hook; did you mean 'nhip_register_channels'?",
    ),
    "misspells a hook beside a good one": (
        GOOD + "\n    @hookimpl\n    def nhip_regster_actions(): return []",
        "'nhip_regster_actions' is no hook",
    ),
    "forgets the marker": (
        HEAD + "    def nhip_register_channels(): return []",
        "hook 'nhip_register_channels' lacks the marker @hookimpl",
    ),
    "registers nothing": ("x = 1", "registers nothing"),
    "has an asynchronous hook": (
        HEAD + "    @hookimpl\n    async def nhip_register_channels(): return []",
        "hook 'nhip_register_channels' is asynchronous",
    ),
    "wraps other plugins": (
        HEAD + "    @hookimpl(wrapper=True)\n    def nhip_register_channels(): return (yield)",
        "wraps the hooks of other plugins",
    ),
    "has a hook with arguments": (
        HEAD + "    @hookimpl\n    def nhip_register_channels(settings): return []",
        "Argument(s) {'settings'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "has a hook that raises": (
        HEAD + "    @hookimpl\n    def nhip_register_channels(): raise KeyError('token')",
        "KeyError: 'token' (stranger_",
    ),
    "returns no list": (
        HEAD + "    @hookimpl\n    def nhip_register_channels(): return {'x': 1}",
        "nhip_register_channels must return a list of classes, not dict",
    ),
    "returns an instance": (
        HEAD + "    class Visit(Trigger): pass\n    @hookimpl\n    def nhip_register_triggers(): return [Visit()]",
        "is not a class; a hook returns classes, not instances",
    ),
    "returns the wrong class": (
        HEAD + "    class Visit(Channel): pass\n    @hookimpl\n    def nhip_register_triggers(): return [Visit]",
        "Visit does not extend Trigger, as a trigger must",
    ),
    "has no kind": (
        HEAD + "    class Visit(Trigger): pass\n    @hookimpl\n    def nhip_register_triggers(): return [Visit]",
        "Visit has no kind",
    ),
    "has an ill-formed kind": (HEAD + TRIGGER.format(kind='"Site-Visit"', more=""), "has the kind 'Site-Visit'"),
    "has a kind that is too long": (HEAD + TRIGGER.format(kind='"a" * 65', more=""), "64 characters at most"),
    "lacks its verb": (
        HEAD
        + "    class Visit(Trigger):\n        kind = 'visit'\n"
        + "    @hookimpl\n    def nhip_register_triggers(): return [Visit]",
        "Visit does not define lower()",
    ),
    "has an asynchronous verb": (
        HEAD + TRIGGER.format(kind="'visit'", more="").replace("def lower", "async def lower"),
        "Visit.lower must be written with def, not async def",
    ),
    "has a configuration that is none": (
        HEAD + TRIGGER.format(kind="'visit'", more="config_type = dict"),
        "Visit.config_type is not a subclass of Config",
    ),
    "has a configuration without a schema": (
        HEAD
        + "    class Odd(Config):\n        a: object = 1\n        b: set[type] = set()\n"
        + TRIGGER.format(kind="'visit'", more="config_type = Odd"),
        "Visit.config_type has no JSON Schema",
    ),
    "has a configuration that takes unknown fields": (
        HEAD
        + "    class Loose(Config, forbid_unknown_fields=False):\n        a: int = 1\n"
        + TRIGGER.format(kind="'visit'", more="config_type = Loose"),
        "must be frozen and forbid unknown fields",
    ),
    "needs a newer Nhịp": (
        "NHIP_HOOKSPEC_VERSION = (2, 3)\n" + textwrap.dedent(GOOD),
        "needs hook specification version 2 to 3; this is version 1",
    ),
    "says its version wrongly": (
        "NHIP_HOOKSPEC_VERSION = 'one'\n" + textwrap.dedent(GOOD),
        "NHIP_HOOKSPEC_VERSION must be a number or (lowest, highest), not 'one'",
    ),
    "claims a kind twice": (
        GOOD.replace("return [Visit]", "return [Visit, Visit]"),
        "is already registered by stranger_",
    ),
    "extends Action itself": (
        HEAD
        + "    class Do(Action):\n        kind = 'do_it'\n    @hookimpl\n    def nhip_register_actions(): return [Do]",
        "Do must extend LocalAction, RemoteAction or MessageAction",
    ),
    "has a channel that says nothing": (
        HEAD
        + "    class Pigeon(Channel):\n        kind = 'pigeon'\n"
        + "        async def send(self, batch, timeout): return []\n"
        + "    @hookimpl\n    def nhip_register_channels(): return [Pigeon]",
        "Pigeon has no delivery_class",
    ),
    "has a channel that does not wait": (
        HEAD
        + "    class Pigeon(Channel):\n        kind = 'pigeon'\n        def send(self, batch, timeout): return []\n"
        + "    @hookimpl\n    def nhip_register_channels(): return [Pigeon]",
        "Pigeon.send must be written with async def",
    ),
    "calls a record type contact": (
        HEAD
        + "    class Person(RecordType):\n        kind = 'contact'\n        fields_type = RecordFields\n"
        + "    @hookimpl\n    def nhip_register_record_types(): return [Person]",
        "a word that the engine uses itself",
    ),
    "has a record whose field is required": (
        HEAD
        + "    class Fields(RecordFields):\n        size: int\n"
        + "    class Shoe(RecordType):\n        kind = 'shoe'\n        fields_type = Fields\n"
        + "    @hookimpl\n    def nhip_register_record_types(): return [Shoe]",
        "has fields without a default: size",
    ),
    "has a record with a status of its own": (
        HEAD
        + "    class Fields(RecordFields):\n        status: str = ''\n"
        + "    class Shoe(RecordType):\n        kind = 'shoe'\n        fields_type = Fields\n"
        + "    @hookimpl\n    def nhip_register_record_types(): return [Shoe]",
        "defines status, which every record has already",
    ),
    "sums up a field that is not there": (
        HEAD
        + "    class Shoe(RecordType):\n        kind = 'shoe'\n        fields_type = RecordFields\n"
        + "        amount_field = 'x'\n"
        + "    @hookimpl\n    def nhip_register_record_types(): return [Shoe]",
        "Shoe.amount_field names no field: 'x'",
    ),
    "has a bundle without a title": (
        HEAD
        + "    class Spa(Bundle):\n        kind = 'spa'\n    @hookimpl\n    def nhip_register_bundles(): return [Spa]",
        "Spa has no title",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_kept_apart_with_a_reason(ship: Ship, source: str, reason: str) -> None:
    ship("broken", broken=source)
    ship("good", zz_good=GOOD)

    catalog = Catalog.load()

    found = status(catalog, "broken")
    assert found.state == "failed"
    assert reason in (found.reason or "")
    assert found.kinds == ()
    assert status(catalog, "zz_good").state == "loaded", "the broken one keeps nothing, not even a good kind"
    assert "visit" in catalog.triggers
    assert "order_status" in catalog.triggers


def test_of_two_plugins_of_one_kind_the_first_by_name_stays(ship: Ship) -> None:
    ship("zebra", "2.0", b_second=GOOD)
    ship("acme", "1.2", c_third=GOOD)
    ship("yak", "3.0", a_first=GOOD)

    catalog = Catalog.load()

    first, second, third = (status(catalog, name) for name in ("a_first", "b_second", "c_third"))
    assert catalog.triggers["visit"].__module__ == first.module
    assert first.state == "loaded"
    for later, owner in ((second, "zebra 2.0"), (third, "acme 1.2")):
        assert later.state == "failed"
        assert later.reason == (
            f"trigger 'visit' of {later.module} ({owner}) is already registered by {first.module} (yak 3.0)"
        )


def test_no_stranger_takes_a_shipped_kind(ship: Ship) -> None:
    ship("aaa", order_status=GOOD.replace('"visit"', '"order_status"'))

    catalog = Catalog.load()

    assert catalog.triggers["order_status"].__module__ == "nhip_triggers.order_status"
    assert "already registered by nhip_triggers.order_status (nhip " in (status(catalog, "order_status").reason or "")


@pytest.mark.parametrize("item", ["acme-shop", "visit", "stranger_visit_*", "acme-*"])
def test_deny_wins(ship: Ship, item: str) -> None:
    ship("acme-shop", visit=GOOD)

    catalog = Catalog.load(allow=["acme-shop"], deny=[item])

    assert (status(catalog, "visit").state, status(catalog, "visit").reason) == ("denied", "on the deny-list")
    assert "visit" not in catalog.triggers


def test_a_denied_plugin_is_not_even_imported(ship: Ship) -> None:
    ship("acme-shop", visit="raise SystemExit('imported')")

    catalog = Catalog.load(deny=["acme-shop"])

    assert status(catalog, "visit").module not in sys.modules
    assert status(catalog, "visit").state == "denied"


def test_an_allow_list_keeps_out_other_strangers_and_no_shipped_plugin(ship: Ship) -> None:
    ship("acme-shop", visit=GOOD)
    ship("other", other="1 / 0")

    catalog = Catalog.load(allow=["acme-*"])

    assert status(catalog, "visit").state == "loaded"
    assert (status(catalog, "other").state, status(catalog, "other").reason) == ("denied", "not on the allow-list")
    assert "order_status" in catalog.triggers


def test_shipped_plugins_can_be_denied() -> None:
    catalog = Catalog.load(deny=["channel.console", "nhip_triggers.*"])

    assert "console" not in catalog.channels
    assert catalog.triggers == {}


def test_an_item_that_matches_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    Catalog.load(deny=["acme-shpo"])

    assert "no plugin matches 'acme-shpo'" in caplog.text


def test_extra_modules_need_no_allowing(ship: Ship, tmp_path: Path) -> None:
    (tmp_path / "beside_the_path.py").write_text(textwrap.dedent(GOOD))

    catalog = Catalog.load(allow=["nobody"], extra_modules=["beside_the_path", "not_there_at_all"])

    assert status(catalog, "beside_the_path").state == "loaded"
    assert "No module named 'not_there_at_all'" in (status(catalog, "not_there_at_all").reason or "")


def test_an_extra_module_that_is_installed_too_counts_once() -> None:
    catalog = Catalog.load(extra_modules=["nhip_triggers.order_status"])

    assert [plugin.name for plugin in catalog.plugins if plugin.module == "nhip_triggers.order_status"] == [
        "trigger.order_status"
    ]


def test_the_catalog_is_frozen() -> None:
    catalog = Catalog.load()

    with pytest.raises(TypeError):
        catalog.triggers["mine"] = Trigger  # type: ignore[index]
    with pytest.raises(AttributeError):
        catalog.triggers = {}  # type: ignore[misc]


def test_a_schema_describes_every_field_of_every_shipped_plugin() -> None:
    catalog = Catalog.load()

    undescribed = []
    for sort in ("trigger", "condition", "action", "channel", "record_type"):
        for kind in catalog.of(sort):
            schema = catalog.schema(sort, kind)
            assert schema["type"] == "object"
            assert schema["description"]
            undescribed += [f"{sort}.{kind}.{name}" for name, field in schema.get("properties", {}).items()
                            if not field.get("description")]  # fmt: skip
    assert undescribed == []


def test_a_schema_uses_the_names_that_admins_write() -> None:
    schema = Catalog.load().schema("trigger", "order_status")

    assert schema["properties"].keys() == {"to", "from"}
    assert schema["additionalProperties"] is False
    assert schema["description"].startswith("Starts when an order enters one of the chosen statuses")


def test_a_channels_secrets_have_a_schema() -> None:
    assert Catalog.load().secrets_schema("email")["properties"].keys() == {"username", "password"}


def test_an_unknown_kind_is_not_found() -> None:
    catalog = Catalog.load()

    with pytest.raises(NotFound, match="no record type named 'shoe'"):
        catalog.schema("record_type", "shoe")
    with pytest.raises(NotFound, match="no channel named 'pigeon'"):
        catalog.secrets_schema("pigeon")


def test_a_trace_shows_every_hook_call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Catalog.load()
    assert "nhip_register" not in capsys.readouterr().err

    monkeypatch.setenv("NHIP_TRACE_PLUGINS", "1")
    Catalog.load()

    traced = capsys.readouterr().err
    assert "nhip_register_triggers -> trigger.order_status of nhip_triggers.order_status (nhip " in traced
    assert "nhip_register_triggers <- [<class 'nhip_triggers.order_status.OrderStatus'>]" in traced


def test_channels_are_typed() -> None:
    assert all(issubclass(channel, Channel) for channel in Catalog.load().channels.values())
