"""F1: whatever the point at which a process dies, nothing is lost and nothing goes out twice."""

import pytest

from tests.faults.conftest import MakeStage
from tests.faults.crashing import IN_FLIGHT, LAST, applies, crash_all, crash_once
from tests.faults.providers import CLASSES

CELLS = [(point, name) for point in LAST for name in CLASSES if applies(point, name)]


@pytest.mark.parametrize(
    ("delivery_class", "positions"), [("dedupes", (0, 2, 1)), ("traceable", (1, 0, 2)), ("blind", (2, 1, 0))]
)
async def test_every_point_in_turn(make_stage: MakeStage, delivery_class: str, positions: tuple[int, ...]) -> None:
    async with make_stage(delivery_class, max_in_flight=IN_FLIGHT) as stage:
        print(f"recovered within {await crash_all(stage, positions):.1f} s")


@pytest.mark.full
@pytest.mark.parametrize("position", ["first", "second", "late"])
@pytest.mark.parametrize(("point", "delivery_class"), CELLS)
async def test_one_point(make_stage: MakeStage, point: str, delivery_class: str, position: str) -> None:
    nth = {"first": 1, "second": 2, "late": LAST[point]}[position]
    async with make_stage(delivery_class, max_in_flight=IN_FLIGHT) as stage:
        print(f"recovered within {await crash_once(stage, point, nth):.1f} s")
