"""What goes wrong at a stand-in provider, and how often: one plan, shared by all of them."""

import random
from collections import Counter, deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One way in which a provider lets its client down."""

    TIMEOUT_AFTER = "timeout_after"
    """Accepts, and never answers."""
    ERROR_AFTER = "error_after"
    """Accepts, and answers with a 500."""
    ERROR_BEFORE = "error_before"
    """Answers with a 500 and does nothing."""
    RESET_AFTER = "reset_after"
    """Accepts, and resets the connection."""
    RESET_BEFORE = "reset_before"
    """Resets the connection and does nothing."""
    GARBAGE = "garbage"
    """Accepts, and answers 200 with something unreadable."""
    SLOW = "slow"
    """Accepts, and answers properly after ``slow_seconds``."""

    @property
    def accepts(self) -> bool:
        """Whether the message goes out in spite of it."""
        return self not in (Fault.ERROR_BEFORE, Fault.RESET_BEFORE)


_PROBABLE: Final = tuple(fault.value for fault in Fault)


class Faults:
    """A plan of faults: a script that is followed first, then probabilities with a seed.

    ``Faults(timeout_after=0.1, error_after=0.05, seed=7)``. ``reset`` stands for both kinds of reset, half each. The
    same seed gives the same faults for the same sequence of requests. ``drawn`` counts what happened.
    """

    def __init__(
        self, *, seed: int = 1, hang_seconds: float = 60.0, slow_seconds: float = 0.5, **probabilities: float
    ) -> None:
        reset = probabilities.pop("reset", 0.0)
        if reset:
            for fault in (Fault.RESET_AFTER, Fault.RESET_BEFORE):
                probabilities[fault.value] = probabilities.get(fault.value, 0.0) + reset / 2
        unknown = sorted(set(probabilities) - set(_PROBABLE))
        if unknown:
            raise ValueError(f"no such fault: {', '.join(unknown)}; there are reset, {', '.join(_PROBABLE)}")
        if any(value < 0 for value in probabilities.values()) or sum(probabilities.values()) > 1:
            raise ValueError("the probabilities of faults must be at least 0 and sum up to at most 1")
        self.hang_seconds = hang_seconds
        self.slow_seconds = slow_seconds
        self.drawn: Counter[Fault] = Counter()
        self._probabilities = [(Fault(name), value) for name, value in probabilities.items() if value > 0]
        self._script: deque[Fault | None] = deque()
        self._random = random.Random(seed)

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Read ``timeout_after=0.1,reset=0.02,seed=7``, the form of the command line.

        Raises:
            ValueError: a name or a number is wrong.
        """
        pairs = dict(part.strip().split("=", 1) for part in text.split(",") if part.strip())
        seed = int(pairs.pop("seed", "1"))
        return cls(seed=seed, **{name: float(value) for name, value in pairs.items()})

    def script(self, faults: Iterable[Fault | None]) -> None:
        """Let the next requests meet exactly these; ``None`` lets one pass."""
        self._script.extend(faults)

    def draw(self) -> Fault | None:
        """Say what happens to this request."""
        if self._script:
            fault = self._script.popleft()
        elif self._probabilities:
            fault = self._pick(self._random.random())
        else:
            return None
        if fault is not None:
            self.drawn[fault] += 1
        return fault

    def _pick(self, point: float) -> Fault | None:
        for fault, share in self._probabilities:
            point -= share
            if point < 0:
                return fault
        return None
