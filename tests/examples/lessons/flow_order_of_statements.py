"""What counts is where the query, the release and the wait stand to each other, not that all three are there."""

import httpx

from shop import NewSyncSession, Order


def query_then_wait(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201
        order.state = "sent"
        db.commit()


def a_session_takes_no_connection_before_its_first_query(order_id: int) -> None:
    with NewSyncSession() as db:
        answer = httpx.get("https://partner.example/state")
        db.get_one(Order, order_id).state = answer.text
        db.commit()


def commit_then_wait_then_write(order_id: int) -> None:
    with NewSyncSession() as db:
        number = db.get_one(Order, order_id).id
        db.commit()
        answer = httpx.get("https://partner.example/state", params={"id": number})
        db.get_one(Order, order_id).state = answer.text
        db.commit()


def rollback_gives_the_connection_back_too(order_id: int) -> None:
    with NewSyncSession() as db:
        number = db.get_one(Order, order_id).id
        db.rollback()
        httpx.post("https://partner.example/orders", json={"id": number})


def close_does_as_well(order_id: int) -> None:
    with NewSyncSession() as db:
        number = db.get_one(Order, order_id).id
        db.close()
        httpx.post("https://partner.example/orders", json={"id": number})


def flush_only_sends_it(order_id: int) -> None:
    with NewSyncSession() as db:
        db.add(Order(id=order_id))
        db.flush()
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201
        db.commit()


def wait_in_the_argument_of_the_query() -> None:
    with NewSyncSession() as db:
        db.get_one(Order, httpx.get("https://partner.example/next").json())


def wait_in_the_argument_of_the_second_query(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.get_one(Order, httpx.get(f"https://partner.example/after/{order.id}").json())  # expect: LG201


def wait_after_the_block(order_id: int) -> None:
    with NewSyncSession() as db:
        number = db.get_one(Order, order_id).id
    httpx.post("https://partner.example/orders", json={"id": number})
