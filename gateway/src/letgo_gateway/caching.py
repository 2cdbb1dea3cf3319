"""What is made once and kept for as long as the database says nothing else."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from letgo_gateway.database.changes import OWN_TOPICS, Changes, Topic, own

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Versions = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Making(Generic[V]):
    """A value that is on its way: it will be true for all that was known when it `began`, or for more.

    `made` becomes its versions and the value, or the error; None if whoever made it has gone.
    """

    began: Versions
    made: "asyncio.Future[tuple[Versions, V] | Exception | None]"


class Kept(Generic[K, V]):
    """Values by key, each with the versions of its topics that it was made from; the least used goes first.

    A value is used while no newer version of one of `topics` is known. Several that ask for the same value at the same
    time make it once, and once more for those who know of a change that it missed: a value that changes all the time is
    made as often as that takes, and not once for each who asks. `most` bounds the sum of what `size` says of the
    values: their number, if it is not given. If `whose` is, it gives the user whose own entries a value depends on too.
    """

    def __init__(
        self,
        changes: Changes,
        topics: frozenset[Topic],
        most: int,
        size: Callable[[V], int] = lambda _: 1,
        whose: Callable[[K], str | None] | None = None,
    ) -> None:
        self._changes = changes
        self._topics = topics
        self._most = most
        self._size = size
        self._whose = whose
        self._keys: dict[str | None, set[K]] = {}
        self._total = 0
        self._values: OrderedDict[K, tuple[Versions, V]] = OrderedDict()
        self._making: dict[K, _Making[V]] = {}
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
        wanted = dict(self._changes.versions)
        while (making := self._making.get(key)) is not None:
            made = await asyncio.shield(making.made)
            if isinstance(made, Exception):
                if self._covers(key, making.began, wanted):
                    raise made
            elif made is not None and self._covers(key, made[0], wanted):
                return made[1]
        if (value := self.get(key)) is not None:
            return value
        return await self._make(key, make)

    async def _make(self, key: K, make: Callable[[], Awaitable[tuple[Versions, V]]]) -> V:
        making: _Making[V] = _Making(dict(self._changes.versions), asyncio.get_running_loop().create_future())
        self._making[key] = making
        told: tuple[Versions, V] | Exception | None = None
        try:
            told = await make()
            # Of the owners' topics, notifications tell more.
            self._changes.learn({topic: told[0][topic] for topic in self._topics - OWN_TOPICS})
            self._keep(key, *told)
            return told[1]
        except Exception as error:
            told = error
            raise
        finally:
            del self._making[key]
            making.made.set_result(told)

    def _covers(self, key: K, versions: Versions, wanted: Versions) -> bool:
        if self._whose is not None and versions[topic := own(self._whose(key))] < wanted[topic]:
            return False
        return all(versions[topic] >= wanted[topic] for topic in self._topics)

    def drop(self, key: K) -> None:
        if (found := self._values.pop(key, None)) is not None:
            self._total -= self._size(found[1])
            if self._whose is not None:
                keys = self._keys[user := self._whose(key)]
                keys.discard(key)
                if not keys:
                    del self._keys[user]

    def _keep(self, key: K, versions: Versions, value: V) -> None:
        if not self._covers(key, versions, self._changes.versions):
            return  # it has been overtaken while it was made: true for whoever asked then, and for nobody later
        self.drop(key)
        self._values[key] = versions, value
        self._total += self._size(value)
        if self._whose is not None:
            self._keys.setdefault(self._whose(key), set()).add(key)
        while self._total > self._most and self._values:
            self.drop(next(iter(self._values)))

    def _changed(self, topics: frozenset[str], owner: str | None) -> None:
        if topics & self._topics:
            self._values.clear()
            self._keys.clear()
            self._total = 0
        elif self._whose is not None and (owned := topics & OWN_TOPICS):
            users = [owner] if owner is not None else [user for user in self._keys if own(user) in owned]
            for key in [key for user in users for key in self._keys.get(user, ())]:
                self.drop(key)
