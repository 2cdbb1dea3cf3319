"""Room for code that is nested deeply: a chain of 1,000 calls is 1,000 levels deep, and each takes some frames."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

DEEP_STACK = 512 * 2**20
"""Bytes of address space, of which a file takes what it needs."""


@contextmanager
def recursion_limit(frames: int) -> Iterator[None]:
    """Lets functions call each other to a depth of `frames`, which are no part of the C stack since Python 3.11."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(frames, before))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def on_a_larger_stack(work: Callable[[], Result]) -> Result:
    """What `work` gives, on a stack of `DEEP_STACK`: C code needs it. Raises what `work` raises."""
    results: list[Result] = []
    errors: list[Exception] = []

    def attempt() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    size = threading.stack_size(DEEP_STACK)
    try:
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    except RuntimeError as error:
        raise RecursionError("no room for a larger stack") from error
    finally:
        threading.stack_size(size)
    if errors:
        raise errors[0]
    return results[0]
