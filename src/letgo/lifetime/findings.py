"""What following the roots of a code base has found, from several sources: this process, others, and the run before."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from letgo.holds import Site
from letgo.lifetime.facts import Fact, Followed
from letgo.lifetime.memo import Bits, Memo, numbered


class Outcome(NamedTuple):
    """Of one root: its facts and the code it depends on, as numbers in the lists of its source."""

    facts: Bits
    code: Bits


class Outcomes(NamedTuple):
    """What a process has found of some roots, by their names."""

    facts: tuple[Fact, ...]
    code: tuple[str, ...]
    roots: dict[str, Outcome]


class Source(NamedTuple):
    """The same to look things up in. `listed` and `code` are in the order of their numbers; `facts` tells the numbers
    of a fact, of which it has several if it has come to be the same as another."""

    listed: Collection[Fact]
    facts: dict[Fact, Bits]
    code: Collection[str]
    roots: dict[str, Outcome]

    def outcomes(self) -> Outcomes:
        return Outcomes(tuple(self.listed), tuple(self.code), self.roots)


class Findings:
    """The sources, and what of them is kept: the facts of the roots that begin where no other root leads to."""

    def __init__(self, memo: Memo) -> None:
        self.own = Source(memo.facts, memo.facts, memo.code, {})
        self.sources = [self.own]
        self._kept: list[Bits] = [0]

    def add(self, outcomes: Outcomes) -> None:
        facts: dict[Fact, Bits] = {}
        for number, fact in enumerate(outcomes.facts):
            facts[fact] = facts.get(fact, 0) | 1 << number
        self.sources.append(Source(outcomes.facts, facts, outcomes.code, outcomes.roots))
        self._kept.append(0)

    def knows(self, root: str) -> bool:
        return any(root in source.roots for source in self.sources)

    def keep(self, root: str) -> None:
        place = next(place for place, source in enumerate(self.sources) if root in source.roots)
        self._kept[place] |= self.sources[place].roots[root].facts

    def leads_to(self, function: Site) -> bool:
        """Whether the function was followed from a root that is kept."""
        fact = Followed(function)
        return any(kept & source.facts.get(fact, 0) for kept, source in zip(self._kept, self.sources, strict=True))

    def supposing(self) -> "Findings":
        """A copy in which others may be kept."""
        copy = object.__new__(Findings)
        copy.own, copy.sources, copy._kept = self.own, self.sources, self._kept.copy()
        return copy

    def facts(self) -> Iterator[Fact]:
        for kept, source in zip(self._kept, self.sources, strict=True):
            yield from numbered(source.listed, kept)
