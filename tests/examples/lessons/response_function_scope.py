"""`scope="function"` (FastAPI 0.121) ends a dependency when the endpoint has returned: before streams and tasks."""

from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
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
async def ended_before_the_stream(db: AsyncSession = Depends(get_db, scope="function")):
    await db.get_one(Order, 1)
    return StreamingResponse(plain_lines())


@app.get("/ready")
async def ended_before_a_ready_response(db: AsyncSession = Depends(get_db, scope="function")):
    await db.get_one(Order, 1)
    return JSONResponse({})


@app.get("/serialised")
async def serialisation_comes_first(db: AsyncSession = Depends(get_db, scope="function")):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


@app.get("/keeps")
async def used_after_its_end(db: AsyncSession = Depends(get_db, scope="function")):
    return StreamingResponse(lines_of(db))  # expect: LG304


async def close_order(db: AsyncSession, order_id: int) -> None:
    (await db.get_one(Order, order_id)).state = "closed"
    await db.commit()


@app.post("/task")
async def used_by_a_task_after_its_end(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db, scope="function")):
    tasks.add_task(close_order, db, 1)  # expect: LG304
    return {}
