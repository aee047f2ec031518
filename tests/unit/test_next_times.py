"""When time sets a workflow off next."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from nhip.catalog import Catalog
from nhip.cli import main
from nhip.engine.definitions.definition import compile_definition
from nhip.engine.definitions.next_times import NextTimes, next_times

CATALOG = Catalog.load()


def triggers(*said: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "w",
        "triggers": [{"id": f"t{n}", "type": kind, "config": config} for n, (kind, config) in enumerate(said)],
        "steps": [{"id": "mark", "action": "update_contact", "config": {"add_tags": ["VIP"]}}],
    }


def test_the_next_times_by_the_clocks_of_their_places() -> None:
    definition = triggers(
        ("schedule", {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}),
        ("dormancy", {"bands": [30, 60]}),
        ("event", {"type": "shop.opened"}),
        ("birthday", {"at": "08:00"}),
        ("segment_entered", {"segment": "vips", "at": "07:15", "timezone": "America/New_York"}),
        ("schedule", {"cron": "0 9 29 2 *"}),
    )
    found = next_times(compile_definition(definition, CATALOG), datetime(2026, 3, 27, 12, tzinfo=UTC))
    vietnam = [f"2026-03-{day}T{{}}:00+07:00" for day in range(28, 32)]
    assert found == (
        NextTimes(
            trigger="t0", timezone="Europe/Berlin",
            times=(  # on the 29th clocks go from 02:00 to 03:00
                "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00",
                "2026-03-31T02:30:00+02:00", "2026-04-01T02:30:00+02:00",
            ),
        ),
        NextTimes(
            trigger="t1", timezone="Asia/Ho_Chi_Minh",
            times=(*(one.format("09:00") for one in vietnam), "2026-04-01T09:00:00+07:00"),
        ),
        NextTimes(
            trigger="t3", timezone="contact",
            times=(*(one.format("08:00") for one in vietnam), "2026-04-01T08:00:00+07:00"),
        ),
        NextTimes(
            trigger="t4", timezone="America/New_York",
            times=(*(f"2026-03-{day}T07:15:00-04:00" for day in range(28, 32)), "2026-04-01T07:15:00-04:00"),
        ),
        NextTimes(
            trigger="t5", timezone="Asia/Ho_Chi_Minh",
            times=tuple(f"{year}-02-29T09:00:00+07:00" for year in range(2028, 2048, 4)),
        ),
    )  # fmt: skip


def test_the_command_line_tells_them_too(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text(json.dumps(triggers(("schedule", {"cron": "0 9 * * *"}))))
    [told] = json.loads(CliRunner().invoke(main, ["workflows", "validate", str(file), "--json"]).output)
    [times] = told["next_times"]
    assert (times["trigger"], times["timezone"], len(times["times"])) == ("t0", "Asia/Ho_Chi_Minh", 5)
    said = CliRunner().invoke(main, ["workflows", "validate", str(file)]).output
    assert f"  t0 (Asia/Ho_Chi_Minh): {times['times'][0]}, " in said
