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
from functools import lru_cache

import bcrypt
import boto3
import httpx
import openai
import redis
import requests

from shop import NewSession, NewSyncSession, Order

log = logging.getLogger(__name__)
cache = redis.Redis()
lock = asyncio.Lock()
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
