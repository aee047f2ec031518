"""What there is in a world: customers and employees, channels and templates, segments and workflows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nhip.domain.authored import ChannelDraft, TemplateDraft
from nhip.domain.calendars import Calendar
from nhip.domain.customers import Staff
from nhip.domain.errors import Problem
from nhip.domain.events import IncomingEvent
from nhip.domain.segments import SegmentDraft
from nhip.domain.telesales import OPEN_STATES, CallReport, CampaignDraft, EntryFilter
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import AddressKind
from nhip.ports import Unit
from nhip.services.channels.accounts import ChannelAccounts
from nhip.services.channels.templates import Templates
from nhip.services.customers import contacts, records, scores
from nhip.services.customers.segments import Segments
from nhip.services.desk import staff
from nhip.services.workflows.workflows import Workflows
from nhip.services.workspace import calendars
from nhip.testing import recording
from nhip.testing.plain_yaml import read_definition
from nhip.testing.stage import ACTOR, Stage, all_problems


class Making(Stage):
    """The words of :class:`nhip.testing.World` that make or change something."""

    def contact(self, external_id: str, /, **fields: Any) -> None:
        """Put a contact, as ``PUT /v1/contacts/{external_id}`` does: what it changes may start workflows."""
        self._put(lambda: contacts.change(self.engine.intake, external_id, fields))

    def record(self, kind: str, external_id: str, /, **fields: Any) -> None:
        """Put a record, as ``PUT /v1/records/{kind}/{external_id}`` does; ``contact`` is its owner."""
        self._put(lambda: records.change(self.engine.intake, kind, external_id, fields))

    def staff(self, external_id: str, /, **fields: Any) -> None:
        """Put an employee."""
        said = convert({**fields, "external_id": external_id}, Staff)
        person = staff.change(self.engine.intake, said)
        self._write(lambda unit, now: staff.put(unit, self._workspace_id, ACTOR, person, now))

    def account(self, external_id: str, /, **attributes: Any) -> None:
        """Put a company that contacts may belong to."""
        self._write(lambda unit, now: staff.put_account(unit, self._workspace_id, ACTOR, external_id, attributes, now))

    def segment(self, name: str, /, condition: Mapping[str, Any]) -> None:
        """Make or replace a segment: a condition tree over ``contact.…``."""
        draft = SegmentDraft(condition=dict(condition))
        segments = Segments(self.engine.catalog)
        self._write(
            lambda unit, now: segments.save(unit, self._workspace_id, name, draft, if_match=None, actor=ACTOR, now=now)
        )

    def campaign(self, name: str, /, **draft: Any) -> None:
        """Make or replace a telesales campaign, as ``PUT /v1/telesales-campaigns/{name}`` takes it."""
        said = convert(draft, CampaignDraft)
        self._write(
            lambda unit, now: self.engine.telesales_campaigns.save(
                unit, self._workspace_id, name, said, if_match=None, actor=ACTOR, now=now
            )
        )

    def calendar(self, holidays: Sequence[Mapping[str, Any]]) -> None:
        """Replace the days on which the workspace is closed, as ``PUT /v1/calendar`` takes them."""
        said = convert({"holidays": [dict(holiday) for holiday in holidays]}, Calendar)
        self._write(
            lambda unit, now: calendars.save(unit, self._workspace_id, said, if_match=None, actor=ACTOR, now=now)
        )

    def call(self, campaign: str, contact: str, outcome: str, **said: Any) -> None:
        """An agent says what came of calling a contact of a campaign: ``answered``, ``no_answer``, ``busy``,
        ``refused`` or ``call_back`` (with ``call_back_at``).

        Raises:
            ValueError: nobody has to call this contact in the campaign.
        """
        report = convert({"outcome": outcome, **said}, CallReport)

        def tell(unit: Unit, now: int) -> None:
            entries = self.engine.telesales_entries
            listed = entries.page(unit, self._workspace_id, campaign, EntryFilter(), None, 1000, now)
            mine = [
                one.entry.id
                for one in listed
                if one.contact is not None and one.contact.external_id == contact and one.entry.state in OPEN_STATES
            ]
            if not mine:
                raise ValueError(f"nobody has to call {contact!r} in {campaign!r}")
            entries.report(unit, self._workspace_id, campaign, mine[0], report, actor=ACTOR, now=now)

        self._write(tell)

    def score_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace the rules of the score, as ``PUT /v1/score-rules`` takes them."""
        said = {"rules": [dict(rule) for rule in rules]}
        self._write(
            lambda unit, now: scores.save(
                unit, self._workspace_id, said, catalog=self.engine.catalog, if_match=None, actor=ACTOR, now=now
            )
        )

    def channel(
        self,
        name: str,
        type: str | None = None,  # noqa: A002
        *,
        address: AddressKind | str = AddressKind.PHONE,
        price: Mapping[str, Any] | None = None,
        per_second: int | None = None,
    ) -> None:
        """Make a channel account that accepts every message and writes it down.

        ``type`` names an installed channel (``zalo_zns``) in whose place it stands, with that channel's kind of
        address, rules for templates, and ways after a time-out; it needs no configuration. Without it, ``address`` says
        what it sends to: ``phone``, ``email``, ``zalo_user``, or ``none`` where the account itself says where.
        """
        chosen = type or recording.KINDS[AddressKind(address)]
        rate = {"rate_limit": {"per_second": per_second}} if per_second else {}
        draft = convert({"name": name, "type": chosen, **({"price": price} if price else {}), **rate}, ChannelDraft)
        accounts = ChannelAccounts(self.engine.catalog, self.engine.vault, lambda url: None)
        self._write(lambda unit, now: accounts.create(unit, self._workspace_id, draft, ACTOR, now))
        self._channels[name] = chosen

    def template(self, name: str, /, *, channel: str | None = None, **content: Any) -> None:
        """Make or replace a template: ``text``, ``subject``, ``html``, ``params``, ``message_class``, ….

        It is made for the type of ``channel``, or for the ``channel_type`` that is said; where neither is, for the type
        that all channels of this world share.
        """
        said = content if "channel_type" in content else {"channel_type": self._type_for(channel), **content}
        draft = convert(said, TemplateDraft)
        templates = Templates(self.engine.catalog, self.engine.renderer)
        self._write(
            lambda unit, now: templates.save(unit, self._workspace_id, name, draft, if_match=None, actor=ACTOR, now=now)
        )

    def workflow(self, definition: Mapping[str, Any] | str | Path) -> tuple[Problem, ...]:
        """Save a definition, or the one in a JSON or YAML file, and publish it; answers the warnings.

        Raises:
            InvalidInput: it tells all problems, each with its place.
        """
        said = definition if isinstance(definition, Mapping) else read_definition(Path(definition))
        name = str(said.get("name", ""))
        workflows = Workflows(self.engine.catalog)

        def save(unit: Unit, now: int) -> tuple[Problem, ...]:
            workflows.save(unit, self._workspace_id, name, said, if_match=None, actor=ACTOR, now=now)
            return workflows.publish(unit, self._workspace_id, name, if_match=None, actor=ACTOR, now=now).warnings

        return self._write(save)

    def pause(self, workflow: str) -> None:
        """Pause a workflow: it starts nothing, and its runs stand still."""
        service = Workflows(self.engine.catalog)
        self._write(lambda unit, now: service.pause(unit, self._workspace_id, workflow, actor=ACTOR, now=now))

    def resume(self, workflow: str) -> None:
        """End a pause: what it held back is done."""
        service = Workflows(self.engine.catalog)
        self._write(lambda unit, now: service.resume(unit, self._workspace_id, workflow, actor=ACTOR, now=now))

    def _put(self, make: Callable[[], IncomingEvent]) -> None:
        with all_problems():
            self._run(self._submit, make())

    def _type_for(self, channel: str | None) -> str:
        if channel is not None:
            return self._channels[self._known(channel)]
        types = set(self._channels.values()) or {recording.KINDS[AddressKind.PHONE]}
        if len(types) > 1:
            raise ValueError(
                f"the channels are of the types {', '.join(sorted(types))}: say channel=… for this template"
            )
        return types.pop()
