"""The table of routes in docs/http-api.md, made from the OpenAPI document by ``python -m tests.docs.routes``."""

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

from nhip.adapters.db import upgrade
from tests.docs.pages import DOCS
from tests.support.api import open_api

PAGE = DOCS / "http-api.md"
_PLACE = re.compile(r"(?<=<!-- routes -->\n).*?(?=<!-- end of routes -->)", re.DOTALL)
_SCOPE = re.compile(r"Scope: `([\w:]+)`\.")
_METHODS = ("get", "post", "put", "patch", "delete")
_TAGS = (
    "Events", "Workflows", "Templates", "Channels", "Sources", "Runs", "Deliveries", "Metrics", "Customers",
    "Telesales", "Plugins", "Access", "Operations", "Provider hooks", "Ratings",
)  # fmt: skip


async def openapi_document() -> dict[str, Any]:
    """The document as a server answers it."""
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite+aiosqlite:///{name}/nhip.db"
        await upgrade(url)
        async with open_api(url, Path(name)) as api:
            document: dict[str, Any] = await api.get("/schema/openapi.json")
            return document


def table(document: dict[str, Any]) -> str:
    """One table for each group of routes."""
    groups: dict[str, list[str]] = {tag: [] for tag in _TAGS}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in sorted(methods.items(), key=lambda item: _METHODS.index(item[0])):
            scope = _SCOPE.search(operation.get("description", ""))
            query = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            asked = f"{path}?{'&'.join(f'{name}=' for name in query)}" if query else path
            [tag] = operation["tags"]
            groups[tag].append(
                f"| `{method.upper()} {asked}` | {operation['summary']} | {f'`{scope[1]}`' if scope else ''} |"
            )
    parts = [
        "\n".join([f"### {tag}\n", "| route | | scope |", "|---|---|---|", *rows])
        for tag, rows in groups.items()
        if rows
    ]
    return "\n" + "\n\n".join(parts) + "\n\n"


def shown() -> str:
    """The table as the page has it."""
    found = _PLACE.search(PAGE.read_text())
    assert found, f"{PAGE} has no place for the routes"
    return found[0]


def main() -> None:
    """Write the table into the page."""
    made = table(asyncio.run(openapi_document()))
    PAGE.write_text(_PLACE.sub(lambda _: made, PAGE.read_text()))


if __name__ == "__main__":
    main()
