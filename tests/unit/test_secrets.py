"""Sealed secrets open with the right key, in the right place, and nowhere else."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nhip.adapters.secrets import KEY_FILE, SealBroken, Vault
from nhip.domain.errors import InvalidInput

OLD = "o" * 40
NEW = "n" * 40
SECRETS = {"access_token": "mã-bí-mật", "refresh_token": "r-1"}


def test_what_is_sealed_opens_in_its_place_and_hides_its_content() -> None:
    vault = Vault([NEW])
    sealed = vault.seal(7, "zns-main", SECRETS)
    assert vault.open(7, "zns-main", sealed) == SECRETS
    assert "r-1" not in sealed
    assert vault.seal(7, "zns-main", SECRETS) != sealed


@pytest.mark.parametrize(("workspace_id", "name"), [(8, "zns-main"), (7, "zns-other")])
def test_a_row_moved_elsewhere_does_not_open(workspace_id: int, name: str) -> None:
    vault = Vault([NEW])
    with pytest.raises(SealBroken):
        vault.open(workspace_id, name, vault.seal(7, "zns-main", SECRETS))


def test_a_new_key_in_front_still_opens_the_old_and_seals_anew() -> None:
    sealed = Vault([OLD]).seal(1, "a", SECRETS)
    rotated = Vault([NEW, OLD])
    assert rotated.open(1, "a", sealed) == SECRETS
    assert Vault([NEW]).open(1, "a", rotated.seal(1, "a", SECRETS)) == SECRETS
    with pytest.raises(SealBroken):
        Vault([NEW]).open(1, "a", sealed)


@pytest.mark.parametrize("damage", [lambda text: text[:-9] + "A" * 9, lambda text: "x", lambda text: text[:40]])
def test_damage_is_told_and_never_a_crash(damage: "object") -> None:
    sealed = Vault([NEW]).seal(1, "a", SECRETS)
    with pytest.raises(SealBroken):
        Vault([NEW]).open(1, "a", damage(sealed))  # type: ignore[operator]


def test_nothing_stored_is_no_secrets() -> None:
    assert Vault([NEW]).open(1, "a", "") == {}


def test_a_key_that_anybody_could_guess_is_refused() -> None:
    with pytest.raises(InvalidInput):
        Vault(["short"])
    with pytest.raises(InvalidInput):
        Vault([])


def test_a_key_is_generated_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    sealed = Vault.from_settings(None, folder).seal(1, "a", SECRETS)
    assert Vault.from_settings("", folder).open(1, "a", sealed) == SECRETS
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_the_settings_win_and_may_name_several_keys(tmp_path: Path) -> None:
    sealed = Vault([OLD]).seal(1, "a", SECRETS)
    assert Vault.from_settings(f"{NEW}, {OLD}", tmp_path).open(1, "a", sealed) == SECRETS
    assert list(tmp_path.iterdir()) == []


def test_those_who_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: Vault.from_settings(None, tmp_path), range(16)))
    sealed = vaults[0].seal(1, "a", SECRETS)
    assert all(vault.open(1, "a", sealed) == SECRETS for vault in vaults)
