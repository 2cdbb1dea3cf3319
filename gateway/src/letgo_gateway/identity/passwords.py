"""Passwords: hashed by Argon2, in threads, and only so many at a time."""

import asyncio
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from letgo_gateway.database.work import nothing_open
from letgo_gateway.errors import TooMany

T = TypeVar("T")
AT_ONCE = 2
WAITING = 32


class Passwords:
    """Hashing takes `memory` KiB and tens of milliseconds on purpose, so it is bounded: more than `WAITING` callers at
    a time are refused, and a flood of logins takes no more than `AT_ONCE` cores.
    """

    def __init__(self, memory: int) -> None:
        self._hasher = PasswordHasher(memory_cost=memory)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Raises `TooMany`."""
        hashed: str = await self._in_thread(partial(self._hasher.hash, password))
        return hashed

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password; as slow for None, a user that is not there. Raises `TooMany`."""
        right = await self._in_thread(partial(self._is, hashed or self._nobodys, password))
        return right and hashed is not None

    def _is(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: partial[T]) -> T:
        nothing_open("hashing a password")
        if self._waiting >= WAITING:
            raise TooMany("too many logins at once; try again in a moment", after=1)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
