"""What is put into a list is there when the list is read; so are the sessions that it holds."""

from collections.abc import Callable

import httpx
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


class Store:
    def __init__(self, db: Session) -> None:
        self.db = db

    def load(self, order_id: int) -> object:
        return self.db.get_one(Order, order_id)


class File:
    def load(self, order_id: int) -> object:
        return order_id


def notify() -> None:
    httpx.post("https://partner.example/orders")


def an_object_in_a_list(order_id: int) -> None:
    stores = []
    with NewSyncSession() as db:
        stores.append(Store(db))
    for store in stores:
        store.load(order_id)  # expect: LG401


def an_object_in_a_list_while_it_is_open(order_id: int) -> None:
    stores = []
    with NewSyncSession() as db:
        stores.append(Store(db))
        for store in stores:
            store.load(order_id)


def an_object_of_a_file(order_id: int) -> None:
    stores = [File()]
    stores.append(File())
    for store in stores:
        store.load(order_id)


class Sources:
    def __init__(self, db: Session) -> None:
        self.sources = [File()]
        self.sources.append(Store(db))

    def load(self, order_id: int) -> object:
        for source in reversed(self.sources):
            found = source.load(order_id)
            if found is not None:
                return found
        return None


def a_list_of_an_object(order_id: int) -> None:
    with NewSyncSession() as db:
        sources = Sources(db)
    sources.load(order_id)  # expect: LG401


def a_list_of_an_object_while_it_is_open(order_id: int) -> None:
    with NewSyncSession() as db:
        Sources(db).load(order_id)


def functions_in_a_list(order_id: int) -> None:
    steps = []
    steps.append(notify)
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        for step in steps:
            step()  # expect: LG201


def a_session_in_a_list_is_not_used_by_that(order_id: int) -> None:
    sessions = []
    with NewSyncSession() as db:
        sessions.append(db)
        httpx.post("https://partner.example/orders")


def retried(action: Callable[[], object]) -> object:
    return action()


def a_query_run_by_another(order_id: int) -> None:
    with NewSyncSession() as db:
        query = db.query(Order)
        retried(query.all)
        notify()  # expect: LG201


def a_query_that_nobody_runs(order_id: int) -> None:
    with NewSyncSession() as db:
        query = db.query(Order)
        retried(query.filter)
        notify()
