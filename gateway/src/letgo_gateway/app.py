"""The application: its rooms, their routes, and what every request goes through."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.types import ASGIApp

from letgo.runtime import Guard
from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.errors import Refused
from letgo_gateway.identity import login, roles, teams, tokens, users
from letgo_gateway.registry import routes, tags
from letgo_gateway.rooms import Rooms, make_rooms, opened
from letgo_gateway.settings import Settings

RETRY_AFTER = "1"


def create_app(settings: Settings) -> ASGIApp:
    """The gateway over a database that `prepare` has made ready. Raises `WrongSetting`."""
    rooms = make_rooms(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(rooms):
            yield

    app = FastAPI(title="letgo gateway", version="0.1.0", lifespan=lifespan)
    app.state.rooms = rooms
    for router in (*(room.router for room in (login, users, teams, tokens, roles, tags)), *routes.routers()):
        app.include_router(router)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(DatabaseBusy, busy)
    return app if settings.guard == "off" else Guard(app, mode=settings.guard)


async def refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return JSONResponse({"detail": error.message}, error.status, error.headers)


async def busy(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": RETRY_AFTER})


__all__ = ["Rooms", "create_app"]
