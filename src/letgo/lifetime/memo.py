"""Remembers what following something gave, so that it is the same wherever it is asked for, and in whichever order.

What is followed calls for other things to be followed, and these may come back to it. Everything has a place in one
order: the modules that import before those that are imported, and what is further up in a module before the rest. Most
calls lead on in it, and no circle of calls is without one that leads back. So only so many of these are followed in a
row, and then the way is cut off. What is found depends on the code and on how many calls back are left, and on nothing
that was followed before: it is the same on every way, each thing is followed a few times at most, and roots (endpoints,
or functions followed by themselves) can be shared out between processes, or followed again without the others. Only a
root that leads to more than anything that people write is given up, wherever it has come to.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from letgo.lifetime.facts import Fact

MOST_BACK = 8
"""How many calls back are followed in a row."""

AGAIN = 3
"""For how many calls back one counts that leads to where it comes from: its arguments may grow each time."""

WANDERING, WANDERING_FAR = 2, 3
"""For how many one counts where no session is at hand, within a module and into another: the way may lead to where a
session is made, but in most of a library it leads round and round."""

MOST_STEPS = 5_000
"""How many activations are followed of one root: of those that people write, the largest take a thousand."""

MAX_DEPTH = 600
"""How many calls are followed in a row: a bound for Python's stack, which programs of people stay far away from."""

Found = TypeVar("Found")
Bits = int
"""A set of numbers: a million unions of these take less time than of ten thousand sets."""

Position: TypeAlias = tuple[int, int]
"""Where something stands in the order of calls: the number of its module, and its line."""


@dataclass(slots=True)
class Reached:
    """What following something has led to: code whose content matters, and facts. `is_cut` tells whether some way was
    cut off."""

    code: Bits = 0
    facts: Bits = 0
    is_cut: bool = False

    def add(self, inner: "Reached") -> None:
        self.code |= inner.code
        self.facts |= inner.facts
        self.is_cut |= inner.is_cut


class Memo:
    """What was found in each context. Contexts, code and facts are numbered as they are met."""

    def __init__(self) -> None:
        self.reached = Reached()
        self.facts: dict[Fact, Bits] = {}
        self.code: dict[str, Bits] = {}
        self.steps = 0
        self.is_exhausted = False
        self._begun = 0
        self._contexts: dict[Hashable, int] = {}
        self._place: Position = (-1, 0)
        self._back = MOST_BACK
        self._level = 0
        self._whole: dict[int, tuple[Any, Reached]] = {}
        self._cut: dict[tuple[int, int], tuple[Any, Reached]] = {}

    def begin(self) -> None:
        """A new root: nothing is being followed. `is_exhausted` tells from here on whether it takes too many steps."""
        self.reached = Reached()
        self.is_exhausted, self._begun = False, self.steps
        self._place, self._back, self._level = (-1, 0), MOST_BACK, 0

    def note(self, fact: Fact) -> None:
        bit = self.facts.get(fact)
        if bit is None:
            bit = self.facts[fact] = 1 << len(self.facts)
        self.reached.facts |= bit

    def found(self) -> Iterator[Fact]:
        """The facts of what is being followed, so far."""
        return numbered(self.facts, self.reached.facts)

    def consult(self, code: str) -> None:
        """What this code says matters from here on, wherever its lines are: a module by its path, or the body of one
        of its outermost functions (see `body_of`)."""
        bit = self.code.get(code)
        if bit is None:
            bit = self.code[code] = 1 << len(self.code)
        self.reached.code |= bit

    def recall(
        self,
        context: Hashable,
        place: Position,
        follow: Callable[[], Found],
        otherwise: Callable[[], Found],
        *,
        wanders: bool = False,
    ) -> Found:
        """What `follow` finds in this context. `otherwise` stands for it where the way must be cut off. `wanders`: no
        session is at hand."""
        back = self._back - self._counts(place, wanders)
        if back < 0 or self._level >= MAX_DEPTH:
            self.reached.is_cut = True
            return otherwise()
        number = self._contexts.get(context)  # the only time that it is hashed: contexts are large
        if number is None:
            number = self._contexts[context] = len(self._contexts)
        known = self._whole.get(number) or self._cut.get((number, back))
        if known is None:
            if self.steps - self._begun >= MOST_STEPS:
                self.is_exhausted = self.reached.is_cut = True
                return otherwise()
            known = self._follow(place, back, follow)
            if not known[1].is_cut:
                self._whole[number] = known
            elif not self.is_exhausted:  # else another root may see more
                self._cut[number, back] = known
        found: Found = known[0]
        self.reached.add(known[1])
        return found

    def _counts(self, place: Position, wanders: bool) -> int:
        """For how many calls back this one counts."""
        if place >= self._place:
            return AGAIN if place == self._place else 0
        if not wanders:
            return 1
        return WANDERING if place[0] == self._place[0] else WANDERING_FAR

    def _follow(self, place: Position, back: int, follow: Callable[[], Found]) -> tuple[Found, Reached]:
        self.steps += 1
        outer, inner = (self.reached, self._place, self._back), Reached()
        self.reached, self._place, self._back = inner, place, back
        self._level += 1
        try:
            return follow(), inner
        finally:
            self._level -= 1
            self.reached, self._place, self._back = outer


def body_of(path: str, qualname: str) -> str:
    """How the body of a module's outermost function is called."""
    return f"{path}:{qualname}"


def numbered(items: Iterable[Fact], bits: Bits) -> Iterator[Fact]:
    """The items whose numbers are in a set."""
    return (item for item, digit in zip(items, bin(bits)[:1:-1], strict=False) if digit == "1")
