"""Not every handler is a FastAPI function with a decorator."""

import httpx
from celery import Celery, Task
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shop import NewSession, NewSyncSession, Order, get_db

app = FastAPI()
router = APIRouter()
celery = Celery()


async def added_by_a_call(db: AsyncSession = Depends(get_db)):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


app.add_api_route("/added", added_by_a_call, methods=["GET"])


@router.api_route("/both", methods=["GET", "POST"])
async def of_several_methods(db: AsyncSession = Depends(get_db)):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


async def of_starlette(request: Request) -> JSONResponse:
    async with NewSession() as db:
        await db.get_one(Order, 1)
        async with httpx.AsyncClient() as client:
            await client.post("https://partner.example/orders")  # expect: LG201
    return JSONResponse({})


starlette = Starlette(routes=[Route("/", of_starlette)])


@celery.task
def a_celery_task(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
        db.commit()


class SessionTask(Task):
    _session = None

    @property
    def session(self):
        if self._session is None:
            self._session = NewSyncSession()
        return self._session

    def after_return(self, *args, **kwargs) -> None:
        if self._session is not None:
            self._session.close()


@celery.task(base=SessionTask, bind=True)
def a_task_with_the_session_of_its_base(self: SessionTask, order_id: int) -> None:
    self.session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    self.session.commit()


@app.get("/first")
async def called_by_another_route(db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order.id))).all()
    await db.commit()
    return orders


@app.get("/second")
async def calls_another_route(db: AsyncSession = Depends(get_db)):
    orders = await called_by_another_route(db)
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders", json=orders)
    return orders


class Views:
    """Endpoints of a class, registered by hand."""

    def __init__(self) -> None:
        self.router = APIRouter()
        self.router.add_api_route("/view", self.view)

    async def view(self, db: AsyncSession = Depends(get_db)):
        return (await db.scalars(select(Order.id))).all()  # expect: LG101


app.include_router(Views().router)
app.include_router(router)
