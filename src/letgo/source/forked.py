"""Work in copies of this process, where the system has such a thing and it is safe.

A pool of `concurrent.futures` would do the same everywhere, but takes as long to import and start as a tenth of the
work it is meant to shorten.
"""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_CHUNKS = 4000
"""The numbers of so many can wait in a pipe."""


class Child(NamedTuple, Generic[Result]):
    """A process at work. Its result comes through `pipe`."""

    pid: int
    pipe: int


def can_fork() -> bool:
    """Other threads are not copied, and what they held locked would stay locked in the copy."""
    return hasattr(os, "fork") and threading.active_count() == 1


@contextmanager
def shared(
    items: Sequence[Item], work: Callable[[Iterator[Item]], Result], copies: int, chunk: int = 1
) -> Iterator[tuple[Iterator[Item], Iterator[Result]]]:
    """Lets so many copies of this process `work` on what they take of the items, beside this one.

    Gives the items that are left for this process, which takes what is next until there is no more, and then what the
    copies have made of theirs. What a copy took and did not finish is in no result. `chunk` items are taken at once.
    """
    size = max(chunk, len(items) // MOST_CHUNKS + 1)
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as queue:
        with os.fdopen(writing, "wb") as filling:
            filling.write(b"".join(number.to_bytes(4, "big") for number in range(1, len(chunks) + 1)))
        taken = iter(lambda: int.from_bytes(queue.read(4), "big"), 0)
        waiting = chain.from_iterable(map([[], *chunks].__getitem__, taken))
        children = [child for _ in range(copies) if (child := start(partial(work, waiting)))]
        try:
            yield waiting, (result for child in _each(children) if (result := finish(child)) is not None)
        finally:
            for child in children:
                stop(child)


def _each(children: list[Child[Result]]) -> Iterator[Child[Result]]:
    while children:
        yield children.pop()


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
