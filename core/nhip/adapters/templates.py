"""Messages with personalisation: Jinja2, kept so small that a tenant's template can neither escape nor exhaust.

Compiling takes milliseconds and rendering microseconds, so compiled templates are kept. Facts only ever enter as
values: what a customer typed is never read as a template.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jinja2
from jinja2 import Template
from jinja2.utils import missing as no_object

from nhip.adapters.rating_links import RatingLinks
from nhip.adapters.template_filters import URL_SCHEMES
from nhip.adapters.template_rules import MAX_HTML_SOURCE, MAX_SOURCE
from nhip.adapters.template_sandbox import BUDGET, Absent, Blank, Budget, CompiledTemplate, Sandbox, compile_template
from nhip.domain.errors import Problem, TemplateError
from nhip.domain.messages import Content

MAX_OUTPUT: Final = 262_144
"""Characters of one rendered part."""

_MARK: Final = re.compile(r"\{[{%#]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_LINK: Final = re.compile(
    r"""\b(?:href|src|action|formaction)\s*+=\s*+["']?+\s*+([a-z][a-z0-9+.\-\s]{0,40}):""", re.IGNORECASE
)
_LINK_SCHEMES: Final = URL_SCHEMES | {"cid"}
_FAULTS: Final = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What rendering a template that passed its check can still raise on values it did not expect."""


class TemplateRenderer:
    """Checks and fills in templates. One serves a whole process; it keeps no facts."""

    def __init__(self, *, cache_size: int = 512, links: RatingLinks | None = None) -> None:
        self._links = links
        self._plain = Sandbox(autoescape=False, links=links)
        self._html = Sandbox(autoescape=True, links=links)
        self._compiled = lru_cache(maxsize=cache_size)(compile_template)

    def check(
        self, content: Content, *, roots: Collection[str], known: Mapping[str, frozenset[str] | None]
    ) -> list[Problem]:
        """Find what is wrong with a template before it is stored; paths are ``text`` or ``params.order_code``.

        Args:
            content: the template's source.
            roots: the names that facts may have at their root: ``contact``, ``order``.
            known: per root, the fields it can have; ``None`` or no entry where any is possible.
        """
        problems: list[Problem] = []
        for path, source in _parts(content):
            problems += self._check(source, path, roots, known)
        return problems

    def check_value(
        self, value: Any, path: str, *, roots: Collection[str], known: Mapping[str, frozenset[str] | None]
    ) -> list[Problem]:
        """As :meth:`check`, for every text inside a JSON value, as an action's configuration holds them."""
        problems: list[Problem] = []
        for place, source in _texts(value, path):
            problems += self._check(source, place, roots, known)
        return problems

    def render(self, content: Content, facts: Mapping[str, Any]) -> Content:
        """Fill in every part with the facts.

        Raises:
            TemplateError: ``data`` has ``path``, and ``name`` where a fact is missing.
        """
        filled = {path: self._fill(source, facts, path) for path, source in _parts(content)}
        return Content(
            subject=None if content.subject is None else _CONTROL.sub(" ", filled["subject"]).strip(),
            text=filled.get("text"),
            html=filled.get("html"),
            provider_template_id=content.provider_template_id,
            params={name: filled[f"params.{name}"] for name in content.params},
        )

    def render_value(self, value: Any, facts: Mapping[str, Any], path: str = "") -> Any:
        """Fill in every text inside a JSON value; a text stays a text, also where it is one expression only.

        Raises:
            TemplateError: as :meth:`render`; the path leads into the value.
        """
        match value:
            case str():
                return self._fill(value, facts, path)
            case Mapping():
                return {key: self.render_value(each, facts, _join(path, str(key))) for key, each in value.items()}
            case list() | tuple():
                return [self.render_value(each, facts, f"{path}[{index}]") for index, each in enumerate(value)]
            case _:
                return value

    def missing(self, content: Content, facts: Mapping[str, Any]) -> list[str]:
        """Which facts this template asks for in vain, in the order of asking; for previews.

        Raises:
            TemplateError: it cannot be rendered for another reason.
        """
        asked: list[str] = []

        class Gap(Blank):
            def demand(self) -> Blank:
                asked.append(_locate(facts, self._undefined_obj, self._undefined_name))
                return self

        environment = Sandbox(autoescape=False, undefined=Gap, links=self._links)
        for path, source in _parts(content):
            try:
                self._run(compile_template(environment, source, MAX_HTML_SOURCE).template, facts, path)
            except TemplateError as error:
                if "fault" in error.data:
                    raise _placed(error, path) from None
                if "name" not in error.data:
                    raise
                asked.append(error.data["name"])
        return list(dict.fromkeys(asked))

    def _check(
        self, source: str, path: str, roots: Collection[str], known: Mapping[str, frozenset[str] | None]
    ) -> Iterator[Problem]:
        try:
            compiled = self._compile(source, path)
        except TemplateError as error:
            yield Problem(path=path, code=f"template_{error.data['fault']}", message=error.detail)
            return
        if path == "html" and (refused := _refused_link(source)):
            yield Problem(path=path, code="unsafe_link", message=refused)
        if compiled and compiled.rates and not (self._links and self._links.has_address):
            said = "rating_url: customers cannot reach this server; set NHIP_PUBLIC_URL"
            yield Problem(path=path, code="no_public_url", message=said)
        for name, field, line in compiled.names if compiled else ():
            if name not in roots:
                said = f"line {line}: there is no {name!r} here; there are {', '.join(sorted(roots))}"
                yield Problem(path=path, code="unknown_name", message=said)
            elif field is not None and (fields := known.get(name)) is not None and field not in fields:
                said = f"line {line}: {name} has no field {field!r}"
                yield Problem(path=path, code="unknown_field", message=said)

    def _compile(self, source: str, path: str) -> CompiledTemplate | None:
        """The compiled template; ``None`` for a text with nothing to fill in."""
        html = path == "html"
        limit = MAX_HTML_SOURCE if html else MAX_SOURCE
        if _MARK.search(source) is None and len(source) <= limit:
            return None
        return self._compiled(self._html if html else self._plain, source, limit)

    def _fill(self, source: str, facts: Mapping[str, Any], path: str) -> str:
        try:
            compiled = self._compile(source, path)
        except TemplateError as error:
            raise _placed(error, path) from None
        text = source if compiled is None else self._run(compiled.template, facts, path)
        if path == "html" and (refused := _refused_link(text)):
            raise TemplateError(_said(path, refused), path=path)
        return text

    def _run(self, template: Template, facts: Mapping[str, Any], path: str) -> str:
        pieces: list[str] = []
        size = 0
        try:
            for piece in template.generate({**facts, BUDGET: Budget()}):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise TemplateError(f"the text becomes longer than {MAX_OUTPUT:,} characters")
        except Absent as error:
            name = _locate(facts, error.holder, error.name)
            raise TemplateError(_said(path, f"{name} is missing"), path=path, name=name) from None
        except TemplateError as error:
            raise _placed(error, path) from None
        except _FAULTS as error:
            raise TemplateError(_said(path, f"cannot be rendered: {error}"), path=path) from None
        return "".join(pieces)


def _parts(content: Content) -> Iterator[tuple[str, str]]:
    for path in ("subject", "text", "html"):
        source = getattr(content, path)
        if source is not None:
            yield path, source
    for name, source in content.params.items():
        yield f"params.{name}", source


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, each in value.items():
                yield from _texts(each, _join(path, str(key)))
        case list() | tuple():
            for index, each in enumerate(value):
                yield from _texts(each, f"{path}[{index}]")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _said(path: str, detail: str) -> str:
    return f"{path}: {detail}" if path else detail


def _placed(error: TemplateError, path: str) -> TemplateError:
    return TemplateError(_said(path, error.detail), **{**error.data, "path": path})


def _locate(facts: Mapping[str, Any], holder: Any, name: str | None) -> str:
    """The path of ``name`` inside ``holder`` by looking for that very object; only errors pay for it."""
    name = name or "a value"
    rest: list[tuple[Any, str]] = [(facts, "")]
    while rest and holder is not no_object:
        value, path = rest.pop()
        if value is holder:
            return f"{path}[{name}]" if isinstance(value, (list, tuple)) else _join(path, name)
        if isinstance(value, Mapping):
            rest.extend((each, _join(path, str(key))) for key, each in value.items())
        elif isinstance(value, (list, tuple)):
            rest.extend((each, f"{path}[{index}]") for index, each in enumerate(value))
        elif value == holder and isinstance(value, str):
            return _join(path, name)
    return name


def _refused_link(html: str) -> str | None:
    for match in _LINK.finditer(html):
        scheme = "".join(match[1].split()).lower()
        if scheme not in _LINK_SCHEMES:
            return f"a link may begin with {', '.join(sorted(_LINK_SCHEMES))}, and not with {scheme}:"
    return None
