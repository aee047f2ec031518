"""Plugin conditions as the pure engine calls them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nhip.catalog import Catalog
from nhip.domain.verdict import Verdict
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import Condition


def custom_conditions(catalog: Catalog) -> CustomConditions:
    """Every condition plugin of the catalog, as a function of configuration, facts and time."""
    return {kind: _check(plugin()) for kind, plugin in catalog.conditions.items()}


def _check(plugin: Condition) -> Any:
    def check(config: Mapping[str, Any], facts: Mapping[str, Any], now: datetime) -> Verdict:
        return plugin.check(convert(config, plugin.config_type, "config"), facts, now)

    return check
