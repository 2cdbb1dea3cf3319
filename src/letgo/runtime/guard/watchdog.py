"""Sees what the suspension driver cannot: code that blocks a thread or the event loop, and child tasks that wait.

One thread for the process looks every few milliseconds at the transactions that are idle. Whose stack to read follows
from the request: the worker thread that runs with its context, the task, or the thread that the event loop is stuck in.
"""

import gc
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from letgo.holds import Wait, WaitKind
from letgo.runtime.guard.frames import (
    OURS,
    Stop,
    context_of_loop,
    context_of_thread,
    line_of,
    stack_of_awaitable,
    stack_of_thread,
    whose,
)
from letgo.runtime.guard.tracking import WATCH, Open, log, opened, settle
from letgo.runtime.guard.waits import handed_to_thread, wait_in, waits_in_framework
from letgo.runtime.guard.watch import Watch
from letgo.runtime.request import request_in

BUSY_SHARE = 0.8
"""A thread that had or wanted the processor for at least this share of the time computes; otherwise it waits."""


class Suspect(NamedTuple):
    """A transaction that was idle a tick ago: whose thread had used how much processor time then, and when."""

    last: float
    thread: int | None
    used: float
    at: float


class Watchdog:
    """Looks every `tick` seconds, from the first `start` to `stop`."""

    def __init__(self) -> None:
        self.tick = 1.0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._suspects: dict[int, Suspect] = {}

    def start(self, tick: float) -> None:
        self.tick = min(self.tick, tick)
        if self._thread is None or not self._thread.is_alive():
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="letgo-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._thread, self.tick = None, 1.0

    def _run(self) -> None:
        while not self._stopped.wait(self.tick):
            try:
                if opened:
                    self.look()
            except Exception:
                log.exception("the guard's watchdog failed once; it goes on")

    def look(self) -> None:
        """Look once at everything that is open."""
        now = time.monotonic()
        idle = [found for found in list(opened.values()) if _is_due(found, now)]
        suspects = {}
        for found, thread, stack in _who_keeps(idle):
            before = self._suspects.get(id(found))
            used = _processor_time(thread)
            if before is None or before.last != found.last or before.thread != thread:
                suspects[id(found)] = Suspect(found.last, thread, used, now)
            else:
                suspects[id(found)] = before
                busy = thread is not None and used - before.used >= BUSY_SHARE * (now - before.at)
                self._tell(found, stack, busy, now)
                if found.looked == now:
                    suspects[id(found)] = Suspect(found.last, thread, used, now)
        self._suspects = suspects

    def _tell(self, found: Open, stack: Sequence[Stop], busy: bool, now: float) -> None:
        watch = found.watch
        wait = _wait(found, stack, busy)
        if wait is not None and not found.busy:
            if found.pending is not None and found.pending.site != wait.site:
                settle(found, now)
                found.looked = now
            found.pending = wait
        idle = found.idle + found.idle_for(now)
        if not found.told and idle >= watch.settings.held and not (found.allowed or watch.reasons):
            found.told = idle
            watch.recorder.still_held(watch, found, _lines(stack))


def _is_due(found: Open, now: float) -> bool:
    if found.busy or found.watch.reasons or found.allowed:
        return False
    settings = found.watch.settings
    idle = now - max(found.last, found.looked)
    return idle >= settings.wait or (not found.told and found.idle + found.idle_for(now) >= settings.held)


def _who_keeps(idle: Sequence[Open]) -> list[tuple[Open, int | None, list[Stop]]]:
    """Each of the transactions with the thread, if it is one, and the stack of whoever keeps it open."""
    if not idle:
        return []
    with collection_paused():
        threads = sys._current_frames()
        return [(found, *_who(found, threads)) for found in idle]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Without cyclic garbage collection, where Python starts one whenever it makes an object: before 3.12.

    A frame gets its object only when somebody asks for it. What is collected meanwhile may let the frame's thread run
    on and leave it, and the object is then made for memory that is free: a segmentation fault.
    """
    if sys.version_info >= (3, 12) or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _who(found: Open, threads: dict[int, FrameType]) -> tuple[int | None, list[Stop]]:
    watch = found.watch
    if watch.in_request:
        for ident, frame in threads.items():
            if _is_for(watch, context_of_thread(frame)):
                return ident, stack_of_thread(frame)
        # A middleware may run the rest of the app in a task of its own, as Starlette's BaseHTTPMiddleware does.
        if found.task is None and _is_for(watch, context_of_loop(threads.get(watch.thread))):
            return watch.thread, stack_of_thread(threads[watch.thread])
    task = found.task or watch.task
    coroutine = watch.coroutine if task is watch.task else task and task.get_coro()
    if coroutine is not None and task is not None and not task.done():
        if not getattr(coroutine, "cr_running", False):
            return None, stack_of_awaitable(coroutine)
        return found.thread, stack_of_thread(threads.get(watch.thread))
    stack = stack_of_thread(threads.get(found.thread))
    still_there = {stop.code for stop in stack} & {code for code, _ in found.at}
    return (found.thread, stack) if still_there else (None, [])


def _is_for(watch: Watch, context: Context | None) -> bool:
    """Whether a context is that of the request that is watched."""
    request = request_in(context) if context is not None else None
    return request is not None and request.scope.get(WATCH) is watch


def _wait(found: Open, stack: Sequence[Stop], busy: bool) -> Wait | None:
    watch = found.watch
    if handed_to_thread(stack):
        return waits_in_framework(stack, watch.site())
    wait = wait_in(stack, watch.settings.root)
    if wait is None:
        return waits_in_framework(stack, watch.site())
    if busy and wait.kind is WaitKind.EXTERNAL:
        return replace(wait, kind=WaitKind.COMPUTE)
    return wait


def _processor_time(thread: int | None) -> float:
    """Seconds for which a thread had the processor or stood in line for it; 0 on systems other than Linux.

    `time.pthread_getcpuclockid` would tell it on more systems, but crashes when the thread has just ended.
    """
    native = next((one.native_id for one in threading.enumerate() if one.ident == thread), None)
    try:
        running, runnable, _ = Path(f"/proc/self/task/{native}/schedstat").read_text().split()
        return (int(running) + int(runnable)) / 1e9
    except (OSError, ValueError):
        return 0.0


def _lines(stack: Sequence[Stop]) -> str:
    ours = [stop for stop in stack if whose(stop.code.co_filename) == OURS] or list(stack[:1])
    return "\n".join(f"      {stop.code.co_filename}:{line_of(stop[:2])} in {stop.code.co_name}" for stop in ours[:8])


watchdog = Watchdog()
