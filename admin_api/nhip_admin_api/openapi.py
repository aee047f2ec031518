"""The OpenAPI document: what Litestar reads off the handlers, completed by what holds for all of them.

Every operation names the scope it needs, every error it may answer with, and the headers it understands, so that no
handler has to say so itself and none can forget.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, cast

from litestar import Litestar, MediaType, Request, Response, Router
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    Components,
    OpenAPI,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.routes import HTTPRoute

from nhip.domain.ratings import LONGEST_WORDS
from nhip_admin_api.auth import Public, Requires, RequiresUnlessOpen
from nhip_admin_api.errors import PROBLEM_TYPE, TITLES
from nhip_admin_api.form_bodies import URLENCODED

SECURITY: Final = "apiKey"
_PROBLEM: Final = Reference(ref="#/components/schemas/Problem")
_ALWAYS: Final = (400, 429, 503)
PAGES: Final = "/rate/"
"""Where the addresses of what people read begin."""


def router() -> Router:
    """Where the document is served: at ``/schema`` and ``/schema/openapi.json``."""
    return Router(
        "/schema",
        route_handlers=[],
        include_in_schema=False,
        guards=[RequiresUnlessOpen("workflows:read")],
        before_request=_complete_first,
        after_request=_refuse_pages,
    )


def _complete_first(request: Request[Any, Any, Any]) -> None:
    document(request.app)


def _refuse_pages(response: Response[Any]) -> Response[Any]:
    """Litestar answers an unknown document with a page of its own; here it is a problem like any other."""
    if response.status_code and response.status_code >= 400:
        raise NotFoundException
    return response


def guard_of(handler: HTTPRouteHandler) -> Requires | Public | None:
    """The guard that says who may call a route."""
    guards = [guard for guard in handler.resolve_guards() if isinstance(guard, Requires | Public)]
    return guards[-1] if guards else None


def handlers_of(app: Litestar) -> Iterator[tuple[HTTPRoute, str, HTTPRouteHandler]]:
    """Every route's handlers by method, without the framework's own OPTIONS."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    yield route, str(method), handler


def document(app: Litestar) -> OpenAPI:
    """The document of an app, made when it is first asked for: reading it off all routes takes a while."""
    made = app.openapi_schema
    if SECURITY not in (made.components.security_schemes or {}):
        _complete_all(app, made)
    return made


def _complete_all(app: Litestar, made: OpenAPI) -> None:
    components = made.components
    assert isinstance(components, Components)
    components.security_schemes = {
        SECURITY: SecurityScheme(
            type="http", scheme="bearer", bearer_format="nhip_<id>_<secret>", description="An API key of one workspace"
        )
    }
    components.schemas["Problem"] = _problem_schema()
    for schema in components.schemas.values():
        # What a field of this type is by default stands in the type itself where the framework met that field first.
        schema.default = None
    for route, method, handler in handlers_of(app):
        item = (made.paths or {}).get(route.path_format)
        operation: Operation | None = getattr(item, method.lower(), None) if item else None
        if operation is not None:
            _complete(operation, route, method, handler)


def _complete(operation: Operation, route: HTTPRoute, method: str, handler: HTTPRouteHandler) -> None:
    guard = guard_of(handler)
    statuses: set[int] = set(_ALWAYS)
    if isinstance(guard, Requires):
        operation.security = [{SECURITY: []}]
        statuses |= {401, 403}
        operation.description = f"{operation.description or ''}\n\nScope: `{guard.scope}`.".strip()
    else:
        operation.security = []
    if route.path_parameters:
        statuses.add(404)
    if operation.parameters:
        statuses.add(422)
    if operation.request_body is not None:
        statuses |= {408, 413, 415, 422}
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        statuses.add(409)
    if route.path.startswith(("/hooks/", "/voice/")):
        statuses |= {401, 413}
    is_tagged = any(isinstance(one, Parameter) and one.name.lower() == "if-match" for one in operation.parameters or [])
    if is_tagged:
        statuses.add(412)
    responses = operation.responses = dict(operation.responses or {})
    responses.pop("500", None)
    if is_tagged and method == "PUT":
        # What is put where nothing was is made.
        responses["201"] = replace(
            cast(OpenAPIResponse, responses["200"]), description="Made; `Location` has its address"
        )
    is_page = route.path.startswith(PAGES)
    if is_page and method == "POST":
        operation.request_body = _form_of_page()
        statuses |= {408, 413, 415, 422}
    for status in sorted(statuses):
        responses[str(status)] = _page_response(status) if is_page else _problem_response(status)
    if method == "POST" and route.path.startswith("/v1/"):
        operation.parameters = [*(operation.parameters or []), _idempotency_key()]
        responses.setdefault("422", _problem_response(422))
    if route.path == "/v1/events" and method == "POST":
        _complete_ingest(operation)


def _problem_response(status: int) -> OpenAPIResponse:
    headers: dict[str, OpenAPIHeader | Reference] = {}
    if status in (429, 503):
        headers["Retry-After"] = OpenAPIHeader(
            name="", param_in="header", description="Seconds", schema=Schema(type=OpenAPIType.INTEGER)
        )
    return OpenAPIResponse(
        description=TITLES[status], content={PROBLEM_TYPE: OpenAPIMediaType(schema=_PROBLEM)}, headers=headers or None
    )


def _page_response(status: int) -> OpenAPIResponse:
    """An answer for people says what is wrong on a page; what else there is to know, the headers say."""
    page = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
    return replace(_problem_response(status), content={MediaType.HTML.value: page})


def _form_of_page() -> RequestBody:
    fields: dict[str, Reference | Schema] = {
        "stars": Schema(type=OpenAPIType.STRING, enum=["1", "2", "3", "4", "5"]),
        "words": Schema(type=OpenAPIType.STRING, max_length=LONGEST_WORDS),
    }
    form = Schema(type=OpenAPIType.OBJECT, properties=fields, required=["stars"])
    return RequestBody(content={URLENCODED: OpenAPIMediaType(schema=form)}, required=True)


def _idempotency_key() -> Parameter:
    return Parameter(
        name="Idempotency-Key",
        param_in="header",
        required=False,
        schema=Schema(type=OpenAPIType.STRING, max_length=200),
        description="The same key with the same body answers again what it answered the first time, for a day",
    )


def _complete_ingest(operation: Operation) -> None:
    """The same body under each of CloudEvents' media types, and the headers of the binary mode."""
    body = operation.request_body
    if isinstance(body, RequestBody):
        media = body.content["application/json"]
        single: Any = Reference(ref="#/components/schemas/EventBody")
        body.content = {
            "application/json": media,
            "application/cloudevents+json": OpenAPIMediaType(schema=single),
            "application/cloudevents-batch+json": OpenAPIMediaType(schema=Schema(type=OpenAPIType.ARRAY, items=single)),
        }
    headers = [
        Parameter(
            name=f"ce-{name}",
            param_in="header",
            required=False,
            schema=Schema(type=OpenAPIType.STRING),
            description=f"Binary mode: the attribute `{name}`, percent-encoded; the body is the data alone",
        )
        for name in ("id", "source", "type", "specversion", "subject", "time")
    ]
    operation.parameters = [*(operation.parameters or []), *headers]


def _problem_schema() -> Schema:
    text = Schema(type=OpenAPIType.STRING)
    fault = Schema(
        type=OpenAPIType.OBJECT,
        properties={"path": text, "code": text, "message": text},
        required=["path", "code", "message"],
    )
    return Schema(
        title="Problem",
        description="What went wrong with a request (RFC 9457)",
        type=OpenAPIType.OBJECT,
        properties={
            "type": text,
            "title": text,
            "status": Schema(type=OpenAPIType.INTEGER),
            "detail": text,
            "instance": text,
            "code": text,
            "errors": Schema(
                type=OpenAPIType.ARRAY, items=fault, description="For bad input: each fault with its place"
            ),
        },
        required=["type", "title", "status", "detail", "instance", "code"],
    )
