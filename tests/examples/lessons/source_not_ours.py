"""Other libraries have sessions, too. They hold no database connection."""

import aiohttp
import aiosqlite
import boto3
import httpx
import requests
from mcp import ClientSession
from redis.asyncio import Redis

from shop import NewSession, Order


def a_requests_session() -> None:
    session = requests.Session()
    session.get("https://partner.example/state")
    session.post("https://partner.example/orders")


async def an_aiohttp_session() -> None:
    async with aiohttp.ClientSession() as session:
        await session.get("https://partner.example/state")
        await session.post("https://partner.example/orders")


def a_boto_session() -> None:
    session = boto3.Session()
    client = session.client("s3")
    client.get_object(Bucket="orders", Key="1")
    httpx.post("https://partner.example/orders")


async def an_mcp_session(session: ClientSession) -> None:
    await session.call_tool("orders")
    httpx.post("https://partner.example/orders")


async def a_cache_called_db(db: Redis) -> None:
    await db.get("order:1")
    httpx.post("https://partner.example/orders")


class Settings:
    def get(self, name: str) -> str:
        return name

    def execute(self, name: str) -> str:
        return name


def a_class_of_our_own(session: Settings) -> None:
    session.execute("state")
    httpx.post("https://partner.example/orders")


class Partner:
    """`session` is named like one of ours; what stands in for it tells that it is none."""

    def __init__(self, session=None, db=None):
        self.session = session or requests.Session()
        if db is None:
            db = requests.Session()
        self.db = db
        self.query("/state")

    def query(self, path):
        self.session.get(path)
        self.db.get(path)
        httpx.post("https://partner.example/orders")


async def beside_a_real_one(order_id: int) -> None:
    async with NewSession() as db, aiohttp.ClientSession() as session:
        await db.get_one(Order, order_id)
        await session.get("https://partner.example/state")  # expect: LG201


async def the_other_way_round(order_id: int) -> None:
    async with aiohttp.ClientSession() as session:
        await session.get("https://partner.example/state")
        async with NewSession() as db:
            await db.get_one(Order, order_id)
        await session.get("https://partner.example/state")


async def a_connection_of_another_library(path: str) -> None:
    db = await aiosqlite.connect(path)
    await db.execute("PRAGMA foreign_keys = ON")
    httpx.get("https://partner.example/orders")
    await db.commit()
