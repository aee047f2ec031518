"""What Prometheus is told of the doorbell."""

from pathlib import Path

import pytest

from nhip.adapters.db import Database
from nhip.adapters.doorbell import Bell
from nhip.bootstrap import Engine
from nhip.settings import load
from nhip_admin_api.telemetry import Telemetry
from tests.support.ports import free_port
from tests.support.world import SECRET_KEY, catalog


@pytest.mark.parametrize(("redis", "told"), [(False, []), (True, ["nhip_doorbell_up 0.0"])])
async def test_a_doorbell_that_is_not_there_is_no_alarm(
    sqlite_url: str, tmp_path: Path, redis: bool, told: list[str]
) -> None:
    bell = Bell(f"redis://127.0.0.1:{free_port()}" if redis else None)
    settings = load({}, data_dir=tmp_path, database_url=sqlite_url, secret_key=SECRET_KEY)
    engine = Engine(settings, catalog=catalog(), database=Database.open(sqlite_url), doorbell=bell)
    try:
        text = (await Telemetry().render(engine)).decode()
    finally:
        await engine.stop()
    assert [line for line in text.splitlines() if line.startswith("nhip_doorbell_up")] == told
    assert "# TYPE nhip_doorbell_up gauge" in text
