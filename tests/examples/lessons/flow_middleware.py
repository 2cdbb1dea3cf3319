"""A middleware that keeps a transaction open keeps it for the whole request: `call_next` is the rest of the app."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.types import ASGIApp, Receive, Scope, Send

from shop import NewSession, NewSyncSession, Order

app = FastAPI()


@app.middleware("http")
async def count_inside(request: Request, call_next):
    async with NewSession() as db:
        request.state.orders = (await db.scalars(select(Order))).all()
        return await call_next(request)  # expect: LG201


@app.middleware("http")
async def count_before(request: Request, call_next: Callable[[Request], Awaitable[Response]]):
    async with NewSession() as db:
        request.state.orders = (await db.scalars(select(Order))).all()
    return await call_next(request)


class Counting(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        db = NewSyncSession()
        try:
            request.state.orders = db.scalars(select(Order)).all()
            return await call_next(request)  # expect: LG201
        finally:
            db.close()


class CountingApp:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with NewSession() as db:
            scope["state"] = {"orders": (await db.scalars(select(Order))).all()}
            await self.app(scope, receive, send)  # expect: LG201


class Refusing:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with NewSession() as db:
            if (await db.scalars(select(Order))).first() is None:
                refusal = JSONResponse({}, status_code=404)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)
