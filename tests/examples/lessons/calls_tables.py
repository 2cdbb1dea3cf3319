"""A function is chosen from a table: it is found under its key, or may be any of those that the table has."""

import enum

import httpx
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


def notify(order: Order) -> None:
    httpx.post("https://partner.example/orders", json={"id": order.id})


def count(order: Order) -> None:
    order.amount += 1


class Kind(enum.Enum):
    SHIPPED = 1
    COUNTED = 2


class Action:
    def run(self, order: Order) -> None:
        notify(order)


ACTIONS = {"notify": notify, "count": count}


def each_by_items(order_id: int) -> None:
    steps = {"notify": notify, "count": count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        for _, step in steps.items():
            step(order)  # expect: LG201, LG505


def each_by_values(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        for step in {"notify": notify, "count": count}.values():
            step(order)  # expect: LG201, LG505


def an_unknown_key(order_id: int, kind: str) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        ACTIONS[kind](order)  # expect: LG201, LG505


def an_unknown_key_by_get(order_id: int, kind: str) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        step = ACTIONS.get(kind, count)
        step(order)  # expect: LG201, LG505


def a_key_that_waits_for_nobody(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        ACTIONS["count"](order)
        db.commit()


def a_table_of_steps_that_wait_for_nobody(order_id: int, kind: str) -> None:
    steps = {"count": count, "again": count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        steps[kind](order)
        db.commit()


def a_member_of_an_enumeration(order_id: int) -> None:
    steps = {Kind.SHIPPED: notify, Kind.COUNTED: count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        steps[Kind.SHIPPED](order)  # expect: LG201


def another_member_of_an_enumeration(order_id: int) -> None:
    steps = {Kind.SHIPPED: notify, Kind.COUNTED: count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        steps[Kind.COUNTED](order)
        db.commit()


def by_class(order_id: int, error: Exception) -> None:
    steps = {KeyError: count, ValueError: notify}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        steps[type(error)](order)  # expect: LG201, LG505


def by_number(order_id: int) -> None:
    steps = {1: notify, 2: count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        steps[1](order)  # expect: LG201


def by_another_number(order_id: int) -> None:
    steps = {1: notify, 2: count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        steps[2](order)
        db.commit()


def an_object_of_a_table(order_id: int, kind: str) -> None:
    actions = {"run": Action()}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        actions[kind].run(order)  # expect: LG201


def a_table_put_together(order_id: int, kind: str) -> None:
    steps = {"notify": notify}
    steps[kind] = count
    everything = {**steps, "more": count}
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        everything["notify"](order)  # expect: LG201


class Dispatcher:
    def __init__(self, db: Session) -> None:
        self.db = db
        self.steps = {"notify": self.notify, "count": self.count}

    def notify(self, order: Order) -> None:
        notify(order)

    def count(self, order: Order) -> None:
        count(order)

    def run(self, kind: str, order_id: int) -> None:
        order = self.db.get_one(Order, order_id)
        self.steps[kind](order)  # expect: LG201


def keys_are_texts(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        for key in ACTIONS:
            key.encode()
        count(order)
        db.commit()
