"""Read the settings of a definition: how contacts enter and leave, and what is measured."""

from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from nhip.domain.conditions import All, Node
from nhip.domain.workflow import Conversion, ExitWhen, Mode, Reentry, Settings, TimeSaved
from nhip.engine.conditions.decide import NO_CUSTOMS, fields_of, judge
from nhip.engine.definitions.reading import Reading

_SETTINGS: Final = frozenset(
    {"reentry", "mode", "conversion", "exit_when", "holdout_percent", "expires_after", "time_saved"}
)
_MOST_EXITS: Final = 20
_MOST_MINUTES: Final = 10_000
_MOST_WASTE: Final = 500


def read_settings(reading: Reading, raw: Any, conditions: Node | None) -> Settings:
    """The settings; ``conditions`` are those under which contacts enter."""
    if not isinstance(raw, dict):
        reading.fault("settings", "bad_value", "settings are an object")
        return Settings()
    reading.unknown(raw, _SETTINGS, "settings")
    mode = raw.get("mode", Mode.PARALLEL)
    if mode not in tuple(Mode):
        reading.fault("settings.mode", "bad_value", f"mode is one of {', '.join(Mode)}")
        mode = Mode.PARALLEL
    if raw.get("holdout_percent", 0) != 0:
        reading.fault("settings.holdout_percent", "not_allowed", "this version of Nhịp has no holdout; set it to 0")
    expires = raw.get("expires_after")
    return Settings(
        reentry=_reentry(reading, raw.get("reentry", "every_event")),
        mode=Mode(mode),
        conversion=_conversion(reading, raw.get("conversion")),
        exit_when=_exits(reading, raw.get("exit_when", []), conditions),
        expires_after=reading.duration(expires, "settings.expires_after") if expires is not None else None,
        time_saved=read_time_saved(reading, raw.get("time_saved")),
    )


def read_time_saved(reading: Reading, raw: Any) -> TimeSaved | None:
    """What a person would have needed for one run."""
    if raw is None:
        return None
    path = "settings.time_saved"
    if not isinstance(raw, dict):
        reading.fault(path, "bad_value", 'time saved is {"minutes": 12, "waste_percent": 20}')
        return None
    reading.unknown(raw, {"minutes", "waste_percent"}, path)
    minutes, waste = raw.get("minutes"), raw.get("waste_percent", 0)
    if not _is_number(minutes) or not 0 < minutes <= _MOST_MINUTES:
        reading.fault(f"{path}.minutes", "bad_value", f"minutes are a number above 0, at most {_MOST_MINUTES:,}")
        return None
    if not _is_number(waste) or not 0 <= waste <= _MOST_WASTE:
        reading.fault(f"{path}.waste_percent", "bad_value", f"waste is a number of percent from 0 to {_MOST_WASTE}")
        return None
    return TimeSaved(minutes=minutes, waste_percent=waste)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _reentry(reading: Reading, raw: Any) -> Reentry:
    if raw == "every_event":
        return Reentry()
    if raw == "once":
        return Reentry(once=True)
    if isinstance(raw, dict) and set(raw) == {"after"}:
        return Reentry(after=reading.duration(raw["after"], "settings.reentry.after"))
    reading.fault("settings.reentry", "bad_value", 'reentry is every_event, once or {"after": "P30D"}')
    return Reentry()


def _conversion(reading: Reading, raw: Any) -> Conversion | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or set(raw) != {"event", "within"} or not isinstance(raw["event"], str):
        reading.fault("settings.conversion", "bad_value", 'a conversion is {"event": "order.created", "within": "P7D"}')
        return None
    within = reading.duration(raw["within"], "settings.conversion.within")
    return Conversion(event=raw["event"], within=within) if within is not None else None


def _exits(reading: Reading, raw: Any, conditions: Node | None) -> tuple[ExitWhen, ...]:
    if not isinstance(raw, list) or len(raw) > _MOST_EXITS:
        reading.fault("settings.exit_when", "bad_value", f"exit_when is a list of up to {_MOST_EXITS}")
        return ()
    found = []
    for position, item in enumerate(raw):
        path = f"settings.exit_when[{position}]"
        if not isinstance(item, dict) or ("event" not in item and item.get("where") is None):
            reading.fault(path, "bad_value", 'what ends a run is {"event": …}, {"where": {…}}, or both')
            continue
        reading.unknown(item, {"event", "where"}, path)
        events = reading.event_types(item["event"], f"{path}.event") if "event" in item else ()
        where = reading.condition(item["where"], f"{path}.where") if item.get("where") is not None else None
        if not events and where is not None and _holds_always(where, conditions):
            reading.fault(f"{path}.where", "always_holds", "this ends every run before its first step")
        if not events and where is None:
            continue  # told already
        found.append(ExitWhen(events=events, where=where))
    return tuple(found)


def _holds_always(where: Node, conditions: Node | None) -> bool:
    """Whether a condition reads nothing and holds, or is among those under which contacts enter."""
    if not fields_of(where):
        try:
            return judge(where, {}, datetime(2026, 1, 1, tzinfo=UTC), "", NO_CUSTOMS).holds
        except KeyError:  # a plugin's condition, which may read what it likes
            return False
    entering = conditions.items if isinstance(conditions, All) else (conditions,)
    return all(part in entering for part in (where.items if isinstance(where, All) else (where,)))
