"""The guard of the integration suite notices a statement that forgets the workspace."""

import pytest

from tests.support.workspace_guard import ALLOWED, is_confined


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM contacts WHERE id = $1",
        "SELECT id, workspace_id FROM contacts WHERE phone = $1",
        "UPDATE contacts SET score = 1",
        "DELETE FROM events WHERE id = ?",
        "INSERT INTO contacts (id, external_id) VALUES (?, ?)",
        "SELECT 1 FROM runs r JOIN steps s ON s.run_id = r.id WHERE r.id = ?",
    ],
)
def test_a_stray_is_noticed(statement: str) -> None:
    assert not is_confined(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM contacts WHERE workspace_id = $1 AND id = $2",
        "SELECT id FROM contacts WHERE id = $2 AND +workspace_id = $1",
        'UPDATE contacts SET score = 1 FROM unnest($1) v WHERE contacts."workspace_id" = v.v0',
        'INSERT INTO contacts ("id", "workspace_id") SELECT * FROM unnest($1, $2)',
        "SELECT 1",
        "SELECT publish_version FROM workspaces WHERE id = $1",
        "BEGIN IMMEDIATE",
    ],
)
def test_a_confined_one_passes(statement: str) -> None:
    assert is_confined(statement)


def test_every_exception_has_its_reason() -> None:
    assert all(ALLOWED.values())
