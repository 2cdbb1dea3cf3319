"""What many ask for at the same time is read in one go."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import Context
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MOST = 500


class Together(Generic[K, V]):
    """Reads what many ask for at the same time in one go: all that is asked for while the go before is under way.

    So thousands who come at once, each with a key of their own, are a few units of work and not thousands.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._asked: dict[K, asyncio.Future[V]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __call__(self, key: K) -> V:
        """Raises what `read` raises."""
        future = self._asked.get(key)
        if future is None:
            future = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            # It belongs to no request: it goes on for others when that which began it is over.
            self._reading = asyncio.get_running_loop().create_task(self._read_all(), context=Context())
        return await asyncio.shield(future)

    async def _read_all(self) -> None:
        try:
            while self._asked:
                asked = {key: self._asked.pop(key) for key in list(islice(self._asked, MOST))}
                try:
                    found = await self._read(list(asked))
                except Exception as error:
                    _settle(asked, error)
                else:
                    _settle(asked, found)
        finally:
            self._reading = None


def _settle(asked: Mapping[K, "asyncio.Future[V]"], found: Mapping[K, V] | Exception) -> None:
    for key, future in asked.items():
        if future.cancelled():
            continue
        if isinstance(found, Exception):
            future.set_exception(found)
            future.exception()  # whoever asked may be gone: then nobody is told, which is no defect
        else:
            future.set_result(found[key])
