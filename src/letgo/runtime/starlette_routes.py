"""Starlette's own `def` endpoints let go in the thread they ran in.

Only there is it known that nobody uses their sessions any more, and only there does waiting for the database keep
nobody else waiting.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from starlette.routing import BaseRoute, Route, request_response

from letgo.runtime import releasing
from letgo.runtime.releasing import handling


def hook(routes: Iterable[BaseRoute]) -> None:
    """Wrap the endpoints of `routes` and of what is mounted there. Called when the app serves for the first time."""
    for route in routes:
        if type(route) is Route and _is_plain_function(route.endpoint) and inspect.isfunction(route.app):
            route.app = request_response(_settling(route.endpoint))
        hook(getattr(route, "routes", None) or ())


def _is_plain_function(endpoint: Any) -> bool:
    return inspect.isroutine(endpoint) and not inspect.iscoroutinefunction(endpoint)


def _settling(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    def call(request: Any) -> Any:
        response = endpoint(request)
        current = handling.get()
        if current is not None:
            current.endpoint = endpoint
            if not current.kept:
                releasing.settle(current, response.status_code)
        return response

    return call
