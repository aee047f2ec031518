"""A definition compiled flat: nodes with the place they came from and where to go next.

The nested form is for people; the flat form is what a run stands on: its step rows hold a node's number, so a run
survives any restart, and a published version compiles to the same numbers every time.

A loop's head is a node of its own, to which its last steps lead back. In which pass of which loops a run is stands in
one number, the *iteration*: the passes of the loops around a node, as digits, the digit of a loop in base ``times`` +
1. So the pair of node and iteration never comes twice in a run, and says by itself what is to come.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from nhip.domain.conditions import Node as ConditionNode
from nhip.domain.struct import Struct
from nhip.domain.workflow import (
    ActionStep,
    ExitStep,
    ExitWhen,
    IfStep,
    RepeatStep,
    SplitStep,
    Step,
    WaitEvent,
    Waiting,
    WaitStep,
    WaitUntil,
    WaitWindow,
    Way,
)
from nhip.engine.conditions.decide import fields_of

END: Final = -1
"""The number of the place after the last node."""


class NodeKind(StrEnum):
    """What a node does."""

    ACTION = "action"
    WAIT = "wait"
    BRANCH = "branch"
    SPLIT = "split"
    REPEAT = "repeat"
    """The head of a loop."""
    EXIT = "exit"


class ProgramWay(Struct):
    """One way out of a split."""

    weight: int
    name: str
    next: int = END


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
    expires_after: timedelta | None = None
    wait: Waiting | None = None
    condition: ConditionNode | None = None
    """Of a branch, and what ends a loop."""
    otherwise: int = END
    """For a branch: where to go when the condition does not hold (``next`` where it does). For a loop's head: where to
    go when it is over (``next`` into it).
    """
    ways: tuple[ProgramWay, ...] = ()
    times: int = 0
    loops: tuple[int, ...] = ()
    """The heads of the loops around this node, the outermost first; a head stands in its own loop."""
    reason: str = ""

    def alternative(self, number: int) -> dict[str, Any]:
        """The configuration of the ``number``-th try: 0 is the step's own, then each fallback laid over it."""
        return self.config if number == 0 else {**self.config, **self.fallback[number - 1]}

    @property
    def exits(self) -> tuple[int, ...]:
        """Every place that may come next."""
        match self.kind:
            case NodeKind.EXIT:
                return ()
            case NodeKind.BRANCH | NodeKind.REPEAT:
                return (self.next, self.otherwise)
            case NodeKind.SPLIT:
                return tuple(way.next for way in self.ways)
            case _:
                return (self.next,)


class Program(Struct):
    """The flat form of one version's steps."""

    nodes: tuple[ProgramNode, ...]
    exit_when: tuple[ExitWhen, ...] = ()

    @property
    def entry(self) -> int:
        """Where a run begins."""
        return 0 if self.nodes else END

    def node_of(self, step_id: str) -> ProgramNode | None:
        """The node of a step."""
        return next((node for node in self.nodes if node.id == step_id), None)

    def iteration(self, number: int, iteration: int, following: int) -> int:
        """The iteration of the node that follows one in that iteration."""
        if following == END:
            return 0
        here = self.nodes[number].loops if number != END else ()
        there = self.nodes[following].loops
        if following in here:  # back to the head, for one more pass
            for head in reversed(here[here.index(following) + 1 :]):
                iteration //= self._base(head)
            return iteration + 1
        for head in reversed(here):
            if head not in there:
                iteration //= self._base(head)
        for head in there:
            if head not in here:
                iteration *= self._base(head)
        return iteration

    def passes(self, number: int, iteration: int) -> tuple[int, ...]:
        """In which pass of each loop around a node an iteration is, the outermost first; the first pass is 0."""
        found: list[int] = []
        for head in reversed(self.nodes[number].loops):
            iteration, done = divmod(iteration, self._base(head))
            found.append(done)
        return tuple(reversed(found))

    def place(self, number: int, iteration: int) -> tuple[int, ...]:
        """What orders all pairs of node and iteration as a run comes to them."""
        node = self.nodes[number]
        pairs = zip(node.loops, self.passes(number, iteration), strict=True)
        return (*(one for pair in pairs for one in pair), number)

    def _base(self, head: int) -> int:
        return self.nodes[head].times + 1

    def reads_facts_after(self, number: int) -> bool:
        """Whether going on from this node needs facts."""
        if any(not one.events for one in self.exit_when):
            return True
        following = self.nodes[number].next if number != END else self.entry
        return any(
            node.kind in (NodeKind.BRANCH, NodeKind.SPLIT)
            or (node.kind is NodeKind.REPEAT and node.condition is not None)
            or isinstance(node.wait, WaitUntil | WaitWindow)
            for node in self._decided_from(following)
        )

    @property
    def reads_at_entry(self) -> frozenset[str]:
        """Every field that decides how a run begins: which step is its first, and whether it ends at once."""
        fields = {field for one in self.exit_when if one.where and not one.events for field in fields_of(one.where)}
        for node in self._decided_from(self.entry):
            if node.condition is not None:
                fields |= fields_of(node.condition)
            if isinstance(node.wait, WaitUntil) and node.wait.field:
                fields.add(node.wait.field)
        return frozenset(fields)

    def _decided_from(self, number: int) -> Iterator[ProgramNode]:
        """The nodes that a run may come to from this one, itself included, without standing still between."""
        seen: set[int] = set()
        open_ends = [number]
        while open_ends:
            one = open_ends.pop()
            if one == END or one in seen:
                continue
            seen.add(one)
            node = self.nodes[one]
            yield node
            if node.kind in (NodeKind.BRANCH, NodeKind.SPLIT, NodeKind.REPEAT):
                open_ends += node.exits

    @property
    def awaits(self) -> frozenset[str]:
        """The types of events that a run may wait for."""
        return frozenset(kind for node in self.nodes if isinstance(node.wait, WaitEvent) for kind in node.wait.events)

    @property
    def leaves_at(self) -> frozenset[str]:
        """The types of events that may end a run."""
        return frozenset(kind for one in self.exit_when for kind in one.events)


class _Laying:
    """Lays steps out flat."""

    def __init__(self) -> None:
        self.nodes: list[ProgramNode] = []
        self.after: dict[tuple[int, int], int] = {}
        """Where each loose end leads: a node's number and which of its ways out, 0 is ``next``."""

    def lay(
        self, sequence: Sequence[Step], path: str, follow: list[tuple[int, int]], loops: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        """Append ``sequence``, to whose first node the loose ends of ``follow`` lead; answers its own loose ends."""
        for position, step in enumerate(sequence):
            number = len(self.nodes)
            for loose in follow:
                self.after[loose] = number
            place = f"{path}[{position}]"
            match step:
                case ActionStep():
                    self.add(
                        ProgramNode(
                            number=number, id=step.id, path=place, kind=NodeKind.ACTION, action=step.action,
                            config=step.config, fallback=step.fallback, expires_after=step.expires_after, loops=loops,
                        )
                    )  # fmt: skip
                    follow = [(number, 0)]
                case WaitStep():
                    self.add(
                        ProgramNode(
                            number=number, id=step.id, path=place, kind=NodeKind.WAIT, wait=step.wait, loops=loops
                        )
                    )
                    follow = [(number, 0)]
                case ExitStep():
                    self.add(
                        ProgramNode(
                            number=number, id=step.id, path=place, kind=NodeKind.EXIT, reason=step.reason, loops=loops
                        )
                    )
                    follow = []
                case IfStep():
                    self.add(
                        ProgramNode(
                            number=number, id=step.id, path=place, kind=NodeKind.BRANCH, condition=step.condition,
                            loops=loops,
                        )
                    )  # fmt: skip
                    then = self.lay(step.then, f"{place}.then", [(number, 0)], loops)
                    follow = then + self.lay(step.otherwise, f"{place}.else", [(number, 1)], loops)
                case SplitStep():
                    ways = tuple(ProgramWay(weight=way.weight, name=way.name) for way in step.ways)
                    self.add(
                        ProgramNode(number=number, id=step.id, path=place, kind=NodeKind.SPLIT, ways=ways, loops=loops)
                    )
                    follow = []
                    for which, way in enumerate(step.ways):
                        follow += self.lay(way.steps, f"{place}.split[{which}].steps", [(number, which)], loops)
                case RepeatStep():
                    inside = (*loops, number)
                    self.add(
                        ProgramNode(
                            number=number, id=step.id, path=place, kind=NodeKind.REPEAT, condition=step.until,
                            times=step.times, loops=inside,
                        )
                    )  # fmt: skip
                    for loose in self.lay(step.steps, f"{place}.steps", [(number, 0)], inside):
                        self.after[loose] = number
                    follow = [(number, 1)]
        return follow

    def add(self, node: ProgramNode) -> None:
        self.nodes.append(node)

    def finished(self) -> tuple[ProgramNode, ...]:
        def one(node: ProgramNode) -> ProgramNode:
            def way_out(which: int) -> int:
                return self.after.get((node.number, which), END)

            if node.kind is NodeKind.SPLIT:
                ways = tuple(msgspec.structs.replace(way, next=way_out(which)) for which, way in enumerate(node.ways))
                return msgspec.structs.replace(node, ways=ways)
            return msgspec.structs.replace(node, next=way_out(0), otherwise=way_out(1))

        return tuple(one(node) for node in self.nodes)


def compile_steps(steps: Sequence[Step], exit_when: Sequence[ExitWhen] = ()) -> Program:
    """Lay the nested steps out flat. Numbers follow the order in which a reader meets the steps."""
    laying = _Laying()
    laying.lay(steps, "steps", [], ())
    return Program(nodes=laying.finished(), exit_when=tuple(exit_when))


def decompile(program: Program) -> tuple[Step, ...]:
    """The nested steps that a program was compiled from: the inverse of :func:`compile_steps`."""
    by_parent: dict[str, list[ProgramNode]] = {}
    for node in program.nodes:
        by_parent.setdefault(node.path.rpartition("[")[0], []).append(node)

    def steps(path: str) -> tuple[Step, ...]:
        return tuple(step(node) for node in by_parent.get(path, ()))

    def step(node: ProgramNode) -> Step:
        match node.kind:
            case NodeKind.ACTION:
                return ActionStep(
                    id=node.id, action=node.action, config=node.config, fallback=node.fallback,
                    expires_after=node.expires_after,
                )  # fmt: skip
            case NodeKind.WAIT:
                assert node.wait is not None
                return WaitStep(id=node.id, wait=node.wait)
            case NodeKind.EXIT:
                return ExitStep(id=node.id, reason=node.reason)
            case NodeKind.BRANCH:
                assert node.condition is not None
                then, otherwise = steps(f"{node.path}.then"), steps(f"{node.path}.else")
                return IfStep(id=node.id, condition=node.condition, then=then, otherwise=otherwise)
            case NodeKind.SPLIT:
                ways = tuple(
                    Way(weight=way.weight, name=way.name, steps=steps(f"{node.path}.split[{which}].steps"))
                    for which, way in enumerate(node.ways)
                )
                return SplitStep(id=node.id, ways=ways)
            case NodeKind.REPEAT:
                return RepeatStep(id=node.id, times=node.times, until=node.condition, steps=steps(f"{node.path}.steps"))

    return steps("steps")


def inside(step: Step, path: str) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The lists of steps that a step holds, each with its place."""
    match step:
        case IfStep():
            yield f"{path}.then", step.then
            yield f"{path}.else", step.otherwise
        case SplitStep():
            for which, way in enumerate(step.ways):
                yield f"{path}.split[{which}].steps", way.steps
        case RepeatStep():
            yield f"{path}.steps", step.steps
        case _:
            pass


def walk(steps: Sequence[Step], path: str = "steps") -> Iterator[tuple[str, Step]]:
    """Every step with its place, in the order in which a reader meets them."""
    for position, step in enumerate(steps):
        place = f"{path}[{position}]"
        yield place, step
        for below, held in inside(step, place):
            yield from walk(held, below)
