"""A session that is made by hand must be closed on every way out."""

import contextlib
from contextlib import ExitStack, closing

from alembic import op
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


def never_closed(order_id: int) -> str:
    db = NewSyncSession()  # expect: LG501
    return db.get_one(Order, order_id).state


def not_before_the_early_return(order_id: int) -> str:
    db = NewSyncSession()  # expect: LG501
    order = db.get(Order, order_id)
    if order is None:
        return "unknown"
    db.close()
    return "known"


def not_when_something_is_raised(order_id: int) -> str:
    db = NewSyncSession()  # expect: LG502
    state = db.get_one(Order, order_id).state
    db.close()
    return state


def only_when_something_is_raised(order_id: int) -> str:
    db = NewSyncSession()  # expect: LG501
    try:
        return db.get_one(Order, order_id).state
    except LookupError:
        db.close()
        raise


def in_finally(order_id: int) -> str:
    db = NewSyncSession()
    try:
        return db.get_one(Order, order_id).state
    finally:
        db.close()


def both_by_hand(order_id: int) -> None:
    db = NewSyncSession()
    try:
        db.get_one(Order, order_id).state = "closed"
        db.commit()
    except BaseException:
        db.close()
        raise
    db.close()


def a_new_one_each_round(numbers: list[int]) -> None:
    for number in numbers:
        db = NewSyncSession()  # expect: LG501
        if db.get_one(Order, number).state == "done":
            continue
        db.close()


def by_closing(order_id: int) -> str:
    with closing(NewSyncSession()) as db:
        return db.get_one(Order, order_id).state


def by_contextlib_closing(order_id: int) -> str:
    db = NewSyncSession()
    with contextlib.closing(db):
        return db.get_one(Order, order_id).state


def by_an_exit_stack(order_id: int) -> str:
    with ExitStack() as stack:
        db = stack.enter_context(NewSyncSession())
        return db.get_one(Order, order_id).state


def by_a_callback_of_an_exit_stack(order_id: int) -> str:
    with ExitStack() as stack:
        db = NewSyncSession()
        stack.callback(db.close)
        return db.get_one(Order, order_id).state


def by_with_on_a_variable(order_id: int) -> str:
    db = NewSyncSession()
    with db:
        return db.get_one(Order, order_id).state


def whoever_gets_it_closes_it() -> Session:
    return NewSyncSession()


def gets_it_and_does_not(order_id: int) -> str:
    db = whoever_gets_it_closes_it()  # expect: LG501
    return db.get_one(Order, order_id).state


def gets_it_and_does(order_id: int) -> str:
    db = whoever_gets_it_closes_it()
    try:
        return db.get_one(Order, order_id).state
    finally:
        db.close()


def close_it(db: Session) -> None:
    db.close()


def closed_by_a_helper(order_id: int) -> str:
    db = NewSyncSession()
    try:
        return db.get_one(Order, order_id).state
    finally:
        close_it(db)


def made_and_not_used() -> None:
    db = NewSyncSession()
    print(db)


def a_migration_uses_the_connection_that_it_is_given() -> None:
    session = Session(op.get_bind())
    session.execute(text("UPDATE orders SET state = 'new' WHERE state IS NULL"))


class Orders:
    def __init__(self, db: Session | None = None) -> None:
        self.db = db or NewSyncSession()

    def count(self) -> int:
        return len(self.db.scalars(select(Order)).all())


def by_an_object() -> int:
    return Orders().count()  # expect: LG501


def several_in_a_list(count: int) -> None:
    sessions = [NewSyncSession() for _ in range(count)]
    try:
        for db in sessions:
            db.get_one(Order, 1)
    finally:
        for db in sessions:
            db.close()
