# fastapi: 0.105.0
"""Up to 0.105 a dependency ends after the response was sent, as it does again from 0.118 on."""

from collections.abc import AsyncIterator

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


async def plain_lines() -> AsyncIterator[str]:
    yield "a line"


async def lines_of(db: AsyncSession) -> AsyncIterator[str]:
    for order in await db.scalars(select(Order)):
        yield f"{order.id}\n"


@app.get("/unrelated")
async def held_by_any_stream(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    return StreamingResponse(plain_lines())  # expect: LG301


@app.get("/keeps")
async def kept_by_its_stream(db: AsyncSession = Depends(get_db)):
    return StreamingResponse(lines_of(db))  # expect: LG302


async def notify() -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://pager.example/pages")


@app.post("/task")
async def held_by_any_task_that_waits(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    tasks.add_task(notify)  # expect: LG303
    return {}  # expect: LG101
