"""A trace leads from where the session came from to where it goes wrong, through every function between."""

from pathlib import Path

from letgo.lifetime.follow import follow
from letgo.rules.judging import judge
from letgo.rules.shop import SHOP
from letgo.source.read import read
from letgo.source.settings import Settings

SCHEDULED_IN_A_SERVICE = """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

app = FastAPI()


def close(db: Session, order_id: int) -> None:
    db.get_one(Order, order_id).state = "closed"
    db.commit()


class Orders:
    def __init__(self, db: Session) -> None:
        self.db = db

    def close_later(self, order_id: int, tasks: BackgroundTasks) -> None:
        tasks.add_task(close, self.db, order_id)


@app.post("/orders/{order_id}/close")
def close_order(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)) -> None:
    Orders(db).close_later(order_id, tasks)
"""


def test_a_task_that_outlives_its_session_is_shown_where_it_is_scheduled(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(SCHEDULED_IN_A_SERVICE)
    findings = judge(follow(read([tmp_path], root=tmp_path), fastapi="0.110.0"), Settings(root=tmp_path))
    (escaped,) = [finding for finding in findings if finding.code == "LG304"]
    assert [(step.site.function, step.text) for step in escaped.trace[1:]] == [
        ("close_order", "calls `Orders.close_later`"),
        ("Orders.close_later", "used after its end"),
    ]


HELD_BY_A_DEPENDENCY = """\
import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop import Customer, get_sync_db

app = FastAPI()


def customer(number: int, db: Session = Depends(get_sync_db)) -> Customer:
    return db.get_one(Customer, number)


def notify() -> None:
    httpx.post("https://partner.example/mail")
    httpx.get("https://partner.example/receipt")


@app.post("/greet")
def greet(customer: Customer = Depends(customer)) -> None:
    notify()


@app.post("/remind")
def remind(customer: Customer = Depends(customer)) -> None:
    notify()
"""


def test_of_what_a_dependency_leaves_open_each_endpoint_that_waits_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(HELD_BY_A_DEPENDENCY)
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    (held,) = [finding for finding in findings if finding.code == "LG201"]
    calls = [step.site.function for step in held.trace if step.text == "calls `notify`"]
    assert calls == ["greet", "remind"]
