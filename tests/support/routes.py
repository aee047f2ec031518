"""Every operation of the API, read from its own OpenAPI document, so that no test forgets one."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, cast

from nhip_admin_api.controllers import CONTROLLERS

_METHODS = ("get", "put", "post", "patch", "delete")
_SCOPE = re.compile(r"Scope: `([a-z:]+)`")


class Route(NamedTuple):
    """One operation."""

    method: str
    path: str
    """With its parameters in braces: `/v1/contacts/{external_id}`."""
    scope: str | None
    has_body: bool
    document: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def fill(self, values: dict[str, str]) -> str:
        """The address with a value for each parameter."""
        return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], self.path)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters in the path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))


@cache
def routes() -> tuple[Route, ...]:
    """Every documented operation."""
    return tuple(_read(document()))


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, of an app that is never started: its routes need no engine."""
    from nhip_admin_api import openapi
    from nhip_admin_api.app import create_app

    app = create_app(cast(Any, _NoEngine()))
    schema: dict[str, Any] = openapi.document(app).to_schema()
    assert len(CONTROLLERS) > 10
    return schema


class _NoEngine:
    """What an app is made of when nobody asks it anything."""

    database = clock = vault = settings = None


def _read(schema: dict[str, Any]) -> Iterator[Route]:
    for path, item in schema["paths"].items():
        for method in _METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            scope = _SCOPE.search(operation.get("description", ""))
            yield Route(method.upper(), path, scope[1] if scope else None, "requestBody" in operation, operation)
