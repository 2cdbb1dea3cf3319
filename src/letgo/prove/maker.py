"""A process that makes load: `python -m letgo.prove.maker` reads a `Job` and writes `Tick`s.

It ends when its job is done, or when its input does: then whoever started it is no more.
"""

import asyncio
import contextlib
import gc
import os
import pickle
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import BinaryIO

import uvloop

from letgo.prove.connection import target_of
from letgo.prove.models import Closed, Model, NewVisitor, Open, Schedule
from letgo.prove.scenario import Request, User, Visit, load_users, said, users_of_kind, where
from letgo.prove.ticks import STEP, Bug, Tick
from letgo.prove.visitor import Notes, Visitor

BEAT_SECONDS = 0.1
"""How often the clock is looked at, which tells how far behind it we are."""

SWEEP_SECONDS = 1.0
"""How often, at the least, those are looked for who have waited too long."""


@dataclass(frozen=True, slots=True)
class Job:
    """The part of a load that one of several makers makes, from `start` (of `perf_counter`, the same in all processes).

    Users come from the file `scenario`, or they ask for each of `requests` in turn.
    """

    maker: int
    makers: int
    start: float
    url: str
    schedule: Schedule
    timeout: float
    scenario: Path | None = None
    requests: tuple[Request, ...] = ()


class Load:
    """What happens in this process while there is load."""

    def __init__(self, job: Job, out: BinaryIO) -> None:
        self.job, self.out = job, out
        self.notes = Notes(from_due=job.schedule.rate is not None)
        self.ended = asyncio.Event()
        self.broken = False
        self.late = 0.0
        self.cpu_at_start = process_time()
        self.model: Model = (Open if job.schedule.rate else Closed)(job.schedule, job.start, self._new_visitor())

    async def run(self) -> None:
        # Whatever a scenario's own code raises, wherever we call it, ends up here.
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self._bug(context.get("exception")))
        # Thousands of users are not garbage: to look through them again and again would keep answers waiting.
        all_there = self.job.start + self.job.schedule.ramp_up + STEP
        asyncio.get_running_loop().call_later(max(0.0, all_there - perf_counter()), gc.freeze)
        end = self.job.start + self.job.schedule.seconds
        # What is under way at the end has as long as all else: cut off, slow answers would pass for errors.
        last = end + self.job.timeout
        wake = sweep = self.job.start
        tick = self.job.start + STEP
        while not self.ended.is_set():
            await asyncio.sleep(max(0.0, wake - perf_counter()))
            now = perf_counter()
            self.late = max(self.late, now - wake)
            if now >= sweep:
                self._give_up_the_slow(now)
                sweep = now + min(SWEEP_SECONDS, self.job.timeout / 10)
            if now >= tick:
                self._tell(tick)
                tick += STEP
            if now >= end and (now >= last or not self._busy()):
                break
            wake = min(tick, now + BEAT_SECONDS)
        self._give_up_the_rest()
        self._tell(max(tick, perf_counter()))
        for visitor in self.model.visitors:
            visitor.leave()

    def _new_visitor(self) -> NewVisitor:
        job = self.job
        target = target_of(job.url)
        kinds = users_of_kind(load_users(job.scenario), job.schedule.users) if job.scenario else []

        def new(number: int, over: Callable[[Visitor], None]) -> Visitor:
            everywhere = number * job.makers + job.maker
            user = kinds[number](everywhere) if kinds else Rounds(everywhere, job.requests)
            return Visitor(user, target, self.notes, over, self._bug)

        return new

    def _busy(self) -> bool:
        return any(not visitor.idle for visitor in self.model.visitors) or bool(self.model.unserved())

    def _give_up_the_slow(self, now: float) -> None:
        for visitor in self.model.visitors:
            if visitor.waited(now) > self.job.timeout:
                visitor.give_up(f"no answer in {self.job.timeout:g} s")

    def _give_up_the_rest(self) -> None:
        now = perf_counter()
        unserved = self.model.unserved()  # before visitors are free to begin them
        for visitor in self.model.visitors:
            if visitor.waited(now) > 0:
                visitor.give_up("no answer when the run ended")
        for due in unserved:
            self.notes.latency(UNSERVED, now - due, 0)
            self.notes.error(UNSERVED, "all users were busy to the end")

    def _tell(self, at: float) -> None:
        cpu_seconds = process_time() - self.cpu_at_start
        routes, connecting = self.notes.take()
        tick = Tick(self.job.maker, at - self.job.start, self.model.users, cpu_seconds, self.late, routes, connecting)
        self.late = 0.0
        self._write(tick)

    def _bug(self, error: BaseException | None) -> None:
        if error is not None and not self.broken:
            self.broken = True
            place = f"{where(error, self.job.scenario)}: " if self.job.scenario else ""
            self._write(Bug(f"{place}the scenario failed: {said(error)}"))
        self.ended.set()

    def _write(self, message: Tick | Bug) -> None:
        pickle.dump(message, self.out)
        self.out.flush()


class Rounds(User):
    """Asks for each of some requests in turn; each user begins with another one."""

    def __init__(self, number: int, requests: tuple[Request, ...]) -> None:
        super().__init__(number)
        first = number % len(requests)
        self.requests = requests[first:] + requests[:first]

    def visit(self) -> Visit:
        for request in self.requests:  # noqa: UP028 (`yield from` would try to send the answers to a tuple)
            yield request


UNSERVED = "(visits never begun)"


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files as far as it may be. Raises OSError if that is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 100
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(
            f"{count} connections need {wanted} open files, and the limit is {hard}; raise it with `ulimit -Hn`"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a scenario prints is not for the one who reads our ticks
    job: Job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=end_with_input, daemon=True).start()
    gc.freeze()
    try:
        allow_connections(job.schedule.users)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, contextlib.suppress(BrokenPipeError):
            runner.run(run(job, out))
    except Exception as error:
        pickle.dump(Bug(getattr(error, "message", None) or said(error)), out)
        out.flush()
    os._exit(0)  # thousands of connections need no farewell


async def run(job: Job, out: BinaryIO) -> None:
    await Load(job, out).run()


def end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
