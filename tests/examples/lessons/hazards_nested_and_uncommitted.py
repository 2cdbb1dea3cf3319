"""H9, H10: a second session while the first is open; a write that nobody commits."""

import asyncio

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSession, NewSyncSession, Order, get_db

app = FastAPI()


def log_it(order_id: int) -> None:
    with NewSyncSession() as log:
        log.execute(update(Order).where(Order.id == order_id).values(state="seen"))
        log.commit()


def a_second_one_in_a_callee(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        log_it(order_id)  # expect: LG504
        db.commit()


def one_after_the_other(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        db.commit()
        log_it(order_id)


def save_and_log(db: Session, order_id: int) -> None:
    db.commit()
    log_it(order_id)


def one_that_the_callee_commits_first(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        save_and_log(db, order_id)


def log_and_save(db: Session, order_id: int) -> None:
    log_it(order_id)
    db.commit()


def one_that_the_callee_commits_too_late(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        log_and_save(db, order_id)  # expect: LG504


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def count(self) -> int:
        return self.session.query(Order).count()


class Page:
    """Its orders are made when they are first asked for, and share its session."""

    _orders: Orders | None

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def orders(self) -> Orders:
        if not self._orders:
            self._orders = Orders(self.session)
        return self._orders


def lazily_made_from_the_same_session() -> int:
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        return Page(db).orders.count()


def a_second_one_before_the_first_query(order_id: int) -> None:
    with NewSyncSession() as db:
        log_it(order_id)
        db.get_one(Order, order_id)


@app.post("/orders")
async def beside_the_dependency(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    async with NewSession() as second:
        await second.get_one(Order, 2)  # expect: LG504
    await db.commit()
    return {}


async def one(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)


@app.post("/gathered")
async def a_gather_of_sessions(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    await asyncio.gather(one(1), one(2))  # expect: LG504
    await db.commit()
    return {}


def written_and_forgotten(order_id: int) -> None:
    with NewSyncSession() as db:
        db.add(Order(id=order_id))  # expect: LG505


def written_and_forgotten_on_a_branch(order_id: int, keep: bool) -> None:
    with NewSyncSession() as db:
        db.add(Order(id=order_id))  # expect: LG505
        if keep:
            db.commit()


def written_and_rolled_back(order_id: int) -> None:
    with NewSyncSession() as db:
        db.add(Order(id=order_id))
        db.rollback()


def save(db: Session, order_id: int) -> None:
    db.add(Order(id=order_id))


def committed_by_the_caller(order_id: int) -> None:
    with NewSyncSession() as db:
        save(db, order_id)
        db.commit()


def committed_by_nobody(order_id: int) -> None:
    with NewSyncSession() as db:
        save(db, order_id)  # expect: LG505


def a_row_that_is_changed(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.state = "closed"  # expect: LG505


def a_row_that_is_changed_and_saved(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.state = "closed"
        db.commit()


def written_in_vain_because_of_an_exception(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.add(Order(id=order_id))
            db.commit()
        except ValueError:
            print("not written")


def a_name_that_means_another_connection_later(urls: list[str]) -> None:
    with create_engine("sqlite://").connect() as connection:
        for url in urls:
            connection.execute(select(1))
            with create_engine(url).connect() as connection:  # expect: LG504
                connection.execute(select(1))
