"""The facts of runs under way: what their next decisions and templates read, loaded in bulk."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nhip.catalog import Catalog
from nhip.domain.customers import ActivityCount, Contact
from nhip.domain.runs import RunContext
from nhip.domain.times import format_micros
from nhip.engine.customers.snapshots import contact_facts, record_facts
from nhip.ports import Unit
from nhip.services.runs.matching import Versions


class RunFacts(msgspec.Struct):
    """One run's context, its contact, and its facts."""

    context: RunContext
    contact: Contact | None
    facts: dict[str, Any]


def load_run_facts(
    unit: Unit,
    catalog: Catalog,
    versions: Versions,
    workspace_id: int,
    run_ids: Sequence[str],
    now: int,
) -> dict[str, RunFacts]:
    """The facts of these runs of one workspace, by run id.

    Contact and records are as they are now; what the event said and the old values of what it changed are as they were
    when it happened.
    """
    contexts = unit.runs.contexts(workspace_id, run_ids)
    contact_ids = list({context.contact_id for context in contexts.values()})
    contacts = {contact.id: contact for contact in unit.customers.contacts(workspace_id, contact_ids)}
    activity: dict[str, dict[str, ActivityCount]] = {}
    for count in unit.customers.activity(workspace_id, contact_ids):
        activity.setdefault(count.contact_id, {})[count.kind] = count
    records = _records(unit, catalog, workspace_id, contexts)
    outputs = _outputs(unit, versions, workspace_id, contexts)
    accounts = unit.customers.accounts(
        workspace_id,
        list({account for contact in contacts.values() if (account := contact.attributes.get("account"))}),
    )
    found: dict[str, RunFacts] = {}
    for run_id, context in contexts.items():
        contact = contacts.get(context.contact_id)
        facts: dict[str, Any] = {"previous": context.root_facts.get("previous", {})}
        for kind in catalog.record_types:
            snapshot = context.root_facts.get(kind)
            if snapshot is not None:
                facts[kind] = records.get((kind, snapshot["external_id"]), snapshot)
        if contact is not None:
            facts["contact"] = contact_facts(contact, activity.get(contact.id, {}), now)
            account = accounts.get(contact.attributes.get("account", ""))
            if account is not None:
                facts["account"] = account
        facts["event"] = {
            "id": context.event_id, "source": context.event_source, "source_id": context.event_source_id,
            "type": context.event_type, "subject": context.event_subject,
            "time": format_micros(context.event_time_at), "data": context.event_data,
        }  # fmt: skip
        facts["run"] = {
            "id": context.id, "workflow": context.workflow, "version": context.version,
            "started_at": format_micros(context.started_at), "about": records_about(catalog, context.root_facts),
        }  # fmt: skip
        facts["trigger"] = {"id": context.trigger_id}
        facts["steps"] = outputs.get(run_id, {})
        found[run_id] = RunFacts(context, contact, facts)
    return found


def records_about(catalog: Catalog, facts: Mapping[str, Any]) -> dict[str, str]:
    """The external ids of the records that an event is about, per type."""
    return {kind: facts[kind]["external_id"] for kind in catalog.record_types if "external_id" in facts.get(kind, ())}


def _records(
    unit: Unit, catalog: Catalog, workspace_id: int, contexts: Mapping[str, RunContext]
) -> dict[tuple[str, str], dict[str, Any]]:
    wanted: dict[str, set[str]] = {}
    for context in contexts.values():
        for kind in catalog.record_types:
            snapshot = context.root_facts.get(kind)
            if snapshot is not None:
                wanted.setdefault(kind, set()).add(snapshot["external_id"])
    return {
        (kind, record.external_id): record_facts(record)
        for kind, external_ids in wanted.items()
        for record in unit.customers.records(workspace_id, kind, list(external_ids))
    }


def _outputs(
    unit: Unit, versions: Versions, workspace_id: int, contexts: Mapping[str, RunContext]
) -> dict[str, dict[str, Any]]:
    """What earlier steps left, under their ids. Runs on their first step have none, and cost no statement."""
    compiled = versions.get(unit, workspace_id, list({context.version_id for context in contexts.values()}))
    several = [
        run_id
        for run_id, context in contexts.items()
        if context.version_id in compiled and len(compiled[context.version_id].program.nodes) > 1
    ]
    outputs: dict[str, dict[str, Any]] = {}
    if several:
        for run_id, step_id, outcome, output in unit.runs.outputs(workspace_id, several):
            outputs.setdefault(run_id, {})[step_id] = {
                "outcome": outcome,
                "output": msgspec.json.decode(output) if output else None,
            }
    return outputs
