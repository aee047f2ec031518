"""The sandbox of templates: what an attribute is, what a missing fact does, and how long a rendering may take."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any, ClassVar, Final, NamedTuple, NoReturn, cast

import jinja2
from jinja2 import StrictUndefined, Template, Undefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing as no_object

from nhip.adapters.rating_links import RatingLinks
from nhip.adapters.template_filters import FILTERS, MAX_TEXT, rating_filter, to_text
from nhip.adapters.template_rules import LOOP_FIELDS, TESTS, NameUse, fault, names_used, read
from nhip.domain.errors import TemplateError

MAX_ITEMS: Final = 1_000
"""Items of a list that a loop goes through."""
FREE_STEPS: Final = 64
"""Filters and rounds of loops that one rendered part has before its time is taken; ordinary ones have fewer."""
MAX_SECONDS: Final = 0.05
"""Processor time of one rendered part after that; an ordinary one takes a hundredth of a millisecond."""
BUDGET: Final = "_budget"
"""The name under which a :class:`Budget` travels with the facts; no template can write it."""
_LOOP: Final = "_loop"


class Absent(jinja2.UndefinedError):
    """A fact was needed that is not there: ``name`` of ``holder``."""

    def __init__(self, holder: Any, name: str | None, message: str | None = None) -> None:
        super().__init__(message)
        self.holder = holder
        self.name = name


class Missing(StrictUndefined):
    """A fact that is absent or null: a condition may ask for it, ``default`` may replace it, nothing can write it."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = no_object, name: str | None = None, exc: Any = None) -> None:
        super().__init__(hint, obj, name, cast(Any, partial(Absent, obj, name)))

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def demand(self) -> NoReturn:
        """Refuse to be used."""
        self._fail_with_undefined_error()


class Blank(Undefined):
    """For previews: as :class:`Missing`, but where it is written it leaves a gap and goes on."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = no_object, name: str | None = None, exc: Any = None) -> None:
        super().__init__(hint, obj, name, cast(Any, partial(Absent, obj, name)))

    def __str__(self) -> str:
        self.demand()
        return ""

    def demand(self) -> "Blank":
        """Note that it was needed; the subclass says where."""
        raise NotImplementedError


class Budget:
    """What one rendering may take: some steps for nothing, and after them processor time.

    The clock starts late, because it also counts what is not the template's fault: a garbage collection that falls into
    a rendering, or the first reading of a language's data. No message may fail for those.
    """

    __slots__ = ("_free", "_until")

    def __init__(self) -> None:
        self._free = FREE_STEPS
        self._until = 0.0

    def spend(self) -> None:
        """Take one step: a filter, or one round of a loop.

        Raises:
            TemplateError: the time is up.
        """
        if self._free > 0:
            self._free -= 1
            if self._free == 0:
                self._until = time.thread_time() + MAX_SECONDS
        elif time.thread_time() > self._until:
            raise TemplateError("takes too long to render")


class Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, narrowed: an attribute is a key of the facts, and never an attribute of a Python object."""

    intercepted_binops: ClassVar[frozenset[str]] = frozenset({"+"})  # type: ignore[misc]

    def __init__(
        self, *, autoescape: bool, undefined: type[Undefined] = Missing, links: RatingLinks | None = None
    ) -> None:
        super().__init__(
            autoescape=autoescape,
            undefined=undefined,
            finalize=to_text,
            keep_trailing_newline=True,
            optimized=False,
            cache_size=0,
        )
        self.globals = {}
        filters = {**FILTERS, "rating_url": rating_filter(links.url if links else None)}
        self.filters = {name: _metered(name, function) for name, function in filters.items()} | {_LOOP: _looped}
        self.tests = {name: self.tests[name] for name in TESTS} | {"none": _is_none}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of an object of the facts; nothing else has attributes, but ``loop``."""
        if isinstance(obj, Mapping):
            return self._known(obj, attribute, obj.get(attribute))
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, LoopContext) and attribute in LOOP_FIELDS:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A key of an object, or one or several items of a list or text."""
        if isinstance(argument, Undefined):
            return argument
        match obj:
            case Mapping() | Undefined():
                return self.getattr(obj, argument)
            case str() | list() | tuple() if isinstance(argument, slice):
                return obj[argument]
            case str() | list() | tuple() if isinstance(argument, int) and -len(obj) <= argument < len(obj):
                return self._known(obj, str(argument), obj[argument])
            case _:
                return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add numbers, and nothing that could grow."""
        if isinstance(left, str) or isinstance(right, str) or not isinstance(left, (int, float, Undefined)):
            raise TemplateError("+ adds numbers; texts are joined by writing them side by side")
        return super().call_binop(context, operator, left, right)

    def _known(self, holder: Any, name: str, value: Any) -> Any:
        if value is None:
            return self.undefined(obj=holder, name=name)
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise TemplateError(f"{name} is longer than {MAX_TEXT:,} characters")
        return value


class CompiledTemplate(NamedTuple):
    """A template that keeps to the rules, ready to render, with the names of the facts that it uses."""

    template: Template
    names: tuple[NameUse, ...]
    rates: bool
    """Whether it has the address of a ticket's page."""


def compile_template(environment: Sandbox, source: str, limit: int) -> CompiledTemplate:
    """Read, check and compile a template.

    Raises:
        TemplateError: as :func:`nhip.adapters.template_rules.read`.
    """
    tree = read(environment, source, limit)
    names = tuple(dict.fromkeys(names_used(tree)))
    rates = any(one.name == "rating_url" for one in tree.find_all(nodes.Filter))
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, _LOOP, [], [], None, None, lineno=loop.lineno)
    tree.set_environment(environment)
    try:
        code = environment.compile(tree)
    except (jinja2.TemplateError, SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise fault("syntax", f"cannot be compiled: {error}", getattr(error, "lineno", None) or 1) from None
    return CompiledTemplate(Template.from_code(environment, code, {}), names, rates)


def _metered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a filter refuse what is missing, answer with texts of bounded length, and spend from the budget."""

    @pass_context
    @wraps(function)
    def run(context: Context, value: Any, *arguments: Any, **options: Any) -> Any:
        context[BUDGET].spend()
        if name != "default":
            for each in (value, *arguments, *options.values()):
                if isinstance(each, (Missing, Blank)):
                    return each.demand()
        answer = function(value, *arguments, **options)
        if isinstance(answer, str) and len(answer) > MAX_TEXT:
            raise TemplateError(f"{name}: the text becomes longer than {MAX_TEXT:,} characters")
        return answer

    return run


@pass_context
def _looped(context: Context, value: Any) -> Iterator[Any]:
    if isinstance(value, (Missing, Blank)):
        value.demand()
        return
    if not isinstance(value, (list, tuple)):
        raise TemplateError("only a list can be looped over")
    if len(value) > MAX_ITEMS:
        raise TemplateError(f"a loop goes over at most {MAX_ITEMS:,} items, and this list has {len(value):,}")
    budget = context[BUDGET]
    for each in value:
        budget.spend()
        if isinstance(each, str) and len(each) > MAX_TEXT:
            raise TemplateError(f"an item is longer than {MAX_TEXT:,} characters")
        yield each


def _is_none(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)
