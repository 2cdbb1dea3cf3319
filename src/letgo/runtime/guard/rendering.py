"""Sees each Jinja template that renders while a transaction is open, however fast: for mode `raise` alone.

In production a render that is long enough to matter is seen like any other wait. In a test it takes a millisecond.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from time import monotonic
from typing import Any

from letgo.holds import WaitKind
from letgo.runtime.guard.frames import stack_of_thread
from letgo.runtime.guard.tracking import current_watch, log
from letgo.runtime.guard.waits import wait_in


def listen() -> None:
    """Wrap `jinja2.Template.render`, if the application uses Jinja. To call it again changes nothing."""
    jinja2 = sys.modules.get("jinja2")
    if jinja2 is not None and not hasattr(jinja2.Template.render, "letgo"):
        jinja2.Template.render = _seen(jinja2.Template.render)


def _seen(render: Callable[..., str]) -> Callable[..., str]:
    @wraps(render)
    def seen(*arguments: Any, **named: Any) -> str:
        since = monotonic()
        text = render(*arguments, **named)
        try:
            _rendered(since)
        except Exception:
            log.exception("the guard failed to see a render; the application goes on")
        return text

    seen.letgo = True  # type: ignore[attr-defined]
    return seen


def _rendered(since: float) -> None:
    watch = current_watch()
    if watch is None or watch.settings.mode != "raise" or watch.reasons:
        return
    now = monotonic()
    for found in watch.idle_now():
        if not found.busy:
            wait = wait_in(stack_of_thread(sys._getframe(2)), watch.settings.root)
            if wait is not None:
                watch.noted(found, replace(wait, kind=WaitKind.RENDER), now - max(since, found.last))
                found.looked = now
