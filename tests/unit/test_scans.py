"""What names a scan stays what it was."""

from typing import Any

import msgspec
import pytest

from nhip.domain.scans import (
    Cron,
    DateScan,
    Missed,
    Repetition,
    Scan,
    SegmentScan,
    SilenceScan,
    TickScan,
    goes_on,
    scan_key,
)
from nhip.domain.struct import Struct

NINE = Cron(expression="0 9 * * *", timezone="Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("scan", "key"),
    [
        (SilenceScan(activity="order", days=30, when=NINE), "silence:0c9d5de6dfd6337d55ca"),
        (
            DateScan(field="contact.birthday", days=0, at="09:00", timezone="contact", every=Repetition.YEARLY),
            "date:95f6ab1f6a2232685776",
        ),
        (DateScan(field="a.b", days=0, at="09:00", timezone="contact"), "date:af2193ebcff5d0cc2139"),
        (TickScan(when=NINE), "tick:3f87ebae6106f8ca0dd8"),
        (TickScan(when=NINE, missed=Missed.ALL, segment="vip"), "tick:7ad7443d4e37149f5fea"),
        (SegmentScan(segment="vip", when=NINE), "segment:74d84f6b02fc81954027"),
    ],
)
def test_keys_are_stored_and_never_change(scan: Scan, key: str) -> None:
    assert scan_key(scan) == key


class LaterCron(Struct):
    """A part of a scan that a later version knows more of."""

    expression: str
    timezone: str
    seconds: int = 0


class LaterScan(Struct, tag="silence"):
    """A scan that a later version knows more of."""

    activity: str
    days: int
    when: LaterCron
    weekdays: tuple[int, ...] = ()


def test_a_field_that_is_added_changes_no_key_until_it_is_used() -> None:
    before = SilenceScan(activity="order", days=30, when=NINE)
    told = msgspec.to_builtins(before)
    after = msgspec.convert(told, LaterScan)
    used = msgspec.structs.replace(after, weekdays=(1,))
    deeper = msgspec.structs.replace(after, when=msgspec.structs.replace(after.when, seconds=5))
    keys: list[Any] = [after, used, deeper]
    assert len({scan_key(one) for one in keys}) == 3
    assert scan_key(keys[0]) == scan_key(before)
    assert all(goes_on(told, one) for one in keys)
    assert not goes_on(told, msgspec.structs.replace(used, days=31))
    assert not goes_on(msgspec.to_builtins(used), before)
