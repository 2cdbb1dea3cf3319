"""The app under load, with its routes named to the database.

`pg_stat_activity` shows a statement, not who sent it. So the app is started through `load`, and each statement that
SQLAlchemy sends for a request begins with a comment, `/*route='GET /books/{id}'*/`. Nothing else is changed.
"""

import importlib
import os
import re
import sys
from contextvars import ContextVar
from typing import Any

from letgo.prove.application import VARIABLE

_scope: ContextVar[dict[str, Any] | None] = ContextVar("letgo_prove_scope", default=None)


def load() -> "Named":
    """The app that `LETGO_PROVE_APP` names, for a server's `--factory`."""
    module, _, attributes = os.environ[VARIABLE].partition(":")
    app: Any = importlib.import_module(module)
    for attribute in (attributes or "app").split("."):
        app = getattr(app, attribute)
    if "sqlalchemy" in sys.modules:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "before_cursor_execute", _name, retval=True)
    return Named(app)


class Named:
    """Remembers the scope of a request for whatever runs in its context. The router adds the route to it in place."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            _scope.set(scope)
        await self.app(scope, receive, send)


def _name(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> tuple[str, Any]:
    scope = _scope.get()
    if scope is None:
        return statement, parameters
    # In front, because Postgres cuts off the end of long statements.
    return f"/*route='{route_of(scope)}'*/ {statement}", parameters


def route_of(scope: dict[str, Any]) -> str:
    """`GET /books/{id}`, with nothing in it that a comment or a driver could mistake (`%` is psycopg's placeholder)."""
    path = getattr(scope.get("route"), "path", None) or scope["path"]
    return re.sub(r"[^\w /{}.-]", "_", f"{scope['method']} {path}")
