"""An app whose streams last as long as their clients want, on a pool of 10 connections.

`LETGO_LETS_GO` says how it lets go: "install", "guard" (in mode `release`), or not at all.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

engine = create_engine(
    os.environ["LETGO_BENCH_DSN"].replace("postgresql:", "postgresql+psycopg:"),
    pool_size=10,
    max_overflow=0,
    pool_timeout=float(os.environ.get("POOL_TIMEOUT", "30")),
    connect_args={"application_name": "streams"},
)
SessionLocal = sessionmaker(engine)
app = FastAPI()

match os.environ.get("LETGO_LETS_GO"):
    case "install":
        from letgo.runtime import install

        install(app)
    case "guard":
        from letgo.runtime import Guard

        app.add_middleware(Guard, mode="release")


def get_db() -> Iterator[Session]:
    with SessionLocal() as db:
        yield db


Db = Annotated[Session, Depends(get_db)]


@app.get("/stream")
def stream(db: Db) -> StreamingResponse:
    title = db.execute(text("select 'The Deep End of the Pool'")).scalar_one()

    async def lines() -> AsyncIterator[str]:
        while True:
            yield f"{title}\n"
            await asyncio.sleep(2)

    return StreamingResponse(lines())


@app.get("/health")
def health(db: Db) -> int:
    return int(db.execute(text("select 1")).scalar_one())


@app.get("/connections")
async def connections() -> int:
    """How many are out of the pool."""
    return int(engine.pool.checkedout())  # type: ignore[attr-defined]
