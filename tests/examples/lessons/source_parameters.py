"""A session that a caller gives: the callee's waits are the caller's holds, its own if nobody is seen to call it."""

import httpx
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


def nobody_is_seen_to_call_it(db: Session, order_id: int) -> None:
    db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201


def nobody_calls_it_and_it_commits(db: Session, order_id: int) -> None:
    db.get_one(Order, order_id)
    db.commit()
    httpx.post("https://partner.example/orders")


def load(db: Session, order_id: int) -> Order:
    return db.get_one(Order, order_id)


def notify(order: Order) -> None:
    httpx.post("https://partner.example/orders", json={"id": order.id})


def load_and_notify(db: Session, order_id: int) -> None:
    notify(load(db, order_id))


def commits(db: Session) -> None:
    db.commit()


def opens_below_waits_below(order_id: int) -> None:
    with NewSyncSession() as db:
        load_and_notify(db, order_id)  # expect: LG201


def opens_below_waits_here(order_id: int) -> None:
    with NewSyncSession() as session:
        load(session, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


def released_below(order_id: int) -> None:
    with NewSyncSession() as session:
        order = load(session, order_id)
        commits(session)
        notify(order)


def by_keyword(order_id: int) -> None:
    with NewSyncSession() as session:
        order = load(order_id=order_id, db=session)
        notify(order=order)  # expect: LG201


def by_spread_keywords(order_id: int) -> None:
    with NewSyncSession() as session:
        arguments = {"db": session, "order_id": order_id}
        load_and_notify(**arguments)  # expect: LG201


def by_spread_arguments(order_id: int) -> None:
    with NewSyncSession() as session:
        arguments = (session, order_id)
        load_and_notify(*arguments)  # expect: LG201


def passes_on(*args, **kwargs) -> None:
    load_and_notify(*args, **kwargs)


def through_star_arguments(order_id: int) -> None:
    with NewSyncSession() as session:
        passes_on(session, order_id=order_id)  # expect: LG201
