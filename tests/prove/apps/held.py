"""An app that holds its transaction for as long as it is asked to, and dies when it is asked to."""

import asyncio
import os
from pathlib import Path

from fastapi import FastAPI, HTTPException
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()
engine = create_async_engine(make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg"), pool_size=20)


@app.get("/fine")
async def fine() -> dict[str, int]:
    async with engine.begin() as connection:
        return {"one": (await connection.execute(text("select 1"))).scalar_one()}


@app.get("/held/{milliseconds}")
async def held(milliseconds: int = 100) -> dict[str, int]:
    async with engine.begin() as connection:
        await connection.execute(text("select 42"))
        await asyncio.sleep(milliseconds / 1000)
    if os.environ.get("SERVED"):
        Path(os.environ["SERVED"]).touch()
    return {"held": milliseconds}


@app.get("/broken")
async def broken() -> None:
    raise HTTPException(500)


@app.get("/dies", include_in_schema=False)
async def dies() -> None:
    os._exit(3)
