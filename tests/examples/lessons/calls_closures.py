"""A14: an inner function sees the session of the function around it, as it is when it runs."""

import httpx

from shop import NewSyncSession, Order


def called_inside(order_id: int) -> None:
    with NewSyncSession() as db:

        def load() -> Order:
            return db.get_one(Order, order_id)

        load()
        httpx.post("https://partner.example/orders")  # expect: LG201


def called_after_the_wait(order_id: int) -> None:
    with NewSyncSession() as db:

        def load() -> Order:
            return db.get_one(Order, order_id)

        httpx.post("https://partner.example/orders")
        load()


def releases(order_id: int) -> None:
    with NewSyncSession() as db:

        def done() -> None:
            db.commit()

        db.get_one(Order, order_id)
        done()
        httpx.post("https://partner.example/orders")


def waits(order_id: int) -> None:
    def notify() -> None:
        httpx.post("https://partner.example/orders")

    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        notify()  # expect: LG201
    notify()


def makes_one(order_id: int):
    with NewSyncSession() as db:
        db.get_one(Order, order_id)

        def later() -> None:
            httpx.post("https://partner.example/orders")

    return later


def one_made_elsewhere(order_id: int) -> None:
    later = makes_one(order_id)
    later()
