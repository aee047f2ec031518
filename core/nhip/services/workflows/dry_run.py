"""Try a workflow out on an event: what would match, which steps would run, what would be sent; nothing is stored.

It is the real ingest over a unit that swallows what is written, with a matcher that knows this one workflow, and then
the real interpreter with every wait skipped.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from datetime import datetime
from typing import Any, Final, cast

from nhip.catalog import Catalog
from nhip.domain.errors import ActionFailed, InvalidInput, TemplateError
from nhip.domain.events import IncomingEvent
from nhip.domain.messages import Content
from nhip.domain.runs import RunRow
from nhip.domain.struct import Struct
from nhip.domain.times import format_micros, format_time, from_micros
from nhip.domain.verdict import Verdict
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.definitions.definition import Compiled, compile_definition
from nhip.engine.definitions.entry_verdict import judge_entry
from nhip.engine.definitions.program import ProgramNode
from nhip.engine.desk.assignment import Candidate, choose
from nhip.engine.facts.decoding import convert
from nhip.engine.journeys.advance import Finish, Passed, Position, Wait, advance
from nhip.engine.matching.index import Entry, MatchIndex
from nhip.engine.times.waits import outcome_at_end
from nhip.plugin_api import AddressKind, MessageAction, MessageRequest
from nhip.ports import Renderer, Unit
from nhip.services.customers.addressing import ADDRESS_FIELDS, DEPARTMENT, STAFF, filled_in, literal, of_person
from nhip.services.events.ingest import Ingest
from nhip.services.runs.facts import records_about
from nhip.services.runs.matching import Matcher, Versions
from nhip.services.runs.progress import Progress
from nhip.services.workspace.calendars import closed_days

_MOST_STEPS: Final = 1000
"""How many steps a dry run follows: a loop may have more."""
_DRAFT: Final = "draft"


class TriedTrigger(Struct):
    """One trigger over one of the events that the incoming one means."""

    trigger: str
    event_type: str
    verdict: Verdict
    refusal: str | None = None
    """Why it would start no run although it matches."""


class TriedMessage(Struct):
    """A message that would be sent."""

    channel: str
    template: str
    to: str | None
    message_class: str | None
    content: Content | None
    missing: tuple[str, ...] = ()


class TriedStep(Struct, omit_defaults=True):
    """A step that would run, in order."""

    path: str
    id: str
    kind: str
    at: str
    action: str | None = None
    config: Any = None
    message: TriedMessage | None = None
    until: str | None = None
    verdict: Verdict | None = None
    outcome: str | None = None
    """What later steps were told it had come to."""
    problem: str | None = None


class DryRun(Struct):
    """What would happen."""

    starts: bool
    contact: str | None
    triggers: tuple[TriedTrigger, ...]
    steps: tuple[TriedStep, ...]
    end: str | None = None
    """``completed`` or ``exited``."""


class DryRuns:
    """The service; its method runs inside a unit that only reads."""

    def __init__(self, catalog: Catalog, renderer: Renderer, customs: CustomConditions) -> None:
        self._catalog = catalog
        self._renderer = renderer
        self._customs = customs

    def run(
        self, unit: Unit, workspace_id: int, definition: Mapping[str, Any], event: IncomingEvent, now: int
    ) -> DryRun:
        """Try a definition out on an event.

        Raises:
            InvalidInput: the definition does not compile.
        """
        compiled = compile_definition(definition, self._catalog, version_id=_DRAFT)
        versions = _OneVersion(self._catalog, compiled)
        matcher = _OneWorkflow(self._catalog, versions, self._customs, compiled)
        record = _Record()
        overlay = _overlay(unit, record)
        progress = Progress(self._catalog, versions, self._customs)
        ingest = Ingest(self._catalog, matcher, versions, self._customs, progress)
        ingest.ingest(overlay, workspace_id, [event], now)
        refused = {row[4]: row[7] for row in record.refusals}
        triggers = tuple(
            TriedTrigger(
                trigger=tried.trigger,
                event_type=tried.event_type,
                verdict=tried.verdict,
                refusal=refused.get(tried.trigger) if tried.verdict.holds else None,
            )
            for tried, _ in matcher.tried
        )
        contact = record.contact or event.subject
        if not record.runs:
            return DryRun(starts=False, contact=contact, triggers=triggers, steps=())
        run = record.runs[0]
        facts = next(facts for tried, facts in matcher.tried if tried.verdict.holds and tried.trigger == run.trigger_id)
        facts = {
            **facts,
            "run": {
                "id": run.id,
                "workflow": run.workflow,
                "version": 0,
                "started_at": format_micros(now),
                "about": records_about(self._catalog, facts),
            },
            "trigger": {"id": run.trigger_id},
            "steps": {},
        }
        steps, end = self._walk(unit, workspace_id, compiled, facts, from_micros(now))
        return DryRun(starts=True, contact=contact, triggers=triggers, steps=tuple(steps), end=end)

    def _walk(
        self, unit: Unit, workspace_id: int, compiled: Compiled, facts: dict[str, Any], now: datetime
    ) -> tuple[list[TriedStep], str]:
        """Go through the program as if every step succeeded and every wait were over."""
        steps: list[TriedStep] = []
        position: Position | None = None
        closed = closed_days(unit, workspace_id)
        while len(steps) < _MOST_STEPS:
            way = advance(compiled.program, position, facts, now, self._customs, compiled.definition.name, closed)
            steps += [_passed(one, now) for one in way.passed]
            then = way.then
            if isinstance(then, Finish):
                if then.node is not None:
                    steps.append(_entry(then.node, "exit", now, outcome=then.node.reason))
                return steps, str(then.state)
            if isinstance(then, Wait):
                outcome = outcome_at_end(then.node.wait)
                tried = _entry(then.node, "wait", now, until=format_time(then.until), outcome=outcome)
                now = then.until
            else:
                tried = self._perform(unit, workspace_id, then.node, facts, now)
            position = Position(node=then.node.number, iteration=then.iteration)
            steps.append(tried)
            for one in (*(_passed(one, now) for one in way.passed), tried):
                facts["steps"] = {**facts["steps"], one.id: {"outcome": one.outcome, "output": None}}
        return steps, "cut"

    def _perform(
        self, unit: Unit, workspace_id: int, node: ProgramNode, facts: Mapping[str, Any], now: datetime
    ) -> TriedStep:
        action = self._catalog.actions[node.action]()
        problem, message, outcome = None, None, "done"
        try:
            if isinstance(action, MessageAction):
                config = convert(node.config, action.config_type, "config")
                request = filled_in(action.message(config, facts), self._renderer, facts)
                message, problem = self._message(unit, workspace_id, request, facts, now)
                outcome = "accepted"
        except (ActionFailed, InvalidInput, TemplateError) as error:
            problem = error.detail
        except Exception as error:  # noqa: BLE001  # a plugin's bug is what a dry run is there to find
            problem = f"bug: {type(error).__name__}: {error}"
        return _entry(
            node, action.effect, now, action=node.action, config=node.config, message=message, problem=problem,
            outcome=outcome,
        )  # fmt: skip

    def _message(
        self, unit: Unit, workspace_id: int, request: MessageRequest, facts: Mapping[str, Any], now: datetime
    ) -> tuple[TriedMessage, str | None]:
        account = unit.published.channels(workspace_id, [request.channel]).get(request.channel)
        template = unit.published.templates(workspace_id, [request.template]).get(request.template)
        words = request.content or (template.content if template is not None else None)
        plugin = self._catalog.channels.get(account.type) if account is not None else None
        to = self._address(unit, workspace_id, plugin.capabilities.address, request.to, facts, now) if plugin else None
        content: Content | None = None
        missing: tuple[str, ...] = ()
        problem: str | None = None
        if account is None or words is None:
            kind, name = ("channel", request.channel) if account is None else ("template", request.template)
            problem = f"there is no {kind} {name!r}"
        elif to is None:
            problem = "no_address"
        if words is not None:
            seen = {**facts, "data": request.data}
            missing = tuple(self._renderer.missing(words, seen))
            if not missing:
                content = self._renderer.render(words, seen)
            else:
                problem = problem or f"missing: {', '.join(missing)}"
        message = TriedMessage(
            channel=request.channel,
            template=request.template,
            to=to,
            message_class=request.message_class or (template.message_class if template else None),
            content=content,
            missing=missing,
        )
        return message, problem

    def _address(
        self, unit: Unit, workspace_id: int, kind: AddressKind, to: str, facts: Mapping[str, Any], now: datetime
    ) -> str | None:
        contact = facts.get("contact", {})
        field = ADDRESS_FIELDS.get(kind)
        if field is None:
            return str(contact.get("external_id", ""))
        if to == "contact":
            return cast(str | None, contact.get(field))
        if to == "owner" or to.startswith(STAFF):
            name = str(contact.get("owner", "")) if to == "owner" else to.removeprefix(STAFF)
            return of_person(unit.staff.find(workspace_id, [name]).get(name), field)
        if to.startswith(DEPARTMENT):
            people = unit.staff.in_department(workspace_id, to.removeprefix(DEPARTMENT))
            able = {one.external_id: one for one in people if of_person(one, field)}
            choice = choose([Candidate(person=one) for one in able.values()], "round_robin", None, now, hours=False)
            return of_person(able.get(choice.staff or ""), field)
        return literal(kind, to)


def _entry(node: ProgramNode, kind: str, now: datetime, **said: Any) -> TriedStep:
    return TriedStep(path=node.path, id=node.id, kind=kind, at=format_time(now), **said)


def _passed(passed: Passed, now: datetime) -> TriedStep:
    return _entry(passed.node, passed.node.kind, now, verdict=passed.verdict, outcome=passed.outcome)


class _OneVersion(Versions):
    """Knows the draft alone."""

    def __init__(self, catalog: Catalog, compiled: Compiled) -> None:
        super().__init__(catalog)
        self._draft = compiled

    def get(self, unit: Unit, workspace_id: int, ids: Sequence[str]) -> Mapping[str, Compiled]:
        return dict.fromkeys(ids, self._draft)

    def number(self, version_id: str) -> int:
        return 0


class _EveryEvent(MatchIndex):
    """Listens to everything, so that also what no trigger concerns is judged with its reason."""

    def listens(self, event_type: str) -> bool:
        return True


class _OneWorkflow(Matcher):
    """Judges every trigger of the draft with reasons, and keeps what it found and the facts that it read."""

    def __init__(self, catalog: Catalog, versions: Versions, customs: CustomConditions, compiled: Compiled) -> None:
        super().__init__(catalog, versions, customs)
        self._judging = customs
        self._draft = compiled
        self.tried: list[tuple[TriedTrigger, Mapping[str, Any]]] = []

    def refresh(self, unit: Unit, workspace_id: int) -> MatchIndex:
        self.read_scores(unit, workspace_id)
        self.read_ended(unit, workspace_id)
        return _EveryEvent(self._judging)

    def publish_version(self, workspace_id: int) -> int:
        return 0

    def reads(self, workspace_id: int, prefix: str) -> bool:
        return True

    def heard(self, workspace_id: int) -> AbstractSet[str]:
        return frozenset()

    def match(self, index: MatchIndex, event_type: str, facts: Mapping[str, Any], now: datetime) -> Sequence[Entry]:
        holding = []
        for entry in self._draft.entries:
            verdict = judge_entry(self._draft, entry, event_type, facts, now, self._judging)
            self.tried.append((TriedTrigger(trigger=entry.trigger_id, event_type=event_type, verdict=verdict), facts))
            if verdict.holds:
                holding.append(entry)
        return holding


class _Record:
    """What would have been written."""

    def __init__(self) -> None:
        self.runs: list[RunRow] = []
        self.refusals: list[tuple[Any, ...]] = []
        self.contact: str | None = None

    def take_runs(self, runs: Sequence[RunRow], _steps: Sequence[Any]) -> None:
        self.runs += runs

    def take_refusals(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self.refusals += rows

    def take_events(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for row in rows:
            self.contact = self.contact or row[5]


class _Overlay:
    """A store or unit with some of its parts replaced."""

    def __init__(self, under: Any, **parts: Any) -> None:
        self._under = under
        self.__dict__.update(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under, name)


def _nothing(*_values: Any, **_named: Any) -> None:
    """Swallow what would be written."""


def _overlay(unit: Unit, record: _Record) -> Unit:
    """The unit as it is for whoever reads, and without any effect for whoever writes."""
    events = _Overlay(unit.events, find=_find_none, insert=record.take_events, refuse=record.take_refusals)
    customers = _Overlay(
        unit.customers,
        lock_contacts=_nothing,
        lock_addresses=_nothing,
        insert_contacts=_nothing,
        update_contacts=_nothing,
        insert_records=_nothing,
        update_records=_nothing,
        bump_activity=_nothing,
    )
    runs = _Overlay(unit.runs, insert=record.take_runs, open_runs=_none)
    segments = _Overlay(unit.segments, all=_none)
    return cast(Unit, _Overlay(unit, events=events, customers=customers, runs=runs, segments=segments))


def _none(*_values: Any) -> list[Any]:
    """Nobody else's run is touched."""
    return []


def _find_none(*_values: Any) -> dict[str, str]:
    """An event that came before may be tried again."""
    return {}
