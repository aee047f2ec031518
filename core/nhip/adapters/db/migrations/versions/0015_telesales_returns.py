"""Entries that agents took and say nothing of go back: when, how often that was, and who had them."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"

_OPEN = "closed_at IS NULL"
_GOES_BACK = "closed_at IS NULL AND back_at IS NOT NULL"
_HOLD_MINUTES = 60


def upgrade() -> None:
    op.add_column("telesales_campaigns", sa.Column("hold_minutes", sa.Integer(), nullable=True))
    op.execute(f"UPDATE telesales_campaigns SET hold_minutes = {_HOLD_MINUTES}")  # noqa: S608
    op.add_column("telesales_entries", sa.Column("back_at", sa.BigInteger(), nullable=True))
    op.add_column("telesales_entries", sa.Column("returns", sa.Integer(), server_default="0", nullable=False))
    op.add_column("telesales_entries", sa.Column("history", sa.Text(), server_default="[]", nullable=False))
    _say_since_when()
    op.create_index(
        "ix_telesales_entries_agent", "telesales_entries", ["workspace_id", "agent"],
        sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN),
    )  # fmt: skip
    op.create_index(
        "ix_telesales_entries_back", "telesales_entries", ["back_at"],
        sqlite_where=sa.text(_GOES_BACK), postgresql_where=sa.text(_GOES_BACK),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_telesales_entries_back", table_name="telesales_entries")
    op.drop_index("ix_telesales_entries_agent", table_name="telesales_entries")
    for column in ("history", "returns", "back_at"):
        op.drop_column("telesales_entries", column)
    op.drop_column("telesales_campaigns", "hold_minutes")


def _say_since_when() -> None:
    """What is taken was taken when it last changed: what was forgotten in somebody's hands goes back at once. What was
    given to somebody is looked at once, too, because who has it may have left.
    """
    entries = sa.table(
        "telesales_entries", sa.column("id"), sa.column("state"), sa.column("agent"), sa.column("updated_at"),
        sa.column("closed_at"), sa.column("back_at"), sa.column("history"),
    )  # fmt: skip
    connection = op.get_bind()
    query = sa.select(entries.c.id, entries.c.agent, entries.c.updated_at)
    query = query.where(entries.c.closed_at.is_(None), entries.c.state == "taken")
    for entry_id, agent, since in connection.execute(query).all():
        history = msgspec.json.encode([{"at": since, "what": "taken", "agent": agent}]).decode()
        values = {"history": history, "back_at": since + _HOLD_MINUTES * 60_000_000}
        connection.execute(entries.update().where(entries.c.id == entry_id).values(**values))
    given = (entries.c.closed_at.is_(None), entries.c.state == "open", entries.c.agent.is_not(None))
    connection.execute(entries.update().where(*given).values(back_at=entries.c.updated_at))
