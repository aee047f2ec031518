"""A definition compiled flat: nodes with the place they came from and where to go next.

The nested form is for people; the flat form is what a run stands on: its step rows hold a node's number, so a run
survives any restart, and a published version compiles to the same numbers every time.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from nhip.domain.conditions import Node as ConditionNode
from nhip.domain.struct import Struct
from nhip.domain.workflow import ActionStep, ExitStep, IfStep, Step, WaitStep
from nhip.engine.conditions import fields_of

END: Final = -1
"""The number of the place after the last node."""


class NodeKind(StrEnum):
    """What a node does."""

    ACTION = "action"
    WAIT = "wait"
    BRANCH = "branch"
    EXIT = "exit"


class ProgramNode(Struct):
    """One place of the flat program."""

    number: int
    id: str
    """The step's id in the definition."""
    path: str
    """The step's place in the definition: ``steps[3].then[0]``."""
    kind: NodeKind
    next: int = END
    action: str = ""
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    fallback: tuple[dict[str, Any], ...] = ()
    duration: timedelta | None = None
    condition: ConditionNode | None = None
    otherwise: int = END
    """For a branch: where to go when the condition does not hold (``next`` where it does)."""
    reason: str = ""

    def alternative(self, number: int) -> dict[str, Any]:
        """The configuration of the ``number``-th try: 0 is the step's own, then each fallback laid over it."""
        return self.config if number == 0 else {**self.config, **self.fallback[number - 1]}


class Program(Struct):
    """The flat form of one version's steps."""

    nodes: tuple[ProgramNode, ...]

    @property
    def entry(self) -> int:
        """Where a run begins."""
        return 0 if self.nodes else END

    def reads_facts_after(self, number: int) -> bool:
        """Whether going on from this node needs facts: only a branch does."""
        following = self.nodes[number].next if number != END else self.entry
        return following != END and self.nodes[following].kind is NodeKind.BRANCH

    @property
    def reads(self) -> frozenset[str]:
        """Every field that a branch of this program reads."""
        return frozenset(field for node in self.nodes if node.condition for field in fields_of(node.condition))


def compile_steps(steps: Sequence[Step]) -> Program:
    """Lay the nested steps out flat. Numbers follow the order in which a reader meets the steps."""
    nodes: list[ProgramNode] = []
    after: dict[int, int] = {}

    def lay(sequence: Sequence[Step], path: str, follow: list[int]) -> list[int]:
        """Append ``sequence``, to whose first node the loose ends of ``follow`` lead; answers its own loose ends."""
        for position, step in enumerate(sequence):
            number = len(nodes)
            for loose in follow:
                after[loose] = number
            place = f"{path}[{position}]"
            match step:
                case ActionStep():
                    nodes.append(
                        ProgramNode(
                            number=number,
                            id=step.id,
                            path=place,
                            kind=NodeKind.ACTION,
                            action=step.action,
                            config=step.config,
                            fallback=step.fallback,
                        )
                    )
                    follow = [number]
                case WaitStep():
                    nodes.append(
                        ProgramNode(number=number, id=step.id, path=place, kind=NodeKind.WAIT, duration=step.duration)
                    )
                    follow = [number]
                case ExitStep():
                    nodes.append(
                        ProgramNode(number=number, id=step.id, path=place, kind=NodeKind.EXIT, reason=step.reason)
                    )
                    follow = []
                case IfStep():
                    nodes.append(
                        ProgramNode(
                            number=number, id=step.id, path=place, kind=NodeKind.BRANCH, condition=step.condition
                        )
                    )
                    then = lay(step.then, f"{place}.then", [number])
                    # A loose end that is the branch's own negative number means its other way out.
                    follow = then + lay(step.otherwise, f"{place}.else", [~number])
        return follow

    lay(steps, "steps", [])
    finished = [
        msgspec.structs.replace(node, next=after.get(node.number, END), otherwise=after.get(~node.number, END))
        for node in nodes
    ]
    return Program(nodes=tuple(finished))


def walk(steps: Sequence[Step], path: str = "steps") -> Iterator[tuple[str, Step]]:
    """Every step with its place, in the order in which a reader meets them."""
    for position, step in enumerate(steps):
        place = f"{path}[{position}]"
        yield place, step
        if isinstance(step, IfStep):
            yield from walk(step.then, f"{place}.then")
            yield from walk(step.otherwise, f"{place}.else")
