"""H4: background tasks, tasks, threads and executors run later or beside; a session given to them is kept as long."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import httpx
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

from shop import NewSession, Order, get_db, get_sync_db

app = FastAPI()
executor = ThreadPoolExecutor()


async def close_order(db: AsyncSession, order_id: int) -> None:
    (await db.get_one(Order, order_id)).state = "closed"
    await db.commit()


async def close_order_alone(order_id: int) -> None:
    async with NewSession() as db:
        await close_order(db, order_id)


def close_order_sync(order_id: int, db: Session) -> None:
    db.get_one(Order, order_id).state = "closed"
    db.commit()


@app.post("/task")
async def a_background_task(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    tasks.add_task(close_order, db, 1)  # expect: LG303
    return {}


@app.post("/task/own")
async def a_task_with_a_session_of_its_own(tasks: BackgroundTasks):
    tasks.add_task(close_order_alone, 1)
    return {}


@app.post("/task/keyword")
async def given_by_keyword(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    tasks.add_task(close_order, order_id=1, db=db)  # expect: LG303
    return {}


@app.post("/task/response")
async def a_task_of_the_response(db: AsyncSession = Depends(get_db)):
    return JSONResponse({}, background=BackgroundTask(close_order, db, 1))  # expect: LG303


@app.post("/create")
async def a_task_beside(db: AsyncSession = Depends(get_db)):
    asyncio.create_task(close_order(db, 1))  # expect: LG303
    return {}


@app.post("/create/own")
async def a_task_beside_with_its_own():
    asyncio.create_task(close_order_alone(1))
    return {}


@app.post("/create/awaited")
async def a_task_that_is_awaited(db: AsyncSession = Depends(get_db)):
    task = asyncio.create_task(close_order(db, 1))
    await task
    return {}


@app.post("/closure")
async def a_closure(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    async def work() -> None:
        await close_order(db, 1)

    tasks.add_task(work)  # expect: LG303
    return {}


@app.post("/lambda")
async def a_lambda(tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    tasks.add_task(lambda: close_order_sync(1, db))  # expect: LG303
    return {}


@app.post("/partial")
async def a_partial(tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    tasks.add_task(partial(close_order_sync, 1, db))  # expect: LG303
    return {}


@app.post("/thread")
async def a_thread(db: Session = Depends(get_sync_db)):
    threading.Thread(target=close_order_sync, args=(1, db)).start()  # expect: LG303
    return {}


@app.post("/executor")
async def an_executor(db: Session = Depends(get_sync_db)):
    executor.submit(close_order_sync, 1, db)  # expect: LG303
    return {}


class Closer:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def close(self, order_id: int) -> None:
        await close_order(self.db, order_id)


@app.post("/method")
async def a_method_of_what_holds_it(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    tasks.add_task(Closer(db).close, 1)  # expect: LG303
    return {}


@app.post("/row")
async def only_an_object_of_it(tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, 1)
    await db.commit()
    tasks.add_task(print, order.id)
    return {}


async def ask() -> None:
    async with httpx.AsyncClient() as client:
        await client.get("https://partner.example/state")


async def gathered(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.gather(ask(), ask())  # expect: LG201


async def gathered_from_a_list(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.gather(*[ask() for _ in range(3)])  # expect: LG201


async def a_task_group(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(ask())  # expect: LG201


async def a_task_group_of_anyio(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        async with anyio.create_task_group() as group:
            group.start_soon(ask)  # expect: LG201


async def waited_for(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.wait_for(ask(), timeout=5)  # expect: LG201


async def shielded(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.shield(ask())  # expect: LG201


async def the_result_of_a_future(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        executor.submit(print, order_id).result()  # expect: LG202


def slow() -> None:
    httpx.get("https://partner.example/state")


async def in_a_thread_and_awaited(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.to_thread(slow)  # expect: LG201


async def in_an_executor_and_awaited(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.get_running_loop().run_in_executor(None, slow)  # expect: LG201


async def the_query_itself_in_a_thread(order_id: int) -> None:
    async with NewSession() as db:
        await asyncio.to_thread(print, order_id)
        await db.get_one(Order, order_id)
        await db.commit()
