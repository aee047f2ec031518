"""What must hold after every fault, whatever it was: counted from the client's notes, the ledger and the database."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from tests.faults.client import Client
from tests.faults.inspector import Inspector

_SHOWN = 8


class Violation(AssertionError):
    """A promise was broken. The message lists every broken one."""


class Stuck(AssertionError):
    """Nothing moves any more, and not everything is settled. The message says where everything stands."""


class Findings:
    """Collects what is wrong, so that one failure shows all of it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def expect_none(self, found: Sequence[object], what: str) -> None:
        """There may be none of these."""
        if found:
            shown = ", ".join(str(one) for one in found[:_SHOWN])
            self.problems.append(f"{len(found)} {what}: {shown}{', …' if len(found) > _SHOWN else ''}")

    def raise_if_any(self, context: str) -> None:
        """Fail with everything that was found."""
        if self.problems:
            raise Violation("\n".join([*self.problems, context]))


async def check_events(findings: Findings, database: Inspector, client: Client, sent: Sequence[str]) -> None:
    """Every event is stored once, as it was acknowledged, with the one run that it starts; and nothing else is."""
    stored: dict[str, list[str]] = {}
    for source_id, identifier in await database.rows("SELECT source_id, id FROM events WHERE source = 'shop'"):
        stored.setdefault(source_id, []).append(identifier)
    runs: dict[str, list[str]] = {}
    for root, identifier in await database.rows("SELECT root_event_id, id FROM runs ORDER BY id"):
        runs.setdefault(root, []).append(identifier)
    findings.expect_none([one for one in sent if one not in client.acknowledged], "events were never acknowledged")
    findings.expect_none([one for one in client.acknowledged if one not in stored], "acknowledged events are lost")
    findings.expect_none([one for one, ids in stored.items() if len(ids) > 1], "events are stored more than once")
    findings.expect_none([one for one in stored if one not in client.acknowledged], "events were stored unasked")
    ids = {identifier for identifiers in stored.values() for identifier in identifiers}
    findings.expect_none([run for root, some in runs.items() if root not in ids for run in some], "runs have no event")
    wrong = {one: len(runs.get(ids[0], ())) for one, ids in stored.items() if len(runs.get(ids[0], ())) != 1}
    findings.expect_none(list(wrong.items()), "events have another number of runs than one")
    differing = [
        one
        for one, answers in client.acknowledged.items()
        for answer in answers
        if one in stored and (answer.event_id != stored[one][0] or list(answer.runs) != runs.get(stored[one][0], []))
    ]
    findings.expect_none(differing, "acknowledgements name another event or run than the stored one")
    repeated = [
        one for one, answers in client.acknowledged.items() if sum(not answer.duplicate for answer in answers) > 1
    ]
    findings.expect_none(repeated, "events were called new more than once")


async def check_steps(findings: Findings, database: Inspector, lease_seconds: float) -> None:
    """What is at rest is accounted for: no lease is forgotten, nothing is overdue, nothing ended without a reason."""
    now = int(time.time() * 1_000_000)
    limit = now - int((lease_seconds + 2) * 1_000_000)
    findings.expect_none(
        await database.rows(f"SELECT id FROM steps WHERE state = 'running' AND lease_until < {limit}"),
        "steps run under a lease that expired long ago",
    )
    findings.expect_none(
        await database.rows(f"SELECT id FROM steps WHERE state = 'ready' AND due_at < {now - 5_000_000}"),
        "steps are overdue by more than 5 s",
    )
    findings.expect_none(
        await database.rows("SELECT id, state FROM steps WHERE state IN ('dead', 'unknown') AND reason IS NULL"),
        "steps are dead or unknown without a reason",
    )
    findings.expect_none(await database.rows("SELECT path, reason FROM steps WHERE state = 'dead'"), "steps are dead")
    silent = "'unknown', 'failed', 'rejected', 'suppressed', 'expired'"
    findings.expect_none(
        await database.rows(f"SELECT id, state FROM deliveries WHERE state IN ({silent}) AND reason IS NULL"),
        "deliveries say no reason",
    )
    open_states = "'ready', 'running', 'waiting', 'unknown'"
    findings.expect_none(
        await database.rows(
            "SELECT r.id FROM runs r WHERE r.state = 'running' AND NOT EXISTS"
            f" (SELECT 1 FROM steps s WHERE s.run_id = r.id AND s.state IN ({open_states}))"
        ),
        "runs are under way and have no open step",
    )
    findings.expect_none(
        await database.rows(
            "SELECT r.id FROM runs r WHERE r.state <> 'running' AND EXISTS"
            f" (SELECT 1 FROM steps s WHERE s.run_id = r.id AND s.state IN ({open_states}))"
        ),
        "runs have ended and still have an open step",
    )
    findings.expect_none(
        await database.rows(
            "SELECT d.id FROM deliveries d JOIN steps s ON s.id = d.step_id"
            " WHERE d.generation = s.generation AND d.state = 'unknown' AND s.state NOT IN ('unknown', 'done', 'dead')"
        ),
        "unknown deliveries belong to a step that is still to be done",
    )


def check_ledger(
    findings: Findings, received: Mapping[str, int], expected: Mapping[str, int], held: Sequence[str] = ()
) -> None:
    """Each expected message reached its recipient as often as it should; those ``held`` as unknown perhaps not yet."""
    waiting = set(held)
    findings.expect_none(
        [(mark, count) for mark, count in received.items() if count > expected.get(mark, 0)],
        "messages went out more often than they should",
    )
    findings.expect_none(
        [
            (mark, received.get(mark, 0))
            for mark, count in expected.items()
            if received.get(mark, 0) < count and mark not in waiting
        ],
        "messages are lost",
    )


async def check_tasks(findings: Findings, database: Inspector, expected: Sequence[str]) -> None:
    """The local step after each message took effect exactly once."""
    import msgspec

    titles = Counter(
        msgspec.json.decode(row[0])["title"]
        for row in await database.rows("SELECT attributes FROM records WHERE type = 'task'")
    )
    findings.expect_none([(one, count) for one, count in titles.items() if count > 1], "tasks were made twice")
    findings.expect_none([one for one in expected if one not in titles], "tasks were never made")
