"""The page on the HTTP API says what the API does: its tables are the code's, and its commands run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nhip.domain.access import SCOPES
from nhip.engine.definitions.definition import compile_definition
from nhip_admin_api.errors import STATUSES, TITLES
from tests.docs import routes
from tests.docs.pages import DOCS, blocks
from tests.docs.reader import CLIENTS, ROOT, blocks_of, reading
from tests.support.api import shipped_catalog

PAGE = (DOCS / "http-api.md").read_text()
INSIDE = {
    "template_error", "action_failed", "action_unavailable", "ambiguous", "not_sent", "plugin_refused",
}  # fmt: skip
"""Codes that belong to steps and plugins, and are told in runs and deliveries."""
FRAMEWORK = {"method_not_allowed": 405, "too_slow": 408, "internal_error": 500}
"""Codes without an error of the domain."""


def rows(mark: str) -> list[list[str]]:
    """The cells of the table below a comment, without its head."""
    found = re.search(rf"^<!-- {mark}: [^\n]*-->\n\n((?:\|[^\n]*\n)+)", PAGE, re.MULTILINE)
    assert found, mark
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()[2:]]


async def test_every_route_is_listed() -> None:
    made = routes.table(await routes.openapi_document())
    assert routes.shown() == made, "run .venv/bin/python -m tests.docs.routes"


def test_every_scope_is_listed() -> None:
    assert {scope.strip("`"): text for scope, text in rows("scopes")} == SCOPES


def test_every_problem_is_listed_with_its_status() -> None:
    listed = {code.strip("`"): int(status) for code, status, _ in rows("problems")}
    ours = {kind.code: status for kind, status in STATUSES.items() if kind.code not in INSIDE}

    assert listed == {**ours, **FRAMEWORK, "seal_broken": 409}
    assert set(listed.values()) == set(TITLES)


@pytest.mark.parametrize("client", CLIENTS[-1:])
def test_the_commands_run(client: str, tmp_path: Path) -> None:
    [server] = [block for block in blocks_of((ROOT / "README.md").read_text()) if block.mark == "server"]
    with reading(tmp_path, client) as reader:
        reader.read([server, *blocks_of(PAGE)])


def definitions() -> list[Any]:
    found = [json.loads(body) for body in blocks("http-api.md", "json")]
    return [one for one in found if "steps" in one]


def test_the_workflow_is_a_workflow() -> None:
    [definition] = definitions()
    compile_definition(definition, shipped_catalog())


def test_the_steps_of_the_concepts_are_steps() -> None:
    [body] = blocks("concepts.md", "json")
    steps = [json.loads(text) for text in re.split(r"\n(?=\{)", body.strip())]
    for step in steps:
        if "then" in step:
            step["then"] = [{"id": "inner", "exit": {"reason": "done"}}]
    trigger = {"id": "t", "type": "order_status", "config": {"to": ["delivered"]}}
    compile_definition({"name": "concepts", "triggers": [trigger], "steps": steps}, shipped_catalog())
