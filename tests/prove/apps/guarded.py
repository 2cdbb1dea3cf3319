"""An app with a pool of two connections and a guard that tells Prometheus who waits for them."""

import asyncio
import os

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, make_asgi_app
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from letgo.runtime import Guard
from letgo.runtime.guard.prometheus import GuardCollector

app = FastAPI()
app.add_middleware(Guard)
engine = create_async_engine(
    make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg"), pool_size=2, max_overflow=0
)
registry = CollectorRegistry()
registry.register(GuardCollector())
app.mount("/metrics", make_asgi_app(registry))


@app.get("/held")
async def held() -> None:
    async with engine.begin() as connection:
        await connection.execute(text("select 1"))
        await asyncio.sleep(0.2)
