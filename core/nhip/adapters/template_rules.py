"""What a template may say. Jinja2's sandbox stops escapes but bounds nothing, so the language itself is kept small.

A template that passes has no call, no assignment, no import, no multiplication, loops of one level, and a bounded
number of everything, so that rendering it is short. Attributes are keys of the facts and never attributes of objects.
"""

import difflib
import inspect
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from jinja2 import Environment, TemplateSyntaxError, nodes

from nhip.adapters.template_filters import FILTERS
from nhip.domain.errors import TemplateError

MAX_SOURCE: Final = 20_000
"""Characters of a text, a subject or a parameter."""
MAX_HTML_SOURCE: Final = 100_000
"""Characters of an HTML part, which is mostly markup that costs nothing to render."""
MAX_NODES: Final = 2_000
MAX_DEPTH: Final = 40
MAX_TOKENS: Final = 20_000
MAX_TAG_TOKENS: Final = 600
"""Of one ``{{ … }}`` or ``{% … %}``."""
MAX_BRACKETS: Final = 16
"""How deep brackets may nest."""
MAX_BLOCKS: Final = 12
"""How deep ``{% if %}`` may nest."""
MAX_SIGNS: Final = 8
"""How many ``not``, ``-`` and ``+`` may stand in a row."""

TESTS: Final = frozenset({"defined", "undefined", "none", "string", "number", "mapping", "sequence", "even", "odd"})
LOOP_FIELDS: Final = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
"""What may be asked of ``loop``."""

_ALLOWED: Final[frozenset[type[nodes.Node]]] = frozenset(
    {
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.If,
        nodes.For,
        nodes.Name,
        nodes.Const,
        nodes.List,
        nodes.Tuple,
        nodes.Dict,
        nodes.Pair,
        nodes.Keyword,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Slice,
        nodes.Filter,
        nodes.Test,
        nodes.CondExpr,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Neg,
        nodes.Pos,
        nodes.Add,
        nodes.Sub,
        nodes.Div,
        nodes.FloorDiv,
    }
)
_SPOKEN: Final[dict[type[nodes.Node], str]] = {
    nodes.Call: "calling a function or a method",
    nodes.Mul: "the operator *",
    nodes.Pow: "the operator **",
    nodes.Mod: "the operator %",
    nodes.Concat: "the operator ~",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.Block: "{% block %}",
    nodes.Extends: "{% extends %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.With: "{% with %}",
}
_SIGNATURES: Final = {name: inspect.signature(function) for name, function in FILTERS.items()}
_DATED: Final = frozenset({"date", "datetime", "time"})


def read(environment: Environment, source: str, limit: int = MAX_SOURCE) -> nodes.Template:
    """Parse a template and hold it to the rules.

    Raises:
        TemplateError: with ``fault`` (``too_large``, ``syntax``, ``forbidden``) and ``line`` in its data.
    """
    if len(source) > limit:
        raise fault("too_large", f"a template has at most {limit:,} characters, and this one {len(source):,}", 1)
    try:
        _check_tokens(environment, source)
        tree = environment.parse(source)
        _check_tree(tree)
    except TemplateSyntaxError as error:
        raise fault("syntax", error.message or "cannot be read", error.lineno) from None
    except RecursionError:
        raise fault("forbidden", "nests too deep", 1) from None
    except ValueError:
        raise fault("syntax", "has a number that is too long", 1) from None
    return tree


def fault(code: str, message: str, line: int) -> TemplateError:
    """The error for a rule broken at a line."""
    return TemplateError(f"line {line}: {message}", fault=code, line=line)


class NameUse(NamedTuple):
    """A free name of a template, with the field asked of it where that is plain to see, and the line."""

    name: str
    field: str | None
    line: int


def names_used(tree: nodes.Template) -> Iterator[NameUse]:
    """Every free name of a template."""
    return _names(tree, frozenset())


def _names(node: nodes.Node, bound: frozenset[str]) -> Iterator[NameUse]:
    match node:
        case nodes.For():
            yield from _names(node.iter, bound)
            inner = bound | {name.name for name in node.target.find_all(nodes.Name)} | {"loop"}
            if isinstance(node.target, nodes.Name):
                inner |= {node.target.name}
            for each in [*node.body, *([node.test] if node.test else [])]:
                yield from _names(each, inner)
            for each in node.else_:
                yield from _names(each, bound)
        case nodes.Getattr(node=nodes.Name(name=name), attr=field) if name not in bound:
            yield NameUse(name, field, node.lineno)
        case nodes.Getitem(node=nodes.Name(name=name), arg=nodes.Const(value=str(field))) if name not in bound:
            yield NameUse(name, field, node.lineno)
        case nodes.Name(name=name, ctx="load"):
            if name not in bound:
                yield NameUse(name, None, node.lineno)
        case _:
            for child in node.iter_child_nodes():
                yield from _names(child, bound)


def _check_tokens(environment: Environment, source: str) -> None:
    """Bound what the parser would follow by recursion, before it does."""
    brackets = blocks = signs = length = 0
    opening = False
    for count, (line, sort, value) in enumerate(environment.lexer.tokeniter(source, None)):
        if count > MAX_TOKENS:
            raise fault("too_large", f"has more than {MAX_TOKENS:,} words", line)
        if sort in ("whitespace", "data", "comment"):
            continue
        if sort in ("variable_begin", "block_begin"):
            brackets = signs = length = 0
            opening = sort == "block_begin"
            continue
        length += 1
        if length > MAX_TAG_TOKENS:
            raise fault("too_large", f"has more than {MAX_TAG_TOKENS} words in one expression", line)
        signs = signs + 1 if value in ("not", "-", "+") else 0
        if value in ("(", "[", "{"):
            brackets += 1
        elif value in (")", "]", "}"):
            brackets -= 1
        if opening:
            blocks += {"if": 1, "for": 1, "endif": -1, "endfor": -1}.get(value, 0)
        opening = False
        if brackets > MAX_BRACKETS or blocks > MAX_BLOCKS or signs > MAX_SIGNS:
            raise fault("forbidden", "nests too deep", line)


def _check_tree(tree: nodes.Template) -> None:
    count = 0
    rest: list[tuple[nodes.Node, int, bool]] = [(tree, 0, False)]
    while rest:
        node, depth, looping = rest.pop()
        count += 1
        if count > MAX_NODES:
            raise fault("too_large", f"has more than {MAX_NODES:,} parts", node.lineno)
        if depth > MAX_DEPTH:
            raise fault("forbidden", "nests too deep", node.lineno)
        _check_node(node, looping)
        looping = looping or isinstance(node, nodes.For)
        rest.extend((child, depth + 1, looping) for child in node.iter_child_nodes())


def _check_node(node: nodes.Node, looping: bool) -> None:
    line = node.lineno
    if type(node) not in _ALLOWED:
        spoken = _SPOKEN.get(type(node), f"a {type(node).__name__}")
        raise fault("forbidden", f"{spoken} is not possible in a template", line)
    match node:
        case nodes.For():
            if looping:
                raise fault("forbidden", "a loop inside a loop is not possible in a template", line)
            if node.recursive:
                raise fault("forbidden", "a recursive loop is not possible in a template", line)
        case nodes.Filter():
            _check_known("filter", node.name, FILTERS, line)
            if node.dyn_args is not None or node.dyn_kwargs is not None:
                raise fault("forbidden", "a filter takes no * or ** arguments", line)
            try:
                _SIGNATURES[node.name].bind(None, *node.args, **{str(each.key): each.value for each in node.kwargs})
            except TypeError as error:
                raise fault("forbidden", f"filter {node.name}: {error}", line) from None
            if node.name == "rating_url" and not (isinstance(node.node, nodes.Name) and node.node.name == "ticket"):
                raise fault("forbidden", "rating_url is for the ticket: {{ ticket | rating_url }}", line)
            if node.name in _DATED and not all(isinstance(each, nodes.Const) for each in node.args[:1]):
                raise fault("forbidden", f"the format of the filter {node.name} must be written out", line)
        case nodes.Test():
            _check_known("test", node.name, TESTS, line)
        case nodes.Getattr(attr=name) | nodes.Name(name=name):
            if name.startswith("_") or name == "self":
                raise fault("forbidden", f"{name!r} cannot be used in a template", line)


def _check_known(what: str, name: str, known: Collection[str], line: int) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"
        raise fault("forbidden", f"there is no {what} {name!r}; {hint}", line)
