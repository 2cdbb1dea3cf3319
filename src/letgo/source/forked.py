"""Work in copies of this process, where the system has such a thing and it is safe.

A pool of `concurrent.futures` would do the same everywhere, but takes as long to import and start as a tenth of the
work it is meant to shorten.
"""

import os
import pickle
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Child(NamedTuple, Generic[Result]):
    """A process at work. Its result comes through `pipe`."""

    pid: int
    pipe: int


def can_fork() -> bool:
    """Other threads are not copied, and what they held locked would stay locked in the copy."""
    return hasattr(os, "fork") and threading.active_count() == 1


def start(work: Callable[[], Result]) -> Child[Result] | None:
    """Begins `work` in a copy of this process; None when the system has no room for one."""
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    if pid:
        os.close(writing)
        return Child(pid, reading)
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(work(), pipe)
        os._exit(0)
    finally:
        # Past whatever this process would do at its end: that is its parent's business.
        os._exit(1)


def finish(child: Child[Result]) -> Result | None:
    """Waits for what `child` makes; None when it died on the way."""
    with os.fdopen(child.pipe, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child.pid, 0)
    if status:
        return None
    result: Result = pickle.loads(data)
    return result


def stop(child: Child[Result]) -> None:
    with suppress(OSError):
        os.close(child.pipe)
        os.kill(child.pid, signal.SIGTERM)
        os.waitpid(child.pid, 0)
