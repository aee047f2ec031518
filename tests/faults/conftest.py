"""What the fault tests share: a nursery of processes, and stages to put them on."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.faults import providers
from tests.faults.nursery import Nursery
from tests.faults.stage import Stage


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts processes of the program; the imports are paid once."""
    with Nursery() as started:
        yield started


class MakeStage(Protocol):
    """Makes a stage for a delivery class; the settings are those of the program."""

    def __call__(
        self, delivery_class: str, *, apis: int = 1, canary: str | None = None, **settings: Any
    ) -> AbstractAsyncContextManager[Stage]: ...


StageMaker = Callable[[str, str | None], MakeStage]


@pytest.fixture
def stage_over(nursery: Nursery, tmp_path: Path) -> StageMaker:
    """Makes stages over a database and a Redis, by their addresses."""

    def over(database_url: str, redis_url: str | None) -> MakeStage:
        @contextlib.asynccontextmanager
        async def make(
            delivery_class: str, *, apis: int = 1, canary: str | None = None, **settings: Any
        ) -> AsyncIterator[Stage]:
            async with (
                providers.running(delivery_class, tmp_path) as provider,
                Stage(
                    nursery, database_url, redis_url, tmp_path, provider, apis=apis, canary=canary, **settings
                ) as stage,
            ):
                yield stage

        return make

    return over


@pytest.fixture
def make_stage(stage_over: StageMaker, database_url: str, valkey_url: str) -> MakeStage:
    """Makes stages: one run of the test on SQLite, one on PostgreSQL, with a Redis that is running and empty."""
    return stage_over(database_url, valkey_url)
