"""What following the roots of a code base has found, from several sources: this process, others, and the run before."""

from collections.abc import Iterator
from typing import NamedTuple

from letgo.holds import Site
from letgo.lifetime.facts import Fact, Followed
from letgo.lifetime.memo import Bits, Memo, numbered


class Outcome(NamedTuple):
    """Of one root: its facts and the modules it depends on, as numbers in the lists of its source."""

    facts: Bits
    modules: Bits


class Outcomes(NamedTuple):
    """What a process has found of some roots, by their names."""

    facts: tuple[Fact, ...]
    modules: tuple[str, ...]
    roots: dict[str, Outcome]


class Source(NamedTuple):
    """The same to look things up in: facts and modules have their numbers."""

    facts: dict[Fact, Bits]
    modules: dict[str, Bits]
    roots: dict[str, Outcome]

    def outcomes(self) -> Outcomes:
        return Outcomes(tuple(self.facts), tuple(self.modules), self.roots)


class Findings:
    """The sources, and what of them is kept: the facts of the roots that begin where no other root leads to."""

    def __init__(self, memo: Memo) -> None:
        self.own = Source(memo.facts, memo.modules, {})
        self.sources = [self.own]
        self._kept: list[Bits] = [0]

    def add(self, outcomes: Outcomes) -> None:
        facts = {fact: 1 << number for number, fact in enumerate(outcomes.facts)}
        modules = {path: 1 << number for number, path in enumerate(outcomes.modules)}
        self.sources.append(Source(facts, modules, outcomes.roots))
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
            yield from numbered(source.facts, kept)
