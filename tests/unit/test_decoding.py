"""Whatever does not fit a type is told with every fault, each at its place and in words that say what would fit."""

import gc
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import UNSET, Meta, UnsetType

from nhip.domain.errors import InvalidInput
from nhip.engine.facts.decoding import convert

Clock = Annotated[str, Meta(pattern=r"^\d\d:\d\d$")]


class Missed(StrEnum):
    SKIP = "skip"
    LAST = "last"


class Way(msgspec.Struct, forbid_unknown_fields=True):
    weight: int
    name: Annotated[str, Meta(max_length=3)] | None = None


class Config(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    name: str
    from_: Annotated[Clock, Meta(description="When it opens, as HH:MM.")] = "08:00"
    times: Annotated[tuple[Clock, ...], Meta(description="Times of day.", max_length=3)] = ()
    missed: Missed = Missed.LAST
    operator: Literal["above", "below"] | UnsetType = UNSET
    ways: list[Way] = []
    plan: dict[str, int] | None = None
    event: Clock | Annotated[tuple[Clock, ...], Meta(max_length=2)] = ()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"name": "a", "from": "8"}, [("from", "this is not what belongs here: When it opens, as HH:MM.")]),
        ({"name": "a", "times": ["08:00", "8"]}, [("times[1]", "this is not what belongs here: Times of day.")]),
        ({"name": "a", "times": ["08:00"] * 4}, [("times", "Expected `array` of length <= 3")]),
        ({"name": "a", "missed": "all"}, [("missed", "'all' is none of skip, last")]),
        ({"name": "a", "operator": "at"}, [("operator", "'at' is none of above, below")]),
        ({"name": "a", "plan": {"x y": "1", "z": 2}}, [("plan.x y", "Expected `int`, got `str`")]),
        (
            {"from": 8, "ways": [{"weight": 1}, {"weight": "1", "name": "long", "x": 1}, 3, {}], "too": 1},
            [
                ("from", "Expected `str`, got `int`"),
                ("ways[1].weight", "Expected `int`, got `str`"),
                ("ways[1].name", "Expected `str` of length <= 3"),
                ("ways[1].x", "Object contains unknown field `x`"),
                ("ways[2]", "Expected `object`, got `int`"),
                ("ways[3].weight", "Object missing required field `weight`"),
                ("too", "Object contains unknown field `too`"),
                ("name", "Object missing required field `name`"),
            ],
        ),
        ([], [("", "Expected `object`, got `array`")]),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_every_fault_is_told_at_its_place(raw: Any, expected: list[tuple[str, str]]) -> None:
    for prefix in ("", "config"):
        with pytest.raises(InvalidInput) as refused:
            convert(raw, Config, prefix)
        places = [".".join(filter(None, (prefix, path))) for path, _ in expected]
        assert [problem.path for problem in refused.value.problems] == places
        assert [problem.message for problem in refused.value.problems] == [message for _, message in expected]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a", "08:00", "skip", "above"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*Config.__struct_encode_fields__, *Way.__struct_fields__]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


def test_types_that_msgspec_frees_too_often_are_kept() -> None:
    for raw in (["8", 8], "8", 8) * 20:
        with pytest.raises(InvalidInput):
            convert({"name": "a", "event": raw}, Config)
        gc.collect()


@given(VALUES)
def test_what_does_not_fit_has_a_fault(raw: Any) -> None:
    try:
        msgspec.convert(raw, Config)
    except msgspec.ValidationError:
        with pytest.raises(InvalidInput) as refused:
            convert(raw, Config)
        assert refused.value.problems
