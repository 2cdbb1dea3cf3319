"""LG6: who holds a connection and needs a thread waits for those who hold a thread and need a connection."""

from collections.abc import AsyncIterator

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from shop import Customer, Order, OrderOut, get_db, get_sync_db

app = FastAPI()


@app.get("/validated", response_model=OrderOut)
def validated_in_a_thread(db: Session = Depends(get_sync_db)):  # expect: LG601
    return db.get_one(Order, 1)  # expect: LG101


@app.get("/validated-by-annotation")
def the_annotation_is_a_response_model(db: Session = Depends(get_sync_db)) -> OrderOut:  # expect: LG601
    return OrderOut.model_validate(db.get_one(Order, 1))  # expect: LG101


@app.get("/not-validated")
def nothing_to_validate(db: Session = Depends(get_sync_db)):
    return {"state": db.get_one(Order, 1).state}  # expect: LG101


@app.get("/released", response_model=OrderOut)
def released_first(db: Session = Depends(get_sync_db)):
    order = OrderOut.model_validate(db.get_one(Order, 1))
    db.commit()
    return order


def current_customer(db: Session = Depends(get_sync_db)) -> Customer:
    return db.get_one(Customer, 1)  # expect: LG101


@app.get("/entered")
def a_dependency_holds_when_the_thread_is_needed(customer: Customer = Depends(current_customer)):  # expect: LG601
    return {}


def released_customer(db: Session = Depends(get_sync_db)) -> Customer:
    customer = db.get_one(Customer, 1)
    db.commit()
    return customer


@app.get("/entered/released")
def a_dependency_that_lets_go(customer: Customer = Depends(released_customer)):
    return {}


@app.get("/loop")
async def the_loop_waits_for_the_pool(db: Session = Depends(get_sync_db)):  # expect: LG601
    db.get_one(Order, 1)
    async with httpx.AsyncClient() as client:
        await client.get("https://partner.example/state")  # expect: LG201
    db.commit()
    return {}


@app.get("/loop/async")
async def an_async_session_lets_the_loop_run(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    async with httpx.AsyncClient() as client:
        await client.get("https://partner.example/state")  # expect: LG201
    await db.commit()
    return {}


def get_factory() -> sessionmaker:
    raise NotImplementedError  # the app overrides it


async def get_db_of_the_factory(factory: sessionmaker = Depends(get_factory)) -> AsyncIterator[AsyncSession]:
    async with factory() as db:
        yield db


@app.get("/loop/async-with")
async def what_async_with_enters_waits_for_the_pool_without_stopping(db: AsyncSession = Depends(get_db_of_the_factory)):
    await db.get_one(Order, 1)
    async with httpx.AsyncClient() as client:
        await client.get("https://partner.example/state")  # expect: LG201
    await db.commit()
