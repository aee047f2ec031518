"""Campaigns of telesales as admins write them: whom agents call, when, and how often again."""

from collections.abc import Iterator, Sequence
from typing import Any

from nhip.catalog import Catalog
from nhip.domain.errors import Conflict, InvalidInput, NotFound, Problem
from nhip.domain.ids import new_id
from nhip.domain.telesales import Campaign, CampaignDraft, Retry, ShownCampaign
from nhip.domain.times import parse_duration
from nhip.engine.definitions.definition import NAME
from nhip.engine.desk.telesales import LATEST_RETRY, SOONEST_RETRY
from nhip.engine.facts.moments import zone_names
from nhip.ports import Unit
from nhip.services.desk.call_queue import people_of, plan
from nhip.services.desk.calling_hours import opening_of
from nhip.services.workspace.revisions import check_match
from nhip.services.workspace.usage import check_unused


def find_campaign(unit: Unit, workspace_id: int, name: str, *, lock: bool = False, share: bool = False) -> Campaign:
    """The campaign of that name, held until the unit ends where that is wanted.

    Raises:
        NotFound: there is none.
    """
    found = unit.telesales.campaign(workspace_id, name, lock=lock, share=share)
    if found is None:
        raise NotFound("telesales campaign", name)
    return found


class TelesalesCampaigns:
    """The service; its methods run inside units."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def show(self, unit: Unit, workspace_id: int, name: str, now: int) -> ShownCampaign:
        """A campaign with how many entries it has.

        Raises:
            NotFound: there is none.
        """
        campaign = find_campaign(unit, workspace_id, name)
        counts = unit.telesales.counts(workspace_id, name, now, hours_open=opening_of(unit, campaign, now).at <= now)
        return ShownCampaign(campaign=campaign, counts=counts)

    def page(self, unit: Unit, workspace_id: int, after: str | None, limit: int) -> Sequence[Campaign]:
        """By name, after a name."""
        return unit.telesales.campaigns(workspace_id, after, limit)

    def save(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        draft: CampaignDraft,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> tuple[ShownCampaign, bool]:
        """Make or replace a campaign; answers whether it was made. What is unchanged keeps its revision.

        Entries of agents who are not in it any more go back as soon as a worker looks.

        Raises:
            InvalidInput: with the place of each problem: ``agents[1]``.
            StaleRevision: ``if_match`` does not hold.
            Conflict: it has open entries, and would be for others than they are.
        """
        problems = list(_problems(unit, workspace_id, name, draft))
        if problems:
            raise InvalidInput(problems)
        stored = unit.telesales.campaign(workspace_id, name, lock=True)
        check_match(stored, if_match)
        said: dict[str, Any] = {one: getattr(draft, one) for one in CampaignDraft.__struct_fields__}
        created = stored is None
        if stored is None:
            stored = Campaign(
                workspace_id=workspace_id, name=name, id=new_id(), last_agent=None, revision=1, created_at=now,
                updated_at=now, **said,
            )  # fmt: skip
            unit.telesales.insert_campaign(stored)
        else:
            open_entries = unit.telesales.open_entries(workspace_id, name)
            if stored.object != draft.object and open_entries:
                said_why = f"{len(open_entries)} entries of it are open, of {stored.object}s"
                raise Conflict(f"the campaign cannot be for {draft.object}s: {said_why}")
            changed = any(getattr(stored, one) != value for one, value in said.items())
            for one, value in said.items():
                setattr(stored, one, value)
            if not changed:
                return self.show(unit, workspace_id, name, now), False
            stored.updated_at = now
            stored.revision += 1
            unit.telesales.update_campaign(stored)
            people = people_of(unit, stored)
            for entry in open_entries:
                before = entry.back_at
                plan(entry, stored, people, now)
                if entry.back_at != before:
                    unit.telesales.update_entry(entry)
        action = "telesales_campaign.create" if created else "telesales_campaign.change"
        unit.audit.write(workspace_id, actor, action, name, now, {"revision": stored.revision})
        return self.show(unit, workspace_id, name, now), created

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take a campaign away with its closed entries.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
            Conflict: a workflow still needs it, or somebody is still to be called.
        """
        check_match(find_campaign(unit, workspace_id, name, lock=True), if_match)
        check_unused(unit, self._catalog, workspace_id, "telesales_campaign", name)
        still = len(unit.telesales.open_entries(workspace_id, name))
        if still:
            raise Conflict(f"{still} contacts are still to be called in the campaign {name!r}", open=still)
        unit.telesales.delete_campaign(workspace_id, name)
        unit.audit.write(workspace_id, actor, "telesales_campaign.delete", name, now)


def _problems(unit: Unit, workspace_id: int, name: str, draft: CampaignDraft) -> Iterator[Problem]:
    if not NAME.match(name):
        message = "a name is lower-case letters, digits, - and _, at most 100"
        yield Problem(path="name", code="bad_value", message=message)
    found = unit.staff.find(workspace_id, draft.agents) if draft.agents else {}
    for position, agent in enumerate(draft.agents):
        path = f"agents[{position}]"
        if agent in draft.agents[:position]:
            yield Problem(path=path, code="duplicate", message=f"{agent!r} is named twice")
        elif agent not in found:
            yield Problem(path=path, code="unknown_staff", message=f"there is no staff {agent!r}")
        elif not found[agent].active:
            yield Problem(path=path, code="inactive_agent", message=f"{agent!r} has left")
    if draft.hours.timezone not in zone_names():
        message = f"there is no time zone {draft.hours.timezone!r}"
        yield Problem(path="hours.timezone", code="unknown_timezone", message=message)
    if draft.hours.to <= draft.hours.from_:
        yield Problem(path="hours.to", code="bad_value", message="the hours end later on the day than they begin")
    for outcome in ("no_answer", "busy"):
        rule: Retry | None = getattr(draft.retry, outcome)
        if rule is None:
            continue
        path = f"retry.{outcome}.after"
        try:
            after = parse_duration(rule.after)
        except ValueError as error:
            yield Problem(path=path, code="bad_value", message=str(error))
            continue
        if not SOONEST_RETRY <= after <= LATEST_RETRY:
            message = "a call is tried again after a minute at the soonest and a year at the latest"
            yield Problem(path=path, code="bad_value", message=message)
