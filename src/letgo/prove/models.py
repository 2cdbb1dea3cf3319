"""How users come: so many who each wait for their answers (closed), or visits at a rate that waits for nobody (open).

The difference decides what a stall looks like. Closed users stop asking while the app stands still, so few requests see
the stall: Gil Tene's "coordinated omission", https://www.youtube.com/watch?v=lJ8ydIuPFeU. In the open model a visit is
due at its time; when all users are busy it waits, and its latency counts from when it was due.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from math import sqrt
from time import perf_counter
from typing import Protocol

from letgo.prove.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds of each phase; `users` at the same time; `rate` in visits a second, None in the closed model."""

    users: int
    ramp_up: float
    hold: float
    ramp_down: float
    rate: float | None = None

    @property
    def seconds(self) -> float:
        return self.ramp_up + self.hold + self.ramp_down


NewVisitor = Callable[[int, Callable[[Visitor], None]], Visitor]
"""Makes the n-th visitor of this process, who says when a visit is over."""


class Model(Protocol):
    visitors: list[Visitor]

    @property
    def users(self) -> int:
        """How many are at work now."""

    def unserved(self) -> list[float]:
        """When the visits were due that nobody has begun."""


class Closed:
    """User n comes after its share of the ramp, visits again and again, and leaves after its share of the ramp down."""

    def __init__(self, schedule: Schedule, start: float, new: NewVisitor) -> None:
        self.visitors: list[Visitor] = []
        self._new = new
        self._leaving: dict[Visitor, float] = {}
        loop = asyncio.get_running_loop()
        behind = loop.time() - perf_counter()
        for number in range(schedule.users):
            share = number / schedule.users
            leaves = start + schedule.ramp_up + schedule.hold + schedule.ramp_down * (1 - share)
            loop.call_at(start + schedule.ramp_up * share + behind, self._come, number, leaves)

    @property
    def users(self) -> int:
        return len(self._leaving)

    def unserved(self) -> list[float]:
        return []

    def _come(self, number: int, leaves: float) -> None:
        visitor = self._new(number, self._over)
        self.visitors.append(visitor)
        self._leaving[visitor] = leaves
        visitor.begin(perf_counter())

    def _over(self, visitor: Visitor) -> None:
        now = perf_counter()
        if now < self._leaving.get(visitor, 0.0):
            # Not at once: a visit that ends within its own first call must not pile up calls.
            asyncio.get_running_loop().call_soon(visitor.begin, now)
        else:
            self._leaving.pop(visitor, None)
            visitor.leave()


class Open:
    """A visit at each arrival; `schedule.users` visitors at most serve them, each over a connection of its own."""

    def __init__(self, schedule: Schedule, start: float, new: NewVisitor) -> None:
        self.visitors: list[Visitor] = []
        self._schedule, self._start, self._new = schedule, start, new
        self._idle: deque[Visitor] = deque()
        self._waiting: deque[float] = deque()
        self._arrivals = arrivals(schedule)
        self._loop = asyncio.get_running_loop()
        self._behind = self._loop.time() - perf_counter()
        self._next = next(self._arrivals, None)
        self._wait_for_next()

    @property
    def users(self) -> int:
        return len(self.visitors) - len(self._idle)

    def unserved(self) -> list[float]:
        return list(self._waiting)

    def _wait_for_next(self) -> None:
        if self._next is not None:
            self._loop.call_at(self._start + self._next + self._behind, self._arrive)

    def _arrive(self) -> None:
        elapsed = perf_counter() - self._start
        while self._next is not None and self._next <= elapsed + 1e-4:
            self._serve(self._start + self._next)
            self._next = next(self._arrivals, None)
        self._wait_for_next()

    def _serve(self, due: float) -> None:
        if self._idle:
            self._idle.popleft().begin(due)
        elif len(self.visitors) < self._schedule.users:
            visitor = self._new(len(self.visitors), self._over)
            self.visitors.append(visitor)
            visitor.begin(due)
        else:
            self._waiting.append(due)

    def _over(self, visitor: Visitor) -> None:
        if self._waiting:
            self._loop.call_soon(visitor.begin, self._waiting.popleft())
        else:
            self._idle.append(visitor)


def arrivals(schedule: Schedule) -> Iterator[float]:
    """Seconds from the start at which visits are due: evenly, but for the ramps, where the rate grows and shrinks."""
    rate = schedule.rate or 0.0
    up = rate * schedule.ramp_up / 2  # visits that are due during each phase
    top = up + rate * schedule.hold
    end = top + rate * schedule.ramp_down / 2
    for number in count():
        if number >= end:
            return
        if number < up:
            yield sqrt(2 * number * schedule.ramp_up / rate)
        elif number < top:
            yield schedule.ramp_up + (number - up) / rate
        else:
            left = sqrt(2 * (end - number) * schedule.ramp_down / rate)
            yield max(schedule.ramp_up + schedule.hold, schedule.seconds - left)
