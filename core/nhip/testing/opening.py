"""What every world begins with: a database that carries the tables already, the catalog, and settings of its own."""

import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from nhip.adapters.db.memory import MemoryDatabase
from nhip.catalog import Catalog
from nhip.domain.errors import PluginRefused
from nhip.ports import Unit
from nhip.settings import Settings

WORKSPACE: Final = "world"
_SECRET_KEY: Final = "what a world seals is known to everybody"  # noqa: S105
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  (only a folder of our own in it, with a name that nobody can know)


def new_folder() -> Path:
    """A folder for one world, for what its plugins may keep in files: in memory where the system has such a place."""
    return Path(tempfile.mkdtemp(prefix="nhip-world-", dir=_MEMORY if _MEMORY.is_dir() else None))


def new_database() -> MemoryDatabase:
    """A database with the newest schema and nothing else."""
    return _template().copy()


@cache
def _template() -> MemoryDatabase:
    """Migrating takes as long as some hundred copies, so it is done once in a process."""
    return MemoryDatabase.migrated()


def find_workspace(unit: Unit) -> int:
    """The one workspace of a world, which is made where it is not there yet."""
    found = unit.workspaces.by_name(WORKSPACE) or unit.workspaces.insert(WORKSPACE, "", 0)
    return found.id


def settings(folder: Path) -> Settings:
    """Settings that depend on no file and no variable of whoever runs the test."""
    return Settings(
        data_dir=folder,
        database_url="sqlite+aiosqlite:///:memory:",
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
