"""Who makes a session closes it: the flag that remembers who did is followed on each path."""

import httpx
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


def closes_what_it_made(order_id: int, session: Session | None = None) -> str:
    owned = False
    if session is None:
        session = NewSyncSession()
        owned = True
    try:
        return session.get_one(Order, order_id).state
    finally:
        if owned:
            session.close()


def the_flag_is_the_test_itself(order_id: int, session: Session | None = None) -> str:
    owns = session is None
    if session is None:
        session = NewSyncSession()
    try:
        return session.get_one(Order, order_id).state
    finally:
        if owns:
            session.close()


def or_makes_one(order_id: int, session: Session | None = None) -> str:
    db = session or NewSyncSession()
    try:
        return db.get_one(Order, order_id).state
    finally:
        if session is None:
            db.close()


def forgets_its_own(order_id: int, session: Session | None = None) -> str:
    if session is None:
        session = NewSyncSession()  # expect: LG501
    return session.get_one(Order, order_id).state


def owns_one_and_waits(order_id: int, session: Session | None = None) -> str:
    owns = session is None
    if session is None:
        session = NewSyncSession()
    try:
        order = session.get_one(Order, order_id)
        return httpx.get(f"https://partner.example/{order.id}").text  # expect: LG201
    finally:
        if owns:
            session.close()


def called_without_a_session(order_id: int) -> str:
    return closes_what_it_made(order_id)


def called_with_one(order_id: int) -> None:
    with NewSyncSession() as db:
        closes_what_it_made(order_id, db)
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201


def closed_if_it_was_made(order_id: int) -> None:
    db = None
    try:
        db = NewSyncSession()
        db.get_one(Order, order_id).state = "closed"
        db.commit()
    finally:
        if db is not None:
            db.close()


def closed_if_true(order_id: int) -> None:
    db = None
    try:
        db = NewSyncSession()
        db.get_one(Order, order_id).state = "closed"
        db.commit()
    finally:
        if db:
            db.close()
