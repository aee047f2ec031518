"""Every code block of the page on writing plugins runs: its plugins load, its tests pass, its packaging is right."""

import asyncio
import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from nhip import Facts, LocalAction
from nhip.catalog import Catalog
from tests.docs.pages import blocks, files

PAGE = "writing-plugins.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's files, importable."""
    for name, source in files(PAGE).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("acme_loyalty", "test_tier_reached", "test_shop_app")
    ]:
        del sys.modules[name]


def modules() -> list[str]:
    return [name.removesuffix(".py").replace("/", ".") for name in files(PAGE) if name.startswith("acme_")]


def test_every_python_block_names_its_file() -> None:
    assert len(files(PAGE)) == len(blocks(PAGE, "python"))


def test_the_plugins_load() -> None:
    catalog = Catalog.load(extra_modules=modules())

    ours = {
        plugin.name: (plugin.state, plugin.reason, plugin.kinds) for plugin in catalog.plugins if "acme" in plugin.name
    }
    assert ours == {
        "acme_loyalty.tier_reached": ("loaded", None, ("trigger.tier_reached",)),
        "acme_loyalty.give_points": ("loaded", None, ("action.give_points",)),
        "acme_loyalty.shop_app": ("loaded", None, ("channel.shop_app",)),
    }


@pytest.mark.parametrize("module", ["test_tier_reached", "test_shop_app"])
def test_the_tests_of_the_page_pass(module: str) -> None:
    tests = [
        function
        for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction)
        if name.startswith("test_")
    ]

    assert tests
    for function in tests:
        answer = function()
        if inspect.iscoroutine(answer):
            asyncio.run(answer)


def test_the_action_does_what_the_page_says() -> None:
    done: list[tuple[object, ...]] = []

    class Context:
        @property
        def facts(self) -> Facts:
            return {"contact": {"custom": {"points": 20}}, "order": {"external_id": "DH-1"}}

        def render(self, value: str) -> str:
            return value.replace("{{ order.external_id }}", "DH-1")

        def update_contact(self, changes: object) -> None:
            done.append(("update", changes))

        def emit(self, event_type: str, data: object) -> None:
            done.append((event_type, data))

    plugin = importlib.import_module("acme_loyalty.give_points")
    action = plugin.GivePoints()
    config = msgspec.convert({"points": 50, "reason": "Order {{ order.external_id }}"}, plugin.GivePointsConfig)

    assert isinstance(action, LocalAction)
    assert action.run(Context(), config) == {"total": 70}  # type: ignore[arg-type]
    assert done == [
        ("update", {"custom": {"points": 70}}),
        ("loyalty.points_given", {"points": 50, "reason": "Order DH-1"}),
    ]


def test_the_packaging_names_the_modules() -> None:
    (toml,) = blocks(PAGE, "toml")

    assert set(tomllib.loads(toml)["project"]["entry-points"]["nhip"].values()) == set(modules())


def test_the_trigger_has_forty_lines() -> None:
    body = [line for line in files(PAGE)["acme_loyalty/tier_reached.py"].splitlines() if line.strip()]

    assert len(body) <= 40
