"""The short way to what is asked most.

A framework does much around an endpoint that reads its request and makes its answer itself: on this way there are only
the handlers of errors and the bounds on bodies. The routes stay those of the app, which describes them and knows their
names; here they are found at once.
"""

import re
from collections.abc import Callable, Iterable

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Direct:
    """Answers for those routes of `app` whose endpoint speaks ASGI, or takes a request alone and returns a response;
    all others are left to `app`. `bounded` is put around them.
    """

    def __init__(self, app: FastAPI, routes: Iterable[Route], bounded: Callable[[ASGIApp], ASGIApp]) -> None:
        self._app = app
        found = list(routes)
        self._by_path = {route.path: route for route in found if not route.param_convertors}
        self._by_pattern: list[tuple[re.Pattern[str], Route]] = [
            (route.path_regex, route) for route in found if route.param_convertors
        ]
        handlers = dict(app.exception_handlers)
        failed = handlers.pop(Exception)
        self._answering = ServerErrorMiddleware(ExceptionMiddleware(bounded(answer), handlers), failed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._finds(scope):
            await self._answering(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _finds(self, scope: Scope) -> bool:
        """Whether a route is for this request, which is then in its scope."""
        path, parameters = scope["path"], {}
        route = self._by_path.get(path)
        if route is None:
            for pattern, one in self._by_pattern:
                if (match := pattern.match(path)) is not None:
                    route, parameters = one, match.groupdict()
                    break
        if route is None or scope.get("root_path") or (route.methods and scope["method"] not in route.methods):
            return False
        scope.update(app=self._app, route=route, endpoint=route.endpoint, path_params=parameters)
        return True


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    route: Route = scope["route"]
    if route.methods is None:  # it is ASGI
        await route.endpoint(scope, receive, send)
        return
    response = await route.endpoint(Request(scope, receive, send))
    await response(scope, receive, send)
