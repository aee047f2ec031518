"""What is known of a kind that a plugin adds."""

from typing import Any, cast, get_args

from nhip.catalog import Catalog, description
from nhip.domain.errors import NotFound
from nhip.domain.struct import Struct
from nhip.plugin_rules import Sort


class Described(Struct):
    """One kind with the JSON Schemas of what may be said to it."""

    sort: str
    kind: str
    description: str | None
    config_schema: dict[str, Any]
    secrets_schema: dict[str, Any] | None


def describe(catalog: Catalog, sort: str, kind: str) -> Described:
    """Describe the ``kind`` of a ``sort`` (``trigger``, ``channel``, …); a sort may be in the plural too.

    Raises:
        NotFound: there is none.
    """
    singular = sort.removesuffix("s")
    if singular not in get_args(Sort):
        raise NotFound("sort of plugin", sort)
    known = cast(Sort, singular)
    schema = catalog.schema(known, kind)
    return Described(
        sort=known,
        kind=kind,
        description=description(catalog.of(known)[kind]),
        config_schema=schema,
        secrets_schema=catalog.secrets_schema(kind) if known == "channel" else None,
    )
