"""H2: a stream's body runs after the endpoint has returned, and holds what it uses for as long as the client reads."""

from collections.abc import AsyncIterator, Iterator

from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse, StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette.sse import EventSourceResponse

from shop import NewSession, NewSyncSession, Order, get_db

app = FastAPI()


async def plain_lines() -> AsyncIterator[str]:
    yield "a line"


async def lines_of(db: AsyncSession) -> AsyncIterator[str]:
    async for order in await db.stream_scalars(select(Order)):
        yield f"{order.id}\n"


def lines_with_own_session() -> Iterator[str]:
    with NewSyncSession() as db:
        for order in db.scalars(select(Order)):
            yield f"{order.id}\n"  # expect: LG302


def lines_read_first() -> Iterator[str]:
    with NewSyncSession() as db:
        numbers = db.scalars(select(Order.id)).all()
    for number in numbers:
        yield f"{number}\n"


@app.get("/unrelated")
async def a_stream_that_needs_no_session(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    return StreamingResponse(plain_lines())  # expect: LG301


@app.get("/unrelated/committed")
async def committed_first(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    await db.commit()
    return StreamingResponse(plain_lines())


@app.get("/keeps")
async def a_stream_that_keeps_the_session(db: AsyncSession = Depends(get_db)):
    return StreamingResponse(lines_of(db))  # expect: LG302


@app.get("/keeps/by-name")
async def given_by_keyword(db: AsyncSession = Depends(get_db)):
    return StreamingResponse(content=lines_of(db), media_type="text/csv")  # expect: LG302


@app.get("/keeps/variable")
async def kept_in_a_variable(db: AsyncSession = Depends(get_db)):
    body = lines_of(db)
    response = StreamingResponse(body)
    return response  # expect: LG302


@app.get("/own")
async def a_session_of_the_stream():
    return StreamingResponse(lines_with_own_session())


@app.get("/own/read-first")
async def a_short_session_of_the_stream():
    return StreamingResponse(lines_read_first())


@app.get("/inner")
async def a_generator_inside(db: AsyncSession = Depends(get_db)):
    async def lines() -> AsyncIterator[str]:
        for order in await db.scalars(select(Order)):
            yield f"{order.id}\n"

    return StreamingResponse(lines())  # expect: LG302


@app.get("/events")
async def server_sent_events(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    return EventSourceResponse(plain_lines())  # expect: LG301


@app.get("/file")
async def a_file(db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, 1)
    return FileResponse(order.state)  # expect: LG301


def csv(body: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(body, media_type="text/csv")


@app.get("/helper")
async def made_by_a_helper(db: AsyncSession = Depends(get_db)):
    return csv(lines_of(db))  # expect: LG302


class CsvResponse(StreamingResponse):
    media_type = "text/csv"


@app.get("/subclass")
async def made_by_a_subclass(db: AsyncSession = Depends(get_db)):
    return CsvResponse(lines_of(db))  # expect: LG302


async def drained_here() -> list[str]:
    async with NewSession() as db:
        return [line async for line in lines_of(db)]


async def lines_in_pages() -> AsyncIterator[str]:
    last = 0
    while True:
        async with NewSession() as db:
            numbers = (await db.scalars(select(Order.id).where(Order.id > last).limit(100))).all()
        if not numbers:
            return
        for number in numbers:
            yield f"{number}\n"
        last = numbers[-1]


@app.get("/pages")
async def in_pages():
    return StreamingResponse(lines_in_pages())


@app.get("/orders/inner")
async def a_session_of_the_same_name_further_in() -> StreamingResponse:
    async with NewSession() as session:
        await session.scalars(select(Order))

    async def lines() -> AsyncIterator[str]:
        async with NewSession() as session:
            await session.scalars(select(Order))
            yield "a line"  # expect: LG302

    return StreamingResponse(lines())
