"""The stage of a world: its engine, its clock, its event loop, and the two ways to its database."""

import asyncio
import itertools
import random
import shutil
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from nhip.bootstrap import Engine
from nhip.catalog import Catalog
from nhip.domain.errors import InvalidInput, NotFound
from nhip.domain.events import EventReceipt, IncomingEvent
from nhip.domain.times import parse_time
from nhip.ports import Unit
from nhip.settings import Settings
from nhip.testing import opening, recording
from nhip.testing.clock import START, VirtualClock
from nhip.testing.clockwork import Clockwork
from nhip.testing.recording import Origin, Recorder

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

ACTOR: Final = "world"
"""Who did it, in the audit log."""
_CLOSED: Final = "a World is open inside `with World() as world:` only"


class Stage:
    """What :class:`nhip.testing.World` stands on: it opens and closes everything, and lets work be done."""

    def __init__(
        self,
        *,
        start: datetime | str = START,
        plugins: Sequence[ModuleType | str] = (),
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        patience: float = 60.0,
    ) -> None:
        self._clock = VirtualClock(moment_of(start))
        self._load = partial(opening.load_catalog, tuple(plugins), tuple(allow), tuple(deny))
        self._patience = patience
        self._numbers = itertools.count(1)
        self._channels: dict[str, str] = {}
        self._recorder = Recorder(self._origin, lambda now: now.astimezone(self._clock.zone))
        self._runner: asyncio.Runner | None = None
        self._folder: Path | None = None
        self._opened: Engine | None = None
        self._clockwork: Clockwork | None = None
        self._workspace_id = 0
        self._last_event: str | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._folder is not None:
            raise RuntimeError("a World is opened once; make another one")
        _stand_alone()
        catalog = self._load()
        catalog = replace(catalog, channels=recording.recording_channels(catalog.channels, self._recorder))
        self._folder = opening.new_folder()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        try:
            self._run(self._open, opening.settings(self._folder), catalog)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine and remove everything."""
        try:
            if self._opened is not None:
                self._run(self._opened.stop)
        finally:
            self._opened = self._clockwork = None
            if self._runner is not None:
                self._runner.close()
                self._runner = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _open(self, settings: Settings, catalog: Catalog) -> None:
        self._opened = await Engine.start(
            settings, migrate=False, embedded=False, catalog=catalog, clock=self._clock,
            database=opening.new_database(),
        )  # fmt: skip
        # The jitter of retries is the same in every run of a story.
        self._opened.execution.chance = random.Random(0).random
        self._workspace_id = await self._opened.database.transact(opening.find_workspace)
        self._clockwork = Clockwork(self._opened, self._workspace_id, self._clock, self._patience)

    @property
    def engine(self) -> Engine:
        """The engine itself, for what has no word here. Its coroutines run on the world's own event loop only."""
        if self._opened is None:
            raise RuntimeError(_CLOSED)
        return self._opened

    @property
    def clockwork(self) -> Clockwork:
        """What moves the clock."""
        if self._clockwork is None:
            raise RuntimeError(_CLOSED)
        return self._clockwork

    # --- the way there ------------------------------------------------------------------------------------------------

    def _run(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Run a coroutine function to its end on the world's own event loop."""
        if self._runner is None:
            raise RuntimeError(_CLOSED)
        _stand_alone()
        return self._runner.run(work(*args))

    def _read(self, look: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return self._run(lambda: self.engine.database.read(look, self._workspace_id, *args, **kwargs))

    def _write(self, change: Callable[[Unit, int], T]) -> T:
        """Change something in one unit, and do what follows."""

        async def write() -> T:
            answer = await self.engine.database.transact(change, self._clock.micros())
            await self.clockwork.settle()
            return answer

        with all_problems():
            return self._run(write)

    async def _submit(self, event: IncomingEvent) -> EventReceipt:
        [receipt] = await self.engine.inbox.submit(self._workspace_id, [event])
        await self.clockwork.settle()
        return receipt

    async def _origin(self, delivery_id: str) -> Origin:
        found = await self.engine.database.read(_delivery, self._workspace_id, delivery_id)
        return Origin(contact=found.contact, template=found.template, workflow=found.workflow)

    def _known(self, channel: str) -> str:
        if channel not in self._channels:
            raise NotFound("channel", channel)
        return channel


def _stand_alone() -> None:
    """See that no event loop runs here; raises ``RuntimeError`` where one does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("a World has an event loop of its own: use it in a plain function, not in an async one")


def moment_of(said: datetime | str) -> datetime:
    """A time with its zone as it was said; raises ``ValueError`` where it has none."""
    if isinstance(said, datetime):
        if said.tzinfo is None:
            raise ValueError("a time needs a zone: 2026-03-02T09:00:00+07:00")
        return said
    parse_time(said)
    return datetime.fromisoformat(said)


def _delivery(unit: Unit, workspace_id: int, delivery_id: str) -> Any:
    return unit.history.delivery(workspace_id, delivery_id)


@contextmanager
def all_problems() -> Iterator[None]:
    """Tell every problem of an input, not the first one alone."""
    try:
        yield
    except InvalidInput as error:
        said = "\n".join(f"{problem.path or 'input'}: {problem.message} [{problem.code}]" for problem in error.problems)
        raise InvalidInput(error.problems, said) from None
