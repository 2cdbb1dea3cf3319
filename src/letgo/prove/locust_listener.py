"""A locustfile beside the team's own: tells letgo what Locust's statistics say, a tick at a time.

It has no users. Where letgo has not started Locust it does nothing.
"""

import os
import pickle
import re
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, BinaryIO

from letgo.prove.histogram import bucket_of
from letgo.prove.ticks import STEP, Began, RouteTick, Tick

PIPE = "LETGO_PROVE_PIPE"
"""The environment variable with the descriptor to write ticks to."""

NUMBER = "LETGO_PROVE_MAKER"

RAISED = "(exception in a user)"
"""Locust logs what its users raise and goes on; to us each is a request that ended with an error."""


class Told:
    """What the statistics said last, so that a tick has only what is new."""

    def __init__(self, environment: Any, out: BinaryIO, maker: int) -> None:
        self.environment, self.out, self.maker = environment, out, maker
        self.start = 0.0
        self.cpu_at_start = process_time()
        self.times: dict[tuple[str, int], int] = {}
        self.requests: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.raised: dict[int, int] = {}

    def write(self, message: Tick | Began) -> None:
        pickle.dump(message, self.out)
        self.out.flush()

    def begin(self, **_: Any) -> None:
        self.start = perf_counter()
        self.write(Began(self.start))

    def tick(self) -> None:
        runner = self.environment.runner
        at = perf_counter() - self.start
        works = not is_worker(self.environment)
        users = runner.user_count if works else 0
        cpu_seconds = process_time() - self.cpu_at_start
        self.write(Tick(self.maker, at, users, cpu_seconds, 0.0, self.news() if works else {}))

    def news(self) -> dict[str, RouteTick]:
        routes: dict[str, RouteTick] = {}
        for entry in list(self.environment.stats.entries.values()):
            name = f"{entry.method} {entry.name}".strip()
            tick = RouteTick(requests=grown(self.requests, name, entry.num_requests))
            for milliseconds, count in list(entry.response_times.items()):
                if new := grown(self.times, (name, milliseconds), count):
                    bucket = bucket_of(int(milliseconds * 1000))
                    tick.latencies[bucket] = tick.latencies.get(bucket, 0) + new
            if tick.requests:
                routes[name] = tick
        for key, error in list(self.environment.stats.errors.items()):
            if new := grown(self.errors, key, error.occurrences):
                tick = routes.setdefault(f"{error.method} {error.name}".strip(), RouteTick())
                cause = cause_of(error.error)
                tick.errors[cause] = tick.errors.get(cause, 0) + new
        for number, raised in list(self.environment.runner.exceptions.items()):
            if new := grown(self.raised, number, raised["count"]):
                tick = routes.setdefault(RAISED, RouteTick())
                cause = f"{raised['msg']}{place_of(raised['traceback'])}"
                tick.requests += new
                tick.errors[cause] = tick.errors.get(cause, 0) + new
        return routes


def cause_of(error: Any) -> str:
    """What an error says. From a worker it comes as the `repr` of an exception."""
    said = " ".join(str(error).split())
    found = re.fullmatch(r"""\w+\((['"])(.*)\1,?\)""", said)
    return found[2] if found else said


def place_of(traceback: str) -> str:
    """Where an exception was raised, as the end of a sentence about it."""
    frames = re.findall(r'File "(.+?)", line (\d+), in (\S+)', traceback)
    return f" in {frames[-1][2]} ({Path(frames[-1][0]).name}:{frames[-1][1]})" if frames else ""


def grown(before: dict[Any, int], key: Any, now: int) -> int:
    """By how much a count has grown since it was last asked for."""
    new = now - before.get(key, 0)
    before[key] = now
    return max(0, new)


def is_worker(environment: Any) -> bool:
    return type(environment.runner).__name__ == "WorkerRunner"


def tell(told: Told) -> None:
    """Run beside the users until the process ends."""
    import gevent

    while True:
        gevent.sleep(STEP)
        if told.start:
            told.tick()


def listen(environment: Any, **_: Any) -> None:
    """When Locust has made its runner."""
    import gevent
    from locust import runners

    runners.WORKER_REPORT_INTERVAL = STEP  # of its own accord a worker tells its master every three seconds
    told = Told(environment, os.fdopen(int(os.environ[PIPE]), "wb"), int(os.environ[NUMBER]))
    environment.events.test_start.add_listener(told.begin)
    environment.events.quitting.add_listener(lambda **_: told.tick() if told.start else None)
    gevent.spawn(tell, told)


if PIPE in os.environ:
    from locust import events

    events.init.add_listener(listen)
