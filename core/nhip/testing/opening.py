"""What every world begins with: a database that carries the tables already, the catalog, and settings of its own."""

import asyncio
import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from nhip.adapters.db import Database, upgrade
from nhip.catalog import Catalog
from nhip.domain.errors import PluginRefused
from nhip.ports import Unit
from nhip.settings import Settings

WORKSPACE: Final = "world"
_DATABASE: Final = "nhip.db"
_SECRET_KEY: Final = "what a world seals is known to everybody"  # noqa: S105
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  (only a folder of our own in it, with a name that nobody can know)


def new_folder() -> Path:
    """A folder for one world: in memory where the system has such a place, as nothing in it shall outlive the test."""
    return Path(tempfile.mkdtemp(prefix="nhip-world-", dir=_MEMORY if _MEMORY.is_dir() else None))


def lay_database(folder: Path) -> str:
    """Put a database with the newest schema and one workspace into a folder; answers its address."""
    shutil.copyfile(_template() / _DATABASE, folder / _DATABASE)
    return _url(folder)


@cache
def _template() -> Path:
    """Migrating takes as long as a hundred copies, so it is done once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="nhip-world-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(_make(folder))
    return folder


async def _make(folder: Path) -> None:
    await upgrade(_url(folder))
    database = Database.open(_url(folder))
    try:
        await database.transact(_first_workspace)
    finally:
        await database.close()


def _first_workspace(unit: Unit) -> int:
    return unit.workspaces.insert(WORKSPACE, "", 0).id


def _url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / _DATABASE}"


def settings(folder: Path, database_url: str) -> Settings:
    """Settings that depend on no file and no variable of whoever runs the test."""
    return Settings(
        data_dir=folder,
        database_url=database_url,
        public_url="http://world.invalid",
        docs_public=False,
        secret_key=_SECRET_KEY,
        allow_private_hosts=True,
    )


@cache
def load_catalog(plugins: tuple[ModuleType | str, ...], allow: tuple[str, ...], deny: tuple[str, ...]) -> Catalog:
    """Every installed plugin that may load, and these modules.

    Raises:
        PluginRefused: one of these modules cannot be loaded.
    """
    catalog = Catalog.load(allow=allow, deny=deny, extra_modules=plugins)
    given = {plugin if isinstance(plugin, str) else plugin.__name__ for plugin in plugins}
    failed = [one for one in catalog.plugins if one.module in given and one.state != "loaded"]
    if failed:
        raise PluginRefused("\n".join(f"{one.module}: {one.reason}" for one in failed))
    return catalog
