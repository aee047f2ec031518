"""Lists in pages: an opaque cursor that only we can make, for this workspace and this list alone."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from litestar import Request, Response

from nhip.bootstrap import Engine
from nhip.domain.errors import Conflict, invalid

Row = TypeVar("Row")
Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null on the last one. The `Link` header has the whole address."""


class Paging:
    """What a request asks of a list: how many items, and after which.

    A service is asked for :attr:`fetch` rows after :attr:`after`, and :meth:`page` makes the answer of them.
    """

    def __init__(
        self, request: Request[Any, Any, Any], engine: Engine, workspace_id: int, limit: int, cursor: str | None
    ):
        self._request = request
        self._engine = engine
        self._workspace_id = workspace_id
        self.limit = limit
        self.after: str | None = self._open(cursor) if cursor else None

    @property
    def fetch(self) -> int:
        """How many rows to ask for: one more than are shown, to know whether there are any left."""
        return self.limit + 1

    def page(
        self, rows: Sequence[Row], position: Callable[[Row], str], show: Callable[[Row], Item]
    ) -> Response[Page[Item]]:
        """Show the rows; ``position`` is what :attr:`after` will be when the next page is asked for."""
        shown = rows[: self.limit]
        cursor = self._seal(position(shown[-1])) if len(rows) > self.limit else None
        headers = {"link": f'<{self._address(cursor)}>; rel="next"'} if cursor else {}
        return Response(Page(items=[show(row) for row in shown], next_cursor=cursor), headers=headers)

    @property
    def _place(self) -> str:
        return f"cursor:{self._request.scope['path']}"

    def _seal(self, after: str) -> str:
        return self._engine.vault.seal(self._workspace_id, self._place, {"after": after})

    def _open(self, cursor: str) -> str:
        try:
            return self._engine.vault.open(self._workspace_id, self._place, cursor)["after"]
        except (Conflict, KeyError, ValueError):
            raise invalid("cursor", "bad_cursor", "this cursor was not made for this list") from None

    def _address(self, cursor: str) -> str:
        query = self._request.scope["query_string"].decode("latin-1")
        kept = [(name, value) for name, value in parse_qsl(query) if name != "cursor"]
        return f"{quote(self._request.scope['path'])}?{urlencode([*kept, ('cursor', cursor)])}"
