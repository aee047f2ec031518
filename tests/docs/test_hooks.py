"""A hook, its documentation and a shipped plugin that uses it are one contract."""

import inspect
import re

import pytest

from nhip import hookspecs
from nhip.catalog import Catalog
from tests.docs.pages import DOCS

HOOKS = {
    name: function
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if name.startswith("nhip_") and function.__module__ == hookspecs.__name__
}
SORTS = {
    "nhip_register_triggers": "trigger",
    "nhip_register_conditions": "condition",
    "nhip_register_actions": "action",
    "nhip_register_channels": "channel",
    "nhip_register_record_types": "record_type",
    "nhip_register_bundles": "bundle",
}
PAGE = (DOCS / "hooks.md").read_text()


def section(hook: str) -> str:
    match = re.search(rf"^## `{hook}`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"docs/hooks.md has no section for {hook}"
    return match[1]


def test_every_hook_has_a_sort_and_every_section_a_hook() -> None:
    assert HOOKS.keys() == SORTS.keys()
    assert re.findall(r"^## `(\w+)`$", PAGE, re.MULTILINE) == sorted(HOOKS, key=list(SORTS).index)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_with_its_signature_and_docstring(hook: str) -> None:
    function = HOOKS[hook]
    returned = str(inspect.signature(function).return_annotation)
    signature = f"def {hook}() -> {re.sub(r'nhip[.]plugin_api[.]', '', returned)}"

    assert inspect.signature(function).parameters.keys() == set()
    assert f"```python\n{signature}\n```" in section(hook)
    assert function.__doc__ is not None
    assert "Since " in function.__doc__
    assert " ".join(function.__doc__.split()) in " ".join(section(hook).split())


@pytest.mark.parametrize("hook", HOOKS)
def test_a_shipped_plugin_uses_the_hook_and_is_named_on_its_page(hook: str) -> None:
    shipped = {
        kind.removeprefix(f"{SORTS[hook]}.")
        for plugin in Catalog.load().plugins
        if plugin.distribution == "nhip"
        for kind in plugin.kinds
        if kind.startswith(f"{SORTS[hook]}.")
    }
    assert shipped
    assert set(re.findall(r"`(\w+)`", section(hook).partition("Shipped:")[2])) == shipped


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)

    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []
