"""A8: a middleware puts the session on `request.state`."""

import httpx
from fastapi import FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware

from shop import NewSyncSession, Order

app = FastAPI()


@app.middleware("http")
async def session_for_each_request(request: Request, call_next):
    request.state.db = NewSyncSession()
    try:
        return await call_next(request)
    finally:
        request.state.db.close()


@app.get("/orders/{order_id}")
async def waits(order_id: int, request: Request):
    request.state.db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    return {}  # expect: LG101


@app.get("/orders/{order_id}/variable")
async def waits_with_a_variable(order_id: int, request: Request):
    db = request.state.db
    db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    return {}  # expect: LG101


@app.get("/orders/{order_id}/committed")
async def commits_first(order_id: int, request: Request):
    db = request.state.db
    db.get_one(Order, order_id)
    db.commit()
    httpx.post("https://partner.example/orders")
    return {}


class SessionMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next):
        with NewSyncSession() as db:
            request.state.session = db
            return await call_next(request)


app.add_middleware(SessionMiddleware)


@app.get("/numbers/{order_id}")
async def by_a_middleware_class(order_id: int, request: Request):
    request.state.session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    return {}  # expect: LG101
