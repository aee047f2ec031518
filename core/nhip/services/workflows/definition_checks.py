"""What a definition must find around it when it is published, and what looks like a mistake."""

from collections.abc import Iterator
from typing import Final

from nhip.catalog import Catalog
from nhip.domain.conditions import All, Node, Test
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.events import SILENT_DAYS
from nhip.domain.scans import SCAN_EVENTS, SilenceScan
from nhip.domain.struct import Struct
from nhip.domain.workflow import ActionStep, Mode, WaitEvent
from nhip.engine.customers.snapshots import CARE, activity_kind
from nhip.engine.definitions.definition import Compiled, Reference, compile_definition, references
from nhip.engine.definitions.lifecycles import certain_lifecycles
from nhip.engine.definitions.lint import lint
from nhip.engine.definitions.program import walk
from nhip.engine.definitions.reading import is_event_type
from nhip.ports import Unit
from nhip.services.runs.vocabulary import known_fields
from nhip.services.workflows.word_checks import word_problems

_CONTACT_EVENTS: Final = ("created", "updated", "tag_added", "tag_removed", "score_changed")
_RECORD_EVENTS: Final = ("created", "updated", "status_changed")
_OTHER_EVENTS: Final = frozenset(
    {
        "form.submitted", "site.visited", "email.opened", "link.clicked", "message.replied", "message.delivered",
        "message.failed", "call.inbound", "call.keypress", "call.ended", "task.completed", "ticket.rated",
        "telesales.outcome", "telesales.returned", "lead.converted",
    }
)  # fmt: skip

_COMPARISONS: Final = frozenset({"greater_or_equal", "greater_than", "less_or_equal", "less_than"})
_ANY_ACTIVITY: Final = "any"


class Checked(Struct):
    """What was found: ``problems`` stop a publish, ``warnings`` do not."""

    compiled: Compiled | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def check_definition(unit: Unit, catalog: Catalog, workspace_id: int, definition: object) -> Checked:
    """Compile a definition, look for everything that it names, and lint it."""
    try:
        compiled = compile_definition(definition, catalog)
    except InvalidInput as error:
        return Checked(compiled=None, problems=error.problems, warnings=())
    surroundings = _Surroundings(unit, catalog, workspace_id, compiled)
    return Checked(
        compiled=compiled,
        problems=tuple(surroundings.problems()),
        warnings=(*lint(compiled, known_fields(catalog)), *surroundings.warnings()),
    )


class _Surroundings:
    """What one definition names, and what there is of it in the workspace."""

    def __init__(self, unit: Unit, catalog: Catalog, workspace_id: int, compiled: Compiled) -> None:
        self.unit = unit
        self.catalog = catalog
        self.workspace_id = workspace_id
        self.compiled = compiled
        self.references = references(compiled.definition, catalog)
        self.channels = unit.published.channels(workspace_id, self.named("channel"))
        self.templates = unit.published.templates(workspace_id, self.named("template"))
        self.campaigns = {
            name: found
            for name in self.named("telesales_campaign")
            if (found := unit.telesales.campaign(workspace_id, name)) is not None
        }
        self.written = {
            f"{path}.fallback[{position}]": frozenset(change)
            for path, step in walk(compiled.definition.steps)
            if isinstance(step, ActionStep)
            for position, change in enumerate(step.fallback)
        }
        """Per fallback, the fields that stand in it; the others are its step's own."""

    def named(self, kind: str) -> list[str]:
        return sorted({one.name for one in self.references if one.kind == kind})

    def is_written(self, place: str, field: str) -> bool:
        written = self.written.get(place)
        return written is None or field.partition(".")[0].partition("[")[0] in written

    def problems(self) -> Iterator[Problem]:
        known: dict[str, frozenset[str]] = {
            "channel": frozenset(self.channels),
            "template": frozenset(self.templates),
            "record_type": frozenset(self.catalog.record_types),
            "record_field": self.record_fields(),
            "staff": frozenset(self.colleagues()),
            "segment": frozenset(
                name for name in self.named("segment") if self.unit.segments.find(self.workspace_id, name) is not None
            ),
            "telesales_campaign": frozenset(self.campaigns),
            "workflow": self.workflows("workflow"),
            "started_workflow": self.workflows("started_workflow"),
        }
        for one in self.references:
            place, field = _split(one)
            if one.kind in known and one.name not in known[one.kind] and self.is_written(place, field):
                kind = one.kind.removeprefix("started_")
                message = f"there is no {kind.replace('_', ' ')} {one.name!r}"
                yield Problem(path=one.path, code=f"unknown_{kind}", message=message)
        yield from self.mismatches()
        yield from self.circles()
        yield from word_problems(self.unit, self.catalog, self.workspace_id, self.references)
        yield from self.wrong_contacts()

    def wrong_contacts(self) -> Iterator[Problem]:
        """Actions for leads that only customers can come to, and the other way round."""
        named = {_split(one)[0]: one for one in self.references if one.kind == "telesales_campaign"}
        for path, action, lifecycle in certain_lifecycles(self.compiled, self.catalog):
            place = f"{path}.config"
            wanted = self.catalog.actions[action].contacts
            if wanted not in (None, lifecycle):
                message = f"{action} is for {wanted}s, and only {lifecycle}s come here"
                yield Problem(path=f"{path}.action", code="wrong_contacts", message=message)
            campaign = self.campaigns.get(named[place].name) if place in named else None
            if campaign is not None and campaign.object != lifecycle:
                said = f"the telesales campaign {campaign.name!r} is for {campaign.object}s"
                message = f"{said}, and only {lifecycle}s come here"
                yield Problem(path=named[place].path, code="wrong_contacts", message=message)

    def record_fields(self) -> frozenset[str]:
        """Of the fields that are named, as ``ticket.priority``, those that their type has, where that is known."""

        def is_there(kind: str, field: str) -> bool:
            found = self.catalog.record_types.get(kind)
            return found is None or field in ("status", "custom") or field in found.fields_type.__struct_fields__

        return frozenset(name for name in self.named("record_field") if is_there(*name.split(".", 1)))

    def colleagues(self) -> list[str]:
        """Of the employees that are named, those who work here."""
        names = self.named("staff")
        found = self.unit.staff.find(self.workspace_id, names) if names else {}
        return [name for name, person in found.items() if person.active]

    def workflows(self, kind: str) -> frozenset[str]:
        """Of the workflows that are named so, those that there are; the one in hand is about to be."""
        own = self.compiled.definition.name
        return frozenset(
            name
            for name in self.named(kind)
            if name == own or self.unit.workflows.find(self.workspace_id, name) is not None
        )

    def circles(self) -> Iterator[Problem]:
        """Workflows that start each other, and so never end."""
        own = self.compiled.definition.name
        for one in self.references:
            if one.kind == "started_workflow":
                chain = self.way_back(one.name, own)
                if chain is not None:
                    message = f"the workflows start each other in a circle: {' → '.join((own, *chain))}"
                    yield Problem(path=one.path, code="circular_start", message=message)

    def way_back(self, start: str, own: str) -> tuple[str, ...] | None:
        """The shortest chain of workflows from ``start`` that begins ``own`` again, where there is one."""
        chains: list[tuple[str, ...]] = [(start,)]
        seen = {start}
        for chain in chains:  # grows while it is walked
            if chain[-1] == own:
                return chain
            for name in self.starts_of(chain[-1]):
                if name not in seen:
                    seen.add(name)
                    chains.append((*chain, name))
        return None

    def starts_of(self, name: str) -> list[str]:
        """The workflows that a published one starts."""
        compiled = self.published(name)
        if compiled is None:
            return []
        return [one.name for one in references(compiled.definition, self.catalog) if one.kind == "started_workflow"]

    def published(self, name: str) -> Compiled | None:
        """Another workflow as it is published, where it is and its plugins are installed."""
        stored = self.unit.workflows.find(self.workspace_id, name)
        if stored is None or stored.published_version_id is None:
            return None
        [version] = self.unit.published.versions(self.workspace_id, [stored.published_version_id])
        try:
            return compile_definition(version.definition, self.catalog)
        except InvalidInput:
            return None

    def entered_once(self) -> Iterator[Problem]:
        """Workflows that a contact shall enter several times at once, and that do not let it."""
        for one in self.references:
            found = self.published(one.name) if one.kind == "workflow_entered_often" else None
            if found is None:
                continue
            settings = found.definition.settings
            place = "mode" if settings.mode in (Mode.SINGLE, Mode.RESTART) else "reentry"
            if place == "mode" or settings.reentry.once or settings.reentry.after:
                message = f"it is entered once for each of several, and the {place} of {one.name!r} leaves one of them"
                yield Problem(path=one.path, code="entered_once", message=message)

    def mismatches(self) -> Iterator[Problem]:
        """Templates that were made for another kind of channel than the one beside them."""
        for place, channel, template in self.pairs():
            account, content = self.channels.get(channel.name), self.templates.get(template.name)
            if account is None or content is None or account.type == content.channel_type:
                continue
            path = template.path if self.is_written(place, _split(template)[1]) else channel.path
            message = (
                f"the template {content.name!r} is for {content.channel_type},"
                f" and the channel {account.name!r} is {account.type}"
            )
            yield Problem(path=path, code="template_mismatch", message=message)

    def pairs(self) -> Iterator[tuple[str, Reference, Reference]]:
        places: dict[str, dict[str, Reference]] = {}
        for one in self.references:
            places.setdefault(_split(one)[0], {}).setdefault(one.kind, one)
        for place, kinds in places.items():
            if "channel" in kinds and "template" in kinds:
                yield place, kinds["channel"], kinds["template"]

    def warnings(self) -> Iterator[Problem]:
        for path, step in walk(self.compiled.definition.steps):
            if isinstance(step, ActionStep):
                said, template = step.config.get("message_class"), self.templates.get(str(step.config.get("template")))
                if said and template is not None and said != template.message_class:
                    message = f"the template {template.name!r} is {template.message_class}, and goes out as {said}"
                    yield Problem(path=f"{path}.config.message_class", code="other_class", message=message)
        departments = self.named("department")
        staffed = self.unit.staff.departments(self.workspace_id, departments) if departments else set()
        for one in self.references:
            if one.kind == "department" and one.name not in staffed:
                message = f"nobody works in the department {one.name!r}"
                yield Problem(path=one.path, code="empty_department", message=message)
        yield from self.entered_once()
        usual = self.usual_types()
        heard = dict(self.heard())
        types = {kind for entry in self.compiled.entries for kind in entry.event_types}
        rare = types.union(*heard.values()) - usual
        seen = self.unit.workflows.seen_types(self.workspace_id, sorted(rare))
        for position, use in enumerate(self.compiled.definition.triggers):
            entry = next(entry for entry in self.compiled.entries if entry.trigger_id == use.id)
            unseen = sorted(set(entry.event_types) & rare - seen)
            if unseen and not set(entry.event_types) - set(unseen):
                message = f"no event of the type {', '.join(unseen)} has come in so far"
                yield Problem(path=f"triggers[{position}]", code="never_seen", message=message)

        for path, kinds in heard.items():
            for kind in sorted(kinds & rare - seen):
                yield Problem(path=path, code="never_seen", message=f"no event of the type {kind} has come in so far")
        yield from self.uncounted(usual)

    def uncounted(self, usual: frozenset[str]) -> Iterator[Problem]:
        """Triggers that go by an activity that nothing counts as."""
        record_types = self.catalog.record_types
        counted = {activity_kind(kind, record_types) for kind in usual} | {CARE, _ANY_ACTIVITY}
        silences = {
            (position, scan.activity)
            for position, use in enumerate(self.compiled.definition.triggers)
            for scan in self.compiled.asked.get(use.id, ())
            if isinstance(scan, SilenceScan) and scan.activity not in counted
        }
        if silences:
            counted |= set(self.unit.scans.activity_kinds(self.workspace_id))
        for position, activity in sorted(silences):
            if activity not in counted:
                message = f"nothing that a contact did counts as {activity!r} so far"
                yield Problem(path=f"triggers[{position}].config.activity", code="never_counted", message=message)
        for position, use in enumerate(self.compiled.definition.triggers):
            entry = next(entry for entry in self.compiled.entries if entry.trigger_id == use.id)
            if entry.condition is None or not _needs(entry.condition, f"event.{SILENT_DAYS}"):
                continue
            if entry.event_types and all(activity_kind(kind, record_types) is None for kind in entry.event_types):
                types = ", ".join(entry.event_types)
                message = f"{types} counts as no activity, so there is no absence before it, and it never starts a run"
                yield Problem(path=f"triggers[{position}]", code="never_counted", message=message)

    def heard(self) -> Iterator[tuple[str, frozenset[str]]]:
        """The places that wait for events, or leave at some, with their types."""
        for node in self.compiled.program.nodes:
            if isinstance(node.wait, WaitEvent):
                yield f"{node.path}.wait.event", frozenset(node.wait.events)
        for position, one in enumerate(self.compiled.definition.settings.exit_when):
            if one.events:
                yield f"settings.exit_when[{position}].event", frozenset(one.events)
        conversion = self.compiled.definition.settings.conversion
        if conversion is not None and is_event_type(conversion.event):
            yield "settings.conversion.event", frozenset({conversion.event})

    def usual_types(self) -> frozenset[str]:
        contact = {f"contact.{verb}" for verb in _CONTACT_EVENTS}
        records = {f"{kind}.{verb}" for kind in self.catalog.record_types for verb in _RECORD_EVENTS}
        return _OTHER_EVENTS | contact | records | frozenset(SCAN_EVENTS.values())


def _needs(condition: Node, field: str) -> bool:
    """Whether a condition never holds where a number is not there."""
    match condition:
        case Test():
            return condition.field == field and condition.op in _COMPARISONS
        case All():
            return any(_needs(item, field) for item in condition.items)
        case _:
            return False


def _split(reference: Reference) -> tuple[str, str]:
    """The place of a configuration and the field in it: ``steps[2].fallback[0]`` and ``template``."""
    for mark in (".config.", "]."):
        place, found, field = reference.path.rpartition(mark)
        if found:
            return place + mark[:-1], field
    return "", reference.path
