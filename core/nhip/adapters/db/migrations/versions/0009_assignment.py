"""Who gets what."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Filled by the change that needs it."""


def downgrade() -> None:
    """As upgrade."""
