"""Tells the database who holds: the route as a comment after each statement, which `pg_stat_activity` then shows.

A comment belongs to its statement, so it is right behind any pooler. The statements of two routes are two statements to
whatever caches by their text.
"""

import re
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from letgo.runtime.guard.tracking import current_watch, log

UNSAFE = re.compile(r"[^\w/{}.\- ]")
"""What could end a comment, or be taken for a parameter by a driver."""


def listen() -> None:
    if not event.contains(Engine, "before_cursor_execute", _name):
        event.listen(Engine, "before_cursor_execute", _name, retval=True)


def _name(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    try:
        watch = current_watch()
        if watch is not None and watch.in_request and watch.settings.name_route:
            handler = watch.handler()
            function = handler.site.function if handler is not None else ""
            return f"{statement} /* route={_safe(watch.route())} handler={_safe(function)} */", parameters
    except Exception:
        log.exception("the guard could not name the route; the application goes on")
    return statement, parameters


def _safe(text: str) -> str:
    return UNSAFE.sub("_", text)
