"""Read the waits of a definition."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from nhip.domain.times import parse_time
from nhip.domain.workflow import WaitEvent, WaitFor, Waiting, WaitUntil, WaitWindow
from nhip.engine.definitions.reading import Reading

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_WAIT: Final = timedelta(days=365)
"""How long a wait for an event lasts that has no time-out."""
_FORMS: Final = {
    "for": frozenset({"for"}),
    "until": frozenset({"until", "offset", "at", "timezone"}),
    "window": frozenset({"window"}),
    "event": frozenset({"event", "where", "timeout"}),
}


def read_wait(reading: Reading, raw: Any, path: str) -> Waiting | None:
    """What a step waits for, or ``None`` after noting why not."""
    forms = [form for form in _FORMS if form in raw] if isinstance(raw, dict) else []
    if len(forms) != 1:
        reading.fault(
            path, "bad_value",
            'a wait is {"for": "P1D"}, {"until": …}, {"window": {…}} or {"event": …}, one of them',
        )  # fmt: skip
        return None
    [form] = forms
    reading.unknown(raw, _FORMS[form], path)
    match form:
        case "for":
            duration = reading.duration(raw["for"], f"{path}.for")
            return None if duration is None else WaitFor(duration=duration)
        case "until":
            return _until(reading, raw, path)
        case "window":
            return _window(reading, raw["window"], f"{path}.window")
        case _:
            return _event(reading, raw, path)


def _until(reading: Reading, raw: Mapping[str, Any], path: str) -> Waiting | None:
    said = raw["until"]
    offset = reading.signed_duration(raw["offset"], f"{path}.offset") if "offset" in raw else timedelta()
    at = reading.clock(raw["at"], f"{path}.at") if "at" in raw else None
    timezone = reading.timezone(raw.get("timezone", "contact"), f"{path}.timezone")
    if not isinstance(said, str) or not said:
        reading.fault(f"{path}.until", "bad_value", "a time, a date or a field's path is needed here")
        return None
    moment, day, field = None, None, None
    if said[:1].isdigit():
        try:
            if len(said) == len("2026-12-24"):
                day = date.fromisoformat(said).isoformat()
            else:
                moment = parse_time(said)
        except ValueError as error:
            reading.fault(f"{path}.until", "bad_value", str(error))
            return None
    elif said.partition(".")[0] not in reading.roots or not all(said.split(".")):
        message = f"{said!r} is neither a time nor the path of a field that begins with contact, order, event, …"
        reading.fault(f"{path}.until", "unknown_field", message)
        return None
    else:
        field = said
    if offset is None:
        return None
    sign = -1 if offset < timedelta() else 1
    return WaitUntil(
        moment=moment, day=day, field=field, days=sign * abs(offset).days,
        offset=sign * (abs(offset) - timedelta(days=abs(offset).days)), at=at, timezone=timezone,
    )  # fmt: skip


def _window(reading: Reading, raw: Any, path: str) -> Waiting | None:
    if not isinstance(raw, dict):
        reading.fault(path, "bad_value", 'a window is {"days": ["mon"], "from": "08:00", "to": "20:00"}')
        return None
    reading.unknown(raw, {"days", "from", "to", "timezone", "holidays"}, path)
    opens, closes = reading.clock(raw.get("from"), f"{path}.from"), reading.clock(raw.get("to"), f"{path}.to")
    days = raw.get("days", list(DAYS))
    if not isinstance(days, list) or not days or not all(isinstance(day, str) and day in DAYS for day in days):
        reading.fault(f"{path}.days", "bad_value", f"days are a list of {', '.join(DAYS)}")
        days = []
    timezone = reading.timezone(raw.get("timezone", "contact"), f"{path}.timezone")
    holidays = raw.get("holidays", True)
    if not isinstance(holidays, bool):
        reading.fault(f"{path}.holidays", "bad_value", "true or false says whether the hours also hold on holidays")
        return None
    if opens is None or closes is None or not days:
        return None
    if opens == closes:
        reading.fault(f"{path}.to", "bad_value", "a window ends at another time than it begins")
        return None
    numbers = tuple(sorted({DAYS.index(day) for day in days}))
    return WaitWindow(from_=opens, to=closes, days=numbers, timezone=timezone, holidays=holidays)


def _event(reading: Reading, raw: Mapping[str, Any], path: str) -> Waiting | None:
    events = reading.event_types(raw["event"], f"{path}.event")
    where = reading.condition(raw["where"], f"{path}.where") if raw.get("where") is not None else None
    timeout = reading.duration(raw["timeout"], f"{path}.timeout") if "timeout" in raw else LONGEST_WAIT
    if not events or timeout is None:
        return None
    return WaitEvent(events=events, where=where, timeout=timeout)
