"""What is made once and kept for as long as the database says nothing else."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from letgo_gateway.database.changes import Changes, Topic

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Versions = Mapping[str, int]


class Kept(Generic[K, V]):
    """Values by key, each with the versions of its topics that it was made from; the least used goes first.

    A value is used while no newer version of one of `topics` is known. Several that ask for the same value at the same
    time make it once. `most` bounds the sum of what `size` says of the values: their number, if it is not given.
    """

    def __init__(
        self, changes: Changes, topics: frozenset[Topic], most: int, size: Callable[[V], int] = lambda _: 1
    ) -> None:
        self._changes = changes
        self._topics = topics
        self._most = most
        self._size = size
        self._total = 0
        self._values: OrderedDict[K, tuple[Versions, V]] = OrderedDict()
        self._making: dict[K, asyncio.Lock] = {}
        changes.subscribe(self._changed)

    def get(self, key: K) -> V | None:
        """The value, if there is one that is still true."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[1]

    async def get_or_make(self, key: K, make: Callable[[], Awaitable[tuple[Versions, V]]]) -> V:
        """The value; `make` reads it together with the versions that it is true for, in one unit of work."""
        if (value := self.get(key)) is not None:
            return value
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                if (value := self.get(key)) is not None:
                    return value
                versions, value = await make()
                self._changes.learn(versions)
                self._keep(key, versions, value)
                return value
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    def drop(self, key: K) -> None:
        if (found := self._values.pop(key, None)) is not None:
            self._total -= self._size(found[1])

    def _keep(self, key: K, versions: Versions, value: V) -> None:
        if any(versions[topic] < self._changes.versions[topic] for topic in self._topics):
            return  # it has been overtaken while it was made: true for whoever asked then, and for nobody later
        self.drop(key)
        self._values[key] = versions, value
        self._total += self._size(value)
        while self._total > self._most and self._values:
            self.drop(next(iter(self._values)))

    def _changed(self, topics: frozenset[str]) -> None:
        if topics & self._topics:
            self._values.clear()
            self._total = 0
