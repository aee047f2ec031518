"""The end of the story: what Nhịp says, what the provider says and what was planned, laid side by side."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from nhip.demo.client import Client
from nhip.demo.play import Play
from nhip.demo.scenario import Expected
from nhip.demo.workflows import CHANNEL, RECIPES

_REACHED = frozenset({"accepted", "delivered", "read"})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow. All counts but ``ledger`` are Nhịp's own."""

    workflow: str
    title: str
    record: str
    triggered: int
    sent: int
    """Messages that the provider accepted."""
    delivered: int
    suppressed: int
    failed: int
    """Messages that the provider refused."""
    resent: int
    """Messages that a killed server had not sent, and that were sent anew once that was known."""
    ledger: int
    """Different messages in the provider's ledger."""
    p50_s: float | None
    """Seconds from sending an event until the provider accepted its message, both measured outside of Nhịp."""
    p99_s: float | None


class Reckoning(msgspec.Struct, frozen=True, kw_only=True):
    """The result."""

    rows: list[Row]
    ledger_entries: int
    repeated: int
    """Messages that the provider accepted more than once."""
    disagreements: list[str]
    """What does not fit, in words; empty when all agrees."""

    def total(self, name: str) -> int:
        """The sum of a column."""
        return sum(getattr(row, name) for row in self.rows)


async def reckon(play: Play, client: Client) -> Reckoning:
    """Ask for Nhịp's numbers and deliveries, and compare all of it."""
    expected = play.plan.expected()
    resent = Counter(play.not_sent)
    in_ledger = play.ledger.sent()
    seconds: dict[str, list[float]] = {}
    for message, at in play.ledger.accepted_at.items():
        if message in play.sent_at:
            seconds.setdefault(message[0], []).append(at - play.sent_at[message])
    rows, disagreements = [], []
    for recipe in RECIPES:
        numbers = await client.get(f"/v1/metrics/workflows/{recipe.name}")
        counts: dict[str, int] = numbers["deliveries"].get(CHANNEL, {})
        waits = sorted(seconds.get(recipe.name, ()))
        row = Row(
            workflow=recipe.name,
            title=recipe.title,
            record=recipe.record,
            triggered=numbers["triggered"],
            sent=counts.get("accepted", 0),
            delivered=counts.get("delivered", 0),
            suppressed=counts.get("suppressed", 0),
            failed=counts.get("rejected", 0) + counts.get("failed", 0) - resent[recipe.name],
            resent=resent[recipe.name],
            ledger=in_ledger[recipe.name],
            p50_s=_percentile(waits, 0.5),
            p99_s=_percentile(waits, 0.99),
        )
        rows.append(row)
        disagreements += _compare(row, expected.get(recipe.name, Expected()), numbers, counts)
    repeated = play.ledger.repeated()
    if repeated:
        disagreements.append(f"{len(repeated)} messages were accepted more than once, the first of them {repeated[0]}")
    disagreements += await _compare_keys(play, client)
    return Reckoning(rows=rows, ledger_entries=len(play.ledger), repeated=len(repeated), disagreements=disagreements)


def _compare(row: Row, expected: Expected, numbers: dict[str, Any], counts: dict[str, int]) -> list[str]:
    """What one workflow's numbers have against those of the plan and the ledger."""
    pairs = (
        ("events triggered it", row.triggered, expected.triggered, "were planned"),
        ("runs ended in order", numbers["completed"], expected.triggered, "were planned"),
        ("messages were sent", row.sent, row.ledger, "are in the provider's ledger"),
        ("messages were sent", row.sent, expected.sent, "were planned"),
        ("messages were delivered", row.delivered, row.ledger, "are in the provider's ledger"),
        ("messages were suppressed", row.suppressed, expected.suppressed, "were planned"),
        ("messages failed", row.failed, expected.rejected, "were planned"),
        ("messages are unknown", counts.get("unknown", 0), 0, "were planned"),
    )
    return [
        f"{row.workflow}: {found} {what}, and {wanted} {against}"
        for what, found, wanted, against in pairs
        if found != wanted
    ]


async def _compare_keys(play: Play, client: Client) -> list[str]:
    """Whether every delivery has its entry in the ledger under its own key, and every entry its delivery."""
    keys = Counter([
        one["idempotency_key"]
        async for one in client.pages(f"/v1/deliveries?channel={CHANNEL}")
        if one["state"] in _REACHED
    ])  # fmt: skip
    only_ours, only_theirs = keys - play.ledger.references, play.ledger.references - keys
    found = []
    if only_ours:
        found.append(f"{only_ours.total()} deliveries are not in the provider's ledger, as {next(iter(only_ours))!r}")
    if only_theirs:
        found.append(f"{only_theirs.total()} entries of the ledger are no delivery, as {next(iter(only_theirs))!r}")
    return found


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """By nearest rank."""
    return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)], 4) if ordered else None
