"""What FastAPI injects is there, and true: a branch for callers who have none is not taken in a request."""

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order, get_sync_db

app = FastAPI()


def notify() -> None:
    httpx.post("https://pager.example/pages")


def close_order(db: Session, order_id: int, tasks: BackgroundTasks | None = None) -> None:
    db.get_one(Order, order_id).state = "closed"
    if tasks:
        tasks.add_task(notify)
    else:
        notify()


@app.post("/orders/{order_id}/close")
def in_a_request(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)) -> None:
    close_order(db, order_id, tasks)
    db.commit()


def without_a_request(order_id: int) -> None:
    with NewSyncSession() as db:
        close_order(db, order_id)  # expect: LG201
        db.commit()


def nobody_known_calls_it(order_id: int, request: Request = None, tasks: BackgroundTasks | None = None) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if request:
            httpx.post("https://audit.example/requests")  # expect: LG201
        if not tasks:
            httpx.post("https://pager.example/pages", json={"order": order.id})  # expect: LG201
        db.commit()


@app.get("/orders/{order_id}")
async def it_is_never_missing(order_id: int, request: Request, db: Session = Depends(get_sync_db)):
    state = db.get_one(Order, order_id).state
    if not request:
        httpx.post("https://pager.example/pages")
    db.commit()
    return state


class Closing:
    def __init__(self, db: Session, tasks: BackgroundTasks | None = None) -> None:
        self.db = db
        self.tasks = tasks

    def close(self, order_id: int) -> None:
        self.db.get_one(Order, order_id).state = "closed"
        if self.tasks:
            self.tasks.add_task(notify)
        else:
            notify()


@app.post("/orders/{order_id}/close/kept")
def kept_by_an_object(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)) -> None:
    Closing(db, tasks).close(order_id)
    db.commit()


def nothing_is_kept_by_an_object(order_id: int) -> None:
    with NewSyncSession() as db:
        Closing(db).close(order_id)  # expect: LG201
        db.commit()
