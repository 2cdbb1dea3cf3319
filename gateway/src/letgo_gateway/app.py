"""The application: its rooms, their routes, and what every request goes through."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from letgo.runtime import Guard
from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.describing import describe
from letgo_gateway.direct import Direct
from letgo_gateway.errors import Refused
from letgo_gateway.identity import login, roles, teams, tokens, users
from letgo_gateway.limits import Limited
from letgo_gateway.mcp.room import Room as McpRoom
from letgo_gateway.observability import health, metrics
from letgo_gateway.observability.logs import correlation
from letgo_gateway.observability.observed import Observed
from letgo_gateway.pacing import Paced
from letgo_gateway.registry import routes, tags, transfer
from letgo_gateway.rooms import make_rooms, opened
from letgo_gateway.settings import Settings

RETRY_AFTER = "1"
log = logging.getLogger("letgo_gateway")


def create_app(settings: Settings) -> ASGIApp:
    """The gateway over a database that `prepare` has made ready. Raises `WrongSetting`."""
    rooms = make_rooms(settings)
    mcp = McpRoom(rooms)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        build(app)
        async with opened(rooms), mcp.opened():
            yield

    app = FastAPI(title="letgo gateway", version=version("letgo-gateway"), lifespan=lifespan)
    app.state.rooms = rooms
    app.router.routes.extend(mcp.routes())
    health.add_health(app)
    routes.add_lists(app)
    often = [route for route in app.routes if isinstance(route, Route)]
    for room in (health, metrics, login, users, teams, tokens, roles, tags, transfer):
        app.include_router(room.router)
    for router in routes.routers():
        app.include_router(router)
    describe(app)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(DatabaseBusy, busy)
    app.add_exception_handler(Exception, failed)

    def bounded(one: ASGIApp) -> Limited:
        return Limited(one, settings.body_size, settings.body_seconds)

    app.add_middleware(bounded)
    direct = Direct(app, often, bounded)
    guarded: ASGIApp = direct if settings.guard == "off" else Guard(direct, mode=settings.guard)
    return Observed(Paced(guarded), settings.access_log)


def build(app: FastAPI) -> None:
    """Have FastAPI make its routes now. It would do so when each router is first asked, while everybody else waits."""
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": [], "app": app})


async def refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return JSONResponse({"detail": error.message}, error.status, error.headers)


async def invalid(request: Request, error: Exception) -> Response:
    """What was wrong and where, without what was sent: it may be a secret, or no text at all."""
    assert isinstance(error, RequestValidationError)
    told = [{name: one[name] for name in ("loc", "msg", "type")} for one in error.errors()]
    return Response(json.dumps({"detail": told}), 422, media_type="application/json")


async def busy(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": RETRY_AFTER})


async def failed(request: Request, error: Exception) -> JSONResponse:
    """What nobody has foreseen; who asks can name the line in the log."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"detail": "internal error", "correlation_id": correlation.get()}, 500)
