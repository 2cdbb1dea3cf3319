"""Starlette's own endpoints let go in the task or thread they ran in.

Only there is it known that nobody uses their sessions any more, and for a `def` endpoint only there does waiting for
the database keep nobody else waiting.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from starlette.routing import BaseRoute, Route, request_response

from letgo.runtime import releasing
from letgo.runtime.releasing import Handling, handling


def hook(routes: Iterable[BaseRoute]) -> None:
    """Wrap the endpoints of `routes` and of what is mounted there. Called when the app serves for the first time."""
    for route in routes:
        # What is not a function is a class-based endpoint, or has middleware of its own around it.
        if type(route) is Route and inspect.isroutine(route.endpoint) and inspect.isfunction(route.app):
            is_async = inspect.iscoroutinefunction(route.endpoint)
            route.app = request_response((_settled_async if is_async else _settled)(route.endpoint))
        hook(getattr(route, "routes", None) or ())


def _settled(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    def call(request: Any) -> Any:
        response = endpoint(request)
        if (current := _returned_to(endpoint)) is not None:
            releasing.settle(current, response.status_code)
        return response

    return call


def _settled_async(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    async def call(request: Any) -> Any:
        response = await endpoint(request)
        if (current := _returned_to(endpoint)) is not None:
            await releasing.settle_async(current, response.status_code)
        return response

    return call


def _returned_to(endpoint: Callable[..., Any]) -> Handling | None:
    """The request that is to let go now; None if this endpoint is kept open."""
    if (current := handling.get()) is not None:
        current.reached(endpoint)
        current.has_let_go = True
    return None if current is None or current.kept else current
