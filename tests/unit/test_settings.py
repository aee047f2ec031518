"""Settings come from options, the environment and a file, in this order, and errors name the variable."""

from pathlib import Path

import pytest

from nhip.domain.errors import InvalidInput
from nhip.settings import MASK, load


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads this folder's `nhip.toml`, and none leaves a data folder behind."""
    monkeypatch.chdir(tmp_path)


def test_without_any_everything_has_a_default(tmp_path: Path) -> None:
    settings = load({})

    assert settings.data_dir == tmp_path / "nhip-data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/nhip-data/nhip.db"
    assert (settings.host, settings.port, settings.redis_url) == ("127.0.0.1", 8300, None)
    assert settings.public_url == "http://127.0.0.1:8300"


def test_options_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "nhip.toml").write_text('port = 1\nhost = "10.0.0.1"\nlease_seconds = 40\n')

    settings = load({"NHIP_PORT": "2", "NHIP_HOST": "10.0.0.2"}, port=3, host=None)

    assert (settings.port, settings.host, settings.lease_seconds) == (3, "10.0.0.2", 40)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert load({"NHIP_ADMIN_KEY": ""}).admin_key is None


def test_a_list_is_separated_by_commas() -> None:
    assert load({"NHIP_PLUGINS_ALLOW": "acme-*, other"}).plugins_allow == ("acme-*", "other")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_a_switch(text: str, value: bool) -> None:
    assert load({"NHIP_ALLOW_PRIVATE_HOSTS": text}).allow_private_hosts is value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("NHIP_PORT", "many"),
        ("NHIP_PORT", "70000"),
        ("NHIP_ALLOW_PRIVATE_HOSTS", "perhaps"),
        ("NHIP_LEASE_SECONDS", "-1"),
        ("NHIP_LEASE_SECONDS", "12"),
        ("NHIP_LOG_LEVEL", "loud"),
        ("NHIP_DATABASE_URL", "mysql://db"),
        ("NHIP_REDIS_URL", "http://redis"),
        ("NHIP_PUBLIC_URL", "ftp://here"),
        ("NHIP_SECRET_KEY", "short"),
        ("NHIP_DATA_DIR", "/proc/nothing/here"),
        ("NHIP_CONFIG", "no-such.toml"),
    ],
)
def test_an_error_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load({variable: text})

    assert caught.value.problems[0].path == variable


def test_a_file_may_not_name_what_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "nhip.toml").write_text("prot = 1\n")

    with pytest.raises(InvalidInput, match=r"nhip\.toml: prot"):
        load({})


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "nhip.toml").write_text("port = = 1\n")

    with pytest.raises(InvalidInput, match=r"nhip\.toml"):
        load({})


@pytest.mark.parametrize(
    ("host", "public"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("10.1.2.3", False)]
)
def test_documents_are_public_on_this_machine_alone(host: str, public: bool) -> None:
    assert load({"NHIP_HOST": host}).docs_public is public


def test_what_is_shown_holds_no_secret() -> None:
    settings = load(
        {
            "NHIP_ADMIN_KEY": "nhip_0123456789ab_hush",
            "NHIP_SECRET_KEY": "hush" * 10,
            "NHIP_DATABASE_URL": "postgresql+asyncpg://me:hush@db:5432/nhip",
            "NHIP_REDIS_URL": "redis://:hush@cache:6379/0",
        }
    )

    shown = settings.masked()

    assert "hush" not in str(shown)
    assert shown["database_url"] == f"postgresql+asyncpg://me:{MASK}@db:5432/nhip"
    assert set(shown) == set(settings.__struct_fields__)
