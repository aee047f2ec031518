"""Templates: checked when they are saved, and rendered with real facts for whoever looks before sending."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.authored import StoredTemplate, TemplateDraft
from nhip.domain.errors import InvalidInput, NotFound, Problem, TemplateError, invalid
from nhip.domain.ids import new_id
from nhip.domain.messages import Content
from nhip.domain.struct import Struct
from nhip.domain.times import format_micros
from nhip.engine.customers.snapshots import contact_facts, record_facts
from nhip.engine.definitions.definition import NAME
from nhip.ports import Renderer, Unit
from nhip.services.customers import contacts
from nhip.services.runs.facts import records_about
from nhip.services.runs.vocabulary import known_fields, template_roots
from nhip.services.workspace.revisions import check_match
from nhip.services.workspace.usage import check_unused

NOT_STORED: Final = "00000000-0000-0000-0000-000000000000"
"""The own id of a record that somebody made up to look at a template."""


class Preview(Struct):
    """A template filled in: what would be sent, or why nothing can be."""

    content: Content | None
    missing: tuple[str, ...]
    """The facts it asks for in vain."""
    problem: str | None = None


class Templates:
    """The service; its methods run inside units."""

    def __init__(self, catalog: Catalog, renderer: Renderer) -> None:
        self._catalog = catalog
        self._renderer = renderer

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False) -> StoredTemplate:
        """The template of that name.

        Raises:
            NotFound: there is none.
        """
        stored = unit.templates.find(workspace_id, name, lock=lock)
        if stored is None:
            raise NotFound("template", name)
        return stored

    def page(self, unit: Unit, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredTemplate]:
        """By name, after a name."""
        return unit.templates.page(workspace_id, after, limit)

    def save(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        draft: TemplateDraft,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> tuple[StoredTemplate, bool]:
        """Make or replace a template; answers whether it was made. What is unchanged keeps its revision.

        Raises:
            InvalidInput: with the place of each problem: ``text``, ``params.order_code``.
            StaleRevision: ``if_match`` does not hold.
        """
        self.check(name, draft)
        stored = unit.templates.find(workspace_id, name, lock=True)
        check_match(stored, if_match)
        content = draft.content()
        if stored is None:
            stored = StoredTemplate(
                workspace_id=workspace_id,
                name=name,
                id=new_id(),
                channel_type=draft.channel_type,
                message_class=draft.message_class,
                content=content,
                revision=1,
                created_at=now,
                updated_at=now,
            )
            unit.templates.insert(stored)
            unit.audit.write(workspace_id, actor, "template.create", name, now)
            return stored, True
        before = (stored.channel_type, stored.message_class, stored.content)
        if before != (draft.channel_type, draft.message_class, content):
            stored.channel_type, stored.message_class, stored.content = draft.channel_type, draft.message_class, content
            stored.revision += 1
            stored.updated_at = now
            unit.templates.update(stored)
            unit.audit.write(workspace_id, actor, "template.change", name, now, {"revision": stored.revision})
        return stored, False

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take a template away.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
            Conflict: a workflow still needs it.
        """
        check_match(self.find(unit, workspace_id, name, lock=True), if_match)
        check_unused(unit, self._catalog, workspace_id, "template", name)
        unit.templates.delete(workspace_id, name)
        unit.audit.write(workspace_id, actor, "template.delete", name, now)

    def check(self, name: str, draft: TemplateDraft) -> None:
        """Find every fault of a template before it is stored.

        Raises:
            InvalidInput: with the place of each problem.
        """
        if not NAME.match(name):
            raise invalid("name", "bad_value", "a name is lower-case letters, digits, - and _, at most 100")
        channel = self._catalog.channels.get(draft.channel_type)
        if channel is None:
            message = f"no channel plugin of the kind {draft.channel_type!r}"
            raise invalid("channel_type", "unknown_channel_type", message)
        content = draft.content()
        problems = list(
            self._renderer.check(content, roots=template_roots(self._catalog), known=known_fields(self._catalog))
        )
        problems += channel.check_content(content)
        if not (content.text or content.html or content.provider_template_id):
            said = "a template needs a text, an html part or a provider's template id"
            if not any(problem.code == "missing" for problem in problems):
                problems.append(Problem(path="text", code="missing", message=said))
        if problems:
            raise InvalidInput(problems)

    def preview(
        self, unit: Unit, workspace_id: int, name: str, contact: str | None, data: Mapping[str, Any], now: int
    ) -> Preview:
        """Fill a stored template in with a contact's facts as they are now, and with ``data`` over them.

        Raises:
            NotFound: no such template or contact.
        """
        template = self.find(unit, workspace_id, name)
        return self.render(template.content, sample_facts(unit, self._catalog, workspace_id, contact, data, now))

    def render(self, content: Content, facts: Mapping[str, Any]) -> Preview:
        """Fill in, and say what is missing instead of failing."""
        try:
            missing = tuple(self._renderer.missing(content, facts))
        except TemplateError as error:
            return Preview(content=None, missing=(), problem=error.detail)
        try:
            return Preview(content=self._renderer.render(content, facts), missing=missing)
        except TemplateError as error:
            return Preview(content=None, missing=missing, problem=error.detail)


def sample_facts(
    unit: Unit, catalog: Catalog, workspace_id: int, contact: str | None, data: Mapping[str, Any], now: int
) -> dict[str, Any]:
    """Facts to look at a template with: a contact as it is now, its newest record of each type, and ``data``.

    Where a name in ``data`` is a root of the facts (``order``), it stands in for what is stored; all of it is ``data``.

    Raises:
        NotFound: there is no such contact.
    """
    facts: dict[str, Any] = {
        "event": {"id": "preview", "source": "preview", "type": "preview", "time": format_micros(now), "data": {}},
        "run": {"id": "preview", "workflow": "preview", "version": 0, "started_at": format_micros(now)},
        "trigger": {"id": "preview"},
        "previous": {},
        "steps": {},
    }
    if contact is not None:
        found = contacts.find(unit, workspace_id, contact)
        activity = {count.kind: count for count in unit.customers.activity(workspace_id, [found.id])}
        facts["contact"] = contact_facts(found, activity, now)
        account = found.attributes.get("account", "")
        accounts = unit.customers.accounts(workspace_id, [account]) if account else {}
        if account in accounts:
            facts["account"] = accounts[account]
        for record in unit.history.newest_records(workspace_id, found.id):
            facts[record.type] = record_facts(record)
    roots = template_roots(catalog)
    given = {name: value for name, value in data.items() if name in roots and isinstance(value, dict)}
    facts |= {name: {"id": NOT_STORED, **one} if name in catalog.record_types else one for name, one in given.items()}
    facts["run"] = {"about": records_about(catalog, facts), **facts["run"]}
    facts["data"] = msgspec.to_builtins(data)
    return facts
