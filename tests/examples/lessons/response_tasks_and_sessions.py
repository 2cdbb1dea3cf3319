"""A dependency ends only after the background tasks: what they wait for holds a session that is open at the return."""

import time

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask

from shop import NewSyncSession, Order, get_sync_db

app = FastAPI()


def notify(order_id: int) -> None:
    httpx.post("https://pager.example/pages", json={"order": order_id})


async def notify_later(order_id: int) -> None:
    time.sleep(5)
    notify(order_id)


def count(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id).views += 1
        db.commit()


@app.post("/open")
def open_at_the_return(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    tasks.add_task(notify, order_id)  # expect: LG303
    return {}  # expect: LG101


@app.post("/committed")
def committed_before_the_return(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    tasks.add_task(notify, order_id)
    db.commit()
    return {}


@app.post("/closed")
def closed_before_the_return(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    tasks.add_task(notify_later, order_id)
    db.close()
    return {}


@app.post("/function")
def ended_before_the_tasks(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db, scope="function")):
    db.get_one(Order, order_id).state = "closed"
    tasks.add_task(notify, order_id)
    return {}  # expect: LG101


@app.post("/quick")
def a_task_that_waits_for_nothing_else(
    order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)
) -> None:
    db.get_one(Order, order_id).state = "closed"
    tasks.add_task(count, order_id)  # expect: LG101


@app.post("/response")
def a_task_of_the_response(order_id: int, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    return JSONResponse({}, background=BackgroundTask(notify_later, order_id))  # expect: LG103, LG303


@app.post("/library")
def a_call_of_a_library_as_the_task(tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, 1).state = "closed"
    tasks.add_task(httpx.post, "https://pager.example/pages")  # expect: LG303
    return {}  # expect: LG101


@app.post("/lambda")
def a_lambda_as_the_task(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    tasks.add_task(lambda: notify(order_id))  # expect: LG303
    return {}  # expect: LG101


class Pager:
    def __init__(self, tasks: BackgroundTasks) -> None:
        self.tasks = tasks

    def page(self, order_id: int) -> None:
        self.tasks.add_task(notify, order_id)


@app.post("/deep")
def scheduled_further_down(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    Pager(tasks).page(order_id)  # expect: LG303
    return {}  # expect: LG101


@app.post("/deep/committed")
def scheduled_further_down_and_committed(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    Pager(tasks).page(order_id)
    db.commit()
    return {}


@app.post("/paths")
def not_on_the_path_that_is_open(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    if db.get(Order, order_id) is None:
        return {}  # expect: LG101
    db.commit()
    tasks.add_task(notify, order_id)
    return {}


@app.post("/raised")
def an_exception_drops_the_tasks(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    tasks.add_task(notify, order_id)
    if db.get(Order, order_id) is None:
        raise HTTPException(404)
    db.commit()
    return {}


def paging(tasks: BackgroundTasks) -> None:
    tasks.add_task(notify, 1)  # expect: LG303


@app.post("/dependency", dependencies=[Depends(paging)])
def scheduled_by_a_dependency(order_id: int, db: Session = Depends(get_sync_db)):
    db.get_one(Order, order_id).state = "closed"
    return {}  # expect: LG101
