"""What every request goes through, around all else: a correlation id, a count, a line in the log."""

import logging
import re
from os import urandom
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from letgo_gateway.observability.logs import FIELDS, correlation
from letgo_gateway.observability.metrics import counted

HEADER = b"x-request-id"
ACCEPTED = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
NO_ROUTE = "none"
log = logging.getLogger("letgo_gateway.requests")


class Observed:
    """Plain ASGI, so that streams and cancellations pass untouched.

    A request that says its own id in `X-Request-Id` keeps it; the answer tells it.
    """

    def __init__(self, app: ASGIApp, access_log: bool) -> None:
        self._app = app
        self._logs = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or urandom(16).hex().encode()
        token = correlation.set(request_id.decode())
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
            await send(message)

        began = perf_counter()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._note(scope, status, perf_counter() - began)
            correlation.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route and not the path: there are as many paths as clients like to make up.
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        counted(scope["method"] if route != NO_ROUTE else NO_ROUTE, route, status).observe(seconds)
        if self._logs and log.isEnabledFor(logging.INFO):
            fields = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(seconds * 1e3, 2)}
            log.info("request", extra={FIELDS: fields})


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            return bytes(value) if ACCEPTED.fullmatch(value) else None
    return None
