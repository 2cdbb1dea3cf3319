# fastapi: 0.110.0
"""From 0.106 to 0.117 a dependency ends after serialisation, before the response starts: streams outlive it."""

from collections.abc import AsyncIterator

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import NewSession, Order, get_db

app = FastAPI()


async def plain_lines() -> AsyncIterator[str]:
    yield "a line"


async def lines_of(db: AsyncSession) -> AsyncIterator[str]:
    for order in await db.scalars(select(Order)):
        yield f"{order.id}\n"


async def own_lines() -> AsyncIterator[str]:
    async with NewSession() as db:
        for order in await db.scalars(select(Order)):
            yield f"{order.id}\n"  # expect: LG302


@app.get("/unrelated")
async def the_session_ends_before_the_stream(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    return StreamingResponse(plain_lines())


@app.get("/keeps")
async def the_stream_uses_a_closed_session(db: AsyncSession = Depends(get_db)):
    return StreamingResponse(lines_of(db))  # expect: LG304


@app.get("/own")
async def a_session_of_the_stream():
    return StreamingResponse(own_lines())


@app.get("/serialised")
async def no_version_ends_it_before_serialisation(db: AsyncSession = Depends(get_db)):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


@app.get("/ready")
async def a_ready_response_is_sent_after_it(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    return JSONResponse({})


async def close_order(db: AsyncSession, order_id: int) -> None:
    (await db.get_one(Order, order_id)).state = "closed"
    await db.commit()


@app.post("/task")
async def a_task_uses_a_closed_session(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    tasks.add_task(close_order, db, 1)  # expect: LG304
    return {}


async def notify() -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://pager.example/pages")


@app.post("/task/unrelated")
async def the_session_ends_before_the_task(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    tasks.add_task(notify)
    return {}  # expect: LG101
