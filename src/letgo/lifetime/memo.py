"""Remembers what following something gave, so that it is the same wherever it is asked for, and in whichever order.

What is followed calls for other things to be followed, and these may come back to it: such a call is cut off, and what
is found meanwhile holds only on this way round. It is forgotten when what it came back to is done; and what was found
on another way is not believed while anything it led to is being followed. So the outcome of a root (an endpoint, or a
function followed by itself) depends on nothing but the code: roots can be shared out between processes, and the one
whose code has changed can be followed again without the others.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from letgo.lifetime.facts import Fact

MAX_DEPTH = 24
MAX_CONTEXTS = 5000
"""How much is followed from one root, where there is no end to it."""

MAX_ROUNDS = 3
"""How often a function is followed inside of itself, with other arguments each time: these may grow without end."""

Found = TypeVar("Found")
Bits = int
"""A set of numbers: a million unions of these take less time than of ten thousand sets."""

TOO_DEEP = 1
"""The number of no context: a way was cut off because it was too deep."""


@dataclass(slots=True)
class Reached:
    """What following something has led to: contexts, code whose content matters, facts. `cut` are the contexts that
    it came back to, `depth` how many levels lie below, `level` the one it was followed on."""

    contexts: Bits = 0
    code: Bits = 0
    facts: Bits = 0
    cut: Bits = 0
    depth: int = 0
    level: int = 0

    def add(self, inner: "Reached") -> None:
        self.contexts |= inner.contexts
        self.code |= inner.code
        self.facts |= inner.facts
        self.cut |= inner.cut
        self.depth = max(self.depth, inner.depth + 1)


class Memo:
    """What was found in each context. Contexts, code and facts are numbered as they are met."""

    def __init__(self) -> None:
        self.reached = Reached()
        self.facts: dict[Fact, Bits] = {}
        self.code: dict[str, Bits] = {}
        self._contexts: dict[Hashable, int] = {}
        self._running: Bits = 0
        self._level = 0
        self._steps = 0
        self._rounds: Counter[int] = Counter()
        self._lasting: dict[int, tuple[Any, Reached]] = {}
        self._passing: dict[int, tuple[Any, Reached]] = {}

    def begin(self) -> None:
        """A new root: nothing is being followed."""
        self.reached = Reached()
        self._running = TOO_DEEP
        self._level = 0
        self._steps = 0
        self._passing.clear()

    @property
    def is_exhausted(self) -> bool:
        """Whether more was to be followed from this root than `MAX_CONTEXTS`."""
        return self._steps > MAX_CONTEXTS

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
        follow: Callable[[], Found],
        otherwise: Callable[[], Found],
        function: int | None = None,
    ) -> Found:
        """What `follow` finds in this context, which is one of `function`, by its id. `otherwise` stands for it where
        the way must be cut off."""
        number = self._contexts.get(context)  # the only time that it is hashed: contexts are large
        if number is None:
            number = self._contexts[context] = len(self._contexts) + 1
        for known in (self._lasting.get(number), self._passing.get(number)):
            if known is not None and self._holds(known[1]):
                self.reached.add(known[1])
                found: Found = known[0]
                return found
        self._steps += 1
        bit = 1 << number
        if self._running & bit or self._level >= MAX_DEPTH or self._steps > MAX_CONTEXTS:
            self.reached.cut |= bit if self._running & bit else TOO_DEEP
            return otherwise()
        if function is None:
            return self._follow(number, bit, follow)
        return self._follow_function(number, bit, follow, otherwise, function)

    def _follow_function(
        self, number: int, bit: Bits, follow: Callable[[], Found], otherwise: Callable[[], Found], function: int
    ) -> Found:
        """Follows a function, or cuts it off where it is being followed for the last time already. What was found on
        the way round holds only there, as if each of the rounds were one context."""
        around = 1 << self._contexts.setdefault(("rounds", function), len(self._contexts) + 1)
        if self._rounds[function] >= MAX_ROUNDS:
            self.reached.cut |= around
            self.reached.contexts |= around
            return otherwise()
        self._rounds[function] += 1
        try:
            return self._follow(number, bit | (around & ~self._running), follow, bit)
        finally:
            self._rounds[function] -= 1

    def _holds(self, reached: Reached) -> bool:
        """Whether following it anew would find the same."""
        if reached.cut:
            return self._level >= reached.level or not reached.cut & TOO_DEEP
        return not reached.contexts & self._running and self._level + reached.depth < MAX_DEPTH

    def _follow(self, number: int, bit: Bits, follow: Callable[[], Found], own: Bits = 0) -> Found:
        outer, inner = self.reached, Reached(contexts=own or bit, level=self._level)
        self.reached = inner
        self._running |= bit
        self._level += 1
        try:
            found = follow()
        finally:
            self._level -= 1
            self._running &= ~bit
            self.reached = outer
        if inner.cut & bit:
            inner.cut &= ~bit
            self._passing = {key: known for key, known in self._passing.items() if not known[1].cut & bit}
        memory = self._passing if inner.cut else self._lasting
        memory[number] = (found, inner)
        outer.add(inner)
        return found


def body_of(path: str, qualname: str) -> str:
    """How the body of a module's outermost function is called."""
    return f"{path}:{qualname}"


def numbered(items: Iterable[Fact], bits: Bits) -> Iterator[Fact]:
    """The items whose numbers are in a set."""
    return (item for item, digit in zip(items, bin(bits)[:1:-1], strict=False) if digit == "1")
