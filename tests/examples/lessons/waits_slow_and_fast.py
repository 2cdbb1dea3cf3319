"""What is slow: networks, sleeps, locks, processes, heavy computation. What is not: caches, logs, plain Python."""

import asyncio
import hashlib
import json
import logging
import queue
import smtplib
import subprocess
import threading
import time
from functools import lru_cache, partial

import bcrypt
import boto3
import email_validator
import httpx
import openai
import pandas
import redis
import requests
from googleapiclient.discovery import build
from sqlalchemy import select

from shop import NewSession, NewSyncSession, Order

log = logging.getLogger(__name__)
cache = redis.Redis()
lock = asyncio.Lock()
states_lock = asyncio.Lock()
states: dict[int, str] = {}
thread_lock = threading.Lock()
check_syntax = partial(email_validator.validate_email, check_deliverability=False)
jobs: queue.Queue = queue.Queue()
s3 = boto3.client("s3")
llm = openai.OpenAI()
http = requests.Session()


def what_is_slow(order_id: int, event: threading.Event) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        http.get("https://partner.example/state")  # expect: LG201
        s3.get_object(Bucket="orders", Key="1")  # expect: LG201
        llm.chat.completions.create(model="any", messages=[])  # expect: LG201
        smtplib.SMTP("mail.example").sendmail("a", "b", "c")  # expect: LG201
        time.sleep(1)  # expect: LG202
        event.wait()  # expect: LG202
        jobs.get()  # expect: LG202
        subprocess.run(["true"])  # expect: LG203
        bcrypt.hashpw(b"secret", b"salt")  # expect: LG204
        hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 600_000)  # expect: LG204
        order.state = "done"
        db.commit()


@lru_cache
def rate(currency: str) -> int:
    return len(currency)


def what_is_fast(order_id: int, prices: dict[int, int]) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        log.info("order %s", order.id)
        cache.get("order")
        cache.set("order", json.dumps({"id": order.id}))
        prices.get(order.id)
        jobs.put(order.id)
        rate("EUR")
        hashlib.sha256(order.state.encode()).hexdigest()
        order.state = ", ".join(sorted(["a", "b"]))
        db.commit()


async def sleeping(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.sleep(1)  # expect: LG202


async def letting_others_run(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await asyncio.sleep(0)


async def behind_a_lock(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        async with lock:  # expect: LG202
            pass


async def the_lock_first(order_id: int) -> None:
    async with lock, NewSession() as db:
        await db.get_one(Order, order_id)


async def behind_a_lock_that_nobody_holds_while_awaiting(order_id: int) -> None:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        async with states_lock:
            states[order_id] = order.state


def behind_a_lock_if_it_is_free(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        if not thread_lock.acquire(blocking=False):
            return
        thread_lock.release()
        if thread_lock.acquire(timeout=5):  # expect: LG202
            thread_lock.release()


def looked_up_or_not(order_id: int, address: str) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        check_syntax(address)
        email_validator.validate_email(address)  # expect: LG201


def read_into_a_frame() -> pandas.DataFrame:
    with NewSyncSession() as db:
        return pandas.read_sql_query(select(Order), db.connection())


def making_a_client_is_fast(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        client = httpx.Client()
        db.commit()
        client.get("https://partner.example/state")


def a_stream_of_an_answer(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        with httpx.stream("GET", "https://partner.example/state") as answer:  # expect: LG201
            answer.read()


class Cached:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.made_lock = asyncio.Lock()
        self.client: httpx.AsyncClient | None = None

    async def get(self) -> httpx.AsyncClient:
        async with self.made_lock:
            await self.make()
        return self.client

    async def make(self) -> None:
        self.client = httpx.AsyncClient()

    async def connect(self) -> None:
        async with self.lock:
            await self.warm_up()

    async def warm_up(self) -> None:
        await asyncio.sleep(1)

    async def behind_locks(self, order_id: int) -> None:
        async with NewSession() as db:
            await db.get_one(Order, order_id)
            await self.get()
            await self.connect()  # expect: LG202


def what_an_answer_holds_is_there() -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, 1)
        found = build("drive", "v3").files().list(q=order.state).execute()  # expect: LG201
        order.state = found.get("files", [])[0].get("name")
        db.commit()
