"""Records are found by the index that begins with what tells them apart.

A planner that knows nothing yet of a young database takes every index for equally good, and by another one it read all
records of a type for each event.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

_BEFORE = ("uq_records_workspace_id_type_external_id", ["workspace_id", "type", "external_id"])
_AFTER = ("uq_records_external_id_type_workspace_id", ["external_id", "type", "workspace_id"])


def upgrade() -> None:
    _replace(_BEFORE, _AFTER)


def downgrade() -> None:
    _replace(_AFTER, _BEFORE)


def _replace(old: tuple[str, list[str]], new: tuple[str, list[str]]) -> None:
    with op.batch_alter_table("records") as records:
        records.drop_constraint(old[0], type_="unique")
        records.create_unique_constraint(*new)
