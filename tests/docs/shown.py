"""What a page shows as an answer, compared with the answer itself.

``…`` stands for what differs from machine to machine: as a value for any value, within a text for any part of it, as
the key of an object for any further members, as the last item of a list for any further items.
"""

import re
from collections.abc import Iterator
from typing import Any

ANYTHING = "…"


def differences(shown: Any, found: Any, place: str = "$") -> Iterator[str]:
    """Say where an answer is not what is shown."""
    if shown == ANYTHING:
        return
    if isinstance(shown, dict) and isinstance(found, dict):
        yield from _in_objects(shown, found, place)
    elif isinstance(shown, list) and isinstance(found, list):
        yield from _in_lists(shown, found, place)
    elif isinstance(shown, str) and isinstance(found, str):
        pattern = ".*".join(re.escape(part) for part in shown.split(ANYTHING))
        if not re.fullmatch(pattern, found, re.DOTALL):
            yield f"{place}: the page shows {shown!r}, the answer has {found!r}"
    elif type(shown) is not type(found) or shown != found:
        yield f"{place}: the page shows {shown!r}, the answer has {found!r}"


def _in_objects(shown: dict[str, Any], found: dict[str, Any], place: str) -> Iterator[str]:
    for name in shown.keys() - found.keys() - {ANYTHING}:
        yield f"{place}.{name}: the page shows it, the answer lacks it"
    if ANYTHING not in shown:
        for name in found.keys() - shown.keys():
            yield f"{place}.{name}: the answer has it, the page neither shows it nor says that there is more"
    for name in shown.keys() & found.keys():
        yield from differences(shown[name], found[name], f"{place}.{name}")


def _in_lists(shown: list[Any], found: list[Any], place: str) -> Iterator[str]:
    more = shown[-1:] == [ANYTHING]
    wanted = shown[:-1] if more else shown
    if len(found) < len(wanted) or (len(found) > len(wanted) and not more):
        yield f"{place}: the page shows {len(wanted)} items, the answer has {len(found)}"
        return
    for position, (one, other) in enumerate(zip(wanted, found, strict=False)):
        yield from differences(one, other, f"{place}[{position}]")
