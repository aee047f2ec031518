"""Deliveries and receipts."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db import tables
from nhip.adapters.db.statements import BulkInsert, BulkUpdate, Statement
from nhip.domain.deliveries import Delivery, ReceiptRow

_COLUMNS = Delivery.__struct_fields__
_SELECT = "SELECT " + ", ".join(_COLUMNS) + " FROM deliveries WHERE "  # noqa: S608
_RECEIPT_COLUMNS = ReceiptRow.__struct_fields__
_SELECT_RECEIPT = "SELECT " + ", ".join(_RECEIPT_COLUMNS) + " FROM receipts WHERE "  # noqa: S608

_INSERT = BulkInsert(tables.deliveries, _COLUMNS)
_CHANGED = (
    "state", "reason", "detail", "attempts", "provider_id", "price_amount", "price_currency", "accepted_at",
    "delivered_at", "read_at", "updated_at", "maybe_sent_at",
)  # fmt: skip
_UPDATE = BulkUpdate(tables.deliveries, _CHANGED)
_BY_STEPS = Statement(_SELECT + "{step_id in step_ids}")
_LOCK_BY_STEPS = Statement(_SELECT + "{step_id in step_ids} ORDER BY id", lock=True)
_LEFT_PARKED = Statement(
    "SELECT " + ", ".join(f"d.{name}" for name in _COLUMNS) + " FROM receipts r JOIN deliveries d"  # noqa: S608
    " ON d.workspace_id = r.workspace_id AND d.channel = r.channel AND d.provider_id = r.provider_id"
    " WHERE r.delivery_id IS NULL AND r.received_at >= :since LIMIT :limit"
)
_BY_IDS = Statement(_SELECT + "{id in ids} AND +workspace_id = :workspace_id ORDER BY id", lock=True)
_BY_KEYS = Statement(
    _SELECT + "workspace_id = :workspace_id AND channel = :channel AND {idempotency_key in keys} ORDER BY id", lock=True
)
_BY_PROVIDER_IDS = Statement(
    _SELECT + "workspace_id = :workspace_id AND channel = :channel AND {provider_id in provider_ids} ORDER BY id",
    lock=True,
)
_KNOWN_RECEIPTS = Statement(
    "SELECT receipt_id FROM receipts WHERE workspace_id = :workspace_id AND channel = :channel"
    " AND {receipt_id in receipt_ids}"
)
_PARKED = Statement(
    _SELECT_RECEIPT
    + "workspace_id = :workspace_id AND channel = :channel AND delivery_id IS NULL AND {provider_id in provider_ids}"
)
_INSERT_RECEIPTS = BulkInsert(tables.receipts, _RECEIPT_COLUMNS)
_ASSIGN_RECEIPTS = BulkUpdate(tables.receipts, ("delivery_id",))


def _delivery(row: Sequence[Any]) -> Delivery:
    return Delivery(**dict(zip(_COLUMNS, row, strict=True)))


def _receipt(row: Sequence[Any]) -> ReceiptRow:
    return ReceiptRow(**dict(zip(_RECEIPT_COLUMNS, row, strict=True)))


class SqlDeliveries:
    """Implements :class:`nhip.ports.DeliveryStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, deliveries: Sequence[Delivery]) -> None:
        _INSERT.run(self._connection, [msgspec.structs.astuple(delivery) for delivery in deliveries])

    def update(self, deliveries: Sequence[Delivery]) -> None:
        rows: list[tuple[Any, ...]] = [
            (d.state, d.reason, d.detail, d.attempts, d.provider_id, d.price_amount, d.price_currency, d.accepted_at,
             d.delivered_at, d.read_at, d.updated_at, d.maybe_sent_at, d.id)
            for d in deliveries
        ]  # fmt: skip
        _UPDATE.run(self._connection, rows)

    def of_steps(self, step_ids: Sequence[str], *, lock: bool = False) -> list[Delivery]:
        rows = self._named(_LOCK_BY_STEPS if lock else _BY_STEPS, step_ids=list(step_ids))
        return [_delivery(row) for row in rows]

    def by_ids(self, workspace_id: int, ids: Sequence[str]) -> list[Delivery]:
        return [_delivery(row) for row in self._named(_BY_IDS, workspace_id=workspace_id, ids=list(ids))]

    def by_keys(self, workspace_id: int, channel: str, keys: Sequence[str]) -> list[Delivery]:
        rows = self._named(_BY_KEYS, workspace_id=workspace_id, channel=channel, keys=list(keys))
        return [_delivery(row) for row in rows]

    def by_provider_ids(self, workspace_id: int, channel: str, provider_ids: Sequence[str]) -> list[Delivery]:
        rows = self._named(
            _BY_PROVIDER_IDS, workspace_id=workspace_id, channel=channel, provider_ids=list(provider_ids)
        )
        return [_delivery(row) for row in rows]

    def known_receipts(self, workspace_id: int, channel: str, receipt_ids: Sequence[str]) -> set[str]:
        rows = _KNOWN_RECEIPTS.run(
            self._connection, workspace_id=workspace_id, channel=channel, receipt_ids=list(receipt_ids)
        )
        return {row[0] for row in rows}

    def insert_receipts(self, receipts: Sequence[ReceiptRow]) -> None:
        _INSERT_RECEIPTS.run(self._connection, [msgspec.structs.astuple(receipt) for receipt in receipts])

    def parked_receipts(self, workspace_id: int, channel: str, provider_ids: Sequence[str]) -> list[ReceiptRow]:
        rows = self._named(_PARKED, workspace_id=workspace_id, channel=channel, provider_ids=list(provider_ids))
        return [_receipt(row) for row in rows]

    def left_parked(self, since: int, limit: int) -> list[Delivery]:
        return [_delivery(row) for row in self._named(_LEFT_PARKED, since=since, limit=limit)]

    def assign_receipts(self, pairs: Sequence[tuple[str, str]]) -> None:
        _ASSIGN_RECEIPTS.run(self._connection, pairs)

    def _named(self, statement: Statement, **values: Any) -> Sequence[Any]:
        return statement.run(self._connection, **values)
