"""Recipes that every trade can use: copy one, change its words and channels, test it, import it.

``nhip recipes list`` shows them, ``nhip recipes copy win-back`` copies one.
"""

from pathlib import Path

from nhip import Bundle, hookimpl


class CareRecipes(Bundle):
    """The recipes of customer care."""

    kind = "care"
    title = "Customer care"
    version = "1"
    folder = Path(__file__).parent


@hookimpl
def nhip_register_bundles() -> list[type[Bundle]]:
    """Add the recipes."""
    return [CareRecipes]
