"""A guarded request that holds while other threads call and return, and each collection of garbage lets them go on."""

import gc
import sys
import threading
import time
from typing import Any

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from letgo.runtime import Guard

engine = create_engine("sqlite://")
app = FastAPI()
over = threading.Event()
collected: list[float] = []


def called(depth: int) -> None:
    if depth:
        called(depth - 1)


def called_with_more(depth: int, more: object = None) -> None:
    both = (depth, more)  # frames of another size
    if depth:
        called_with_more(depth - 1, both)
    else:
        called(20)


def call_until_over() -> None:
    while not over.is_set():
        called(40)
        called_with_more(40)


def let_others_go_on(phase: str, _: Any) -> None:
    if threading.current_thread().name == "letgo-watchdog" and phase == "start":
        time.sleep(0.0003)
        collected.append(time.monotonic())


@app.get("/")
def hold() -> int:
    with Session(engine) as db:
        db.execute(text("select 1"))
        for thread in threads:
            thread.start()
        time.sleep(1)
    over.set()
    return len(collected)


threads = [threading.Thread(target=call_until_over) for _ in range(3)]
sys.setswitchinterval(0.0001)
gc.set_threshold(20)
gc.callbacks.append(let_others_go_on)
assert TestClient(Guard(app, mode="observe", wait=0.001, tick=0.0005)).get("/").json() > 0
