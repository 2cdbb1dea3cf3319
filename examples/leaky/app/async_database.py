"""The same database for `async def` handlers."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.database import DATABASE_URL

ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}

url = make_url(DATABASE_URL)
engine = create_async_engine(url.set(drivername=ASYNC_DRIVERS[url.get_backend_name()]), pool_size=10, max_overflow=0)
AsyncSessionLocal = async_sessionmaker(engine, expire_on_commit=False)


async def get_async_db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionLocal() as db:
        yield db


AsyncDb = Annotated[AsyncSession, Depends(get_async_db)]
