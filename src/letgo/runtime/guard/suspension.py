"""Sees what a request's own task waits for: it drives the coroutine, and looks each time it is suspended.

While nothing is open that costs next to nothing, and no library needs to be known or patched. What is awaited is read
off the coroutine when the wait is over and was long enough to tell: until it goes on, it still stands there.
"""

from collections.abc import Coroutine, Generator
from time import monotonic
from typing import Any

from letgo.runtime.guard.frames import stack_of_awaitable
from letgo.runtime.guard.tracking import log
from letgo.runtime.guard.waits import handed_to_thread, wait_in, waits_in_framework
from letgo.runtime.guard.watch import Watch


class Driven:
    """Awaiting it is awaiting the coroutine."""

    __slots__ = ("coroutine", "watch")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], watch: Watch) -> None:
        self.coroutine = coroutine
        self.watch = watch

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, watch = self.coroutine, self.watch
        go_on, argument = coroutine.send, None
        while True:
            try:
                awaited = go_on(argument)
            except StopIteration as stop:
                return stop.value
            since = monotonic() if watch.open else 0.0
            try:
                argument = yield awaited
                go_on = coroutine.send
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                argument, go_on = error, coroutine.throw
            if since and watch.open:
                now = monotonic()
                if now - since >= watch.settings.wait:
                    _waited(watch, coroutine, since, now)


def _waited(watch: Watch, coroutine: Coroutine[Any, Any, Any], since: float, now: float) -> None:
    try:
        idle = [found for found in list(watch.open.values()) if not found.busy and found.began < since]
        if not idle:
            return
        stack = stack_of_awaitable(coroutine)
        if handed_to_thread(stack) and not (wait := waits_in_framework(stack, watch.site())):
            return
        wait = wait_in(stack, watch.settings.root) or waits_in_framework(stack, watch.site())
        for found in idle:
            found.pending = None
            if wait is not None:
                watch.waited(found, wait, now - max(since, found.last))
            found.looked = now
    except Exception:
        log.exception("the guard failed to see a wait; the application goes on")
