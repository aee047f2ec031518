"""Calls."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Filled by the change that needs it."""


def downgrade() -> None:
    """As upgrade."""
