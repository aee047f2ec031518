"""The names that templates and conditions may use: what facts can have at their roots, and which fields there."""

from collections.abc import Mapping

from nhip.catalog import Catalog
from nhip.domain.customers import CONTACT_FIELDS, CONTACT_READ_ONLY
from nhip.engine.definitions.reading import ENGINE_ROOTS

_RECORD_FIELDS = frozenset(
    {"id", "external_id", "contact", "status", "custom", "created_at", "updated_at", "closed_at"}
)
_EVENT_FIELDS = frozenset({"id", "source", "source_id", "type", "subject", "time", "data"})
_RUN_FIELDS = frozenset({"id", "workflow", "version", "started_at", "about"})


def template_roots(catalog: Catalog) -> frozenset[str]:
    """What a template may name first; ``data`` is what the step hands it."""
    return frozenset({*ENGINE_ROOTS, *catalog.record_types, "data"})


def known_fields(catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Per root, the fields that it can have; a root that is not in it can have any."""
    records = {
        kind: _RECORD_FIELDS | frozenset(plugin.fields_type.__struct_fields__)
        for kind, plugin in catalog.record_types.items()
    }
    return {
        "contact": CONTACT_FIELDS | CONTACT_READ_ONLY,
        "event": _EVENT_FIELDS,
        "run": _RUN_FIELDS,
        "trigger": frozenset({"id"}),
        "previous": frozenset({"contact", *catalog.record_types}),
        **records,
    }
