"""A loop comes round again: what the end of its body leaves open is open at its head."""

import time

import httpx
from sqlalchemy import select

from shop import NewSyncSession, Order


def one_call_for_each_row() -> None:
    with NewSyncSession() as db:
        for order in db.scalars(select(Order)):
            httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


def rows_first_calls_later() -> None:
    with NewSyncSession() as db:
        numbers = db.scalars(select(Order.id)).all()
    for number in numbers:
        httpx.post("https://partner.example/orders", json={"id": number})


def the_second_round_begins_with_an_open_transaction(numbers: list[int]) -> None:
    with NewSyncSession() as db:
        for number in numbers:
            answer = httpx.get(f"https://partner.example/{number}")  # expect: LG201
            db.get_one(Order, number).state = answer.text
        db.commit()


def each_round_ends_its_own(numbers: list[int]) -> None:
    with NewSyncSession() as db:
        for number in numbers:
            answer = httpx.get(f"https://partner.example/{number}")
            db.get_one(Order, number).state = answer.text
            db.commit()


def polled_in_one_transaction(order_id: int) -> None:
    with NewSyncSession() as db:
        while db.get_one(Order, order_id).state != "done":
            time.sleep(1)  # expect: LG202


def polled_in_one_transaction_each(order_id: int) -> None:
    while True:
        with NewSyncSession() as db:
            if db.get_one(Order, order_id).state == "done":
                break
        time.sleep(1)


def continue_passes_the_commit_by(numbers: list[int]) -> None:
    with NewSyncSession() as db:
        for number in numbers:
            httpx.get(f"https://partner.example/{number}")  # expect: LG201
            order = db.get_one(Order, number)
            if order.state == "done":
                continue
            order.state = "done"
            db.commit()


def break_passes_the_commit_by(numbers: list[int]) -> None:
    with NewSyncSession() as db:
        for number in numbers:
            order = db.get_one(Order, number)
            if order.state == "done":
                break
            db.commit()
        httpx.post("https://partner.example/done")  # expect: LG201


def else_is_reached_only_without_break(numbers: list[int]) -> None:
    with NewSyncSession() as db:
        for number in numbers:
            order = db.get_one(Order, number)
            if order.state == "done":
                break
            db.commit()
        else:
            httpx.post("https://partner.example/nothing-done")


def a_session_for_each_round(numbers: list[int]) -> None:
    for number in numbers:
        with NewSyncSession() as db:
            state = db.get_one(Order, number).state
        httpx.post("https://partner.example/orders", json={"id": number, "state": state})


def a_comprehension_is_a_loop() -> list[str]:
    with NewSyncSession() as db:
        orders = db.scalars(select(Order)).all()
        return [httpx.get(f"https://partner.example/{order.id}").text for order in orders]  # expect: LG201


def retried_with_the_transaction_open(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        for attempt in range(3):
            try:
                order.state = "sent"
                db.commit()
                break
            except OSError:
                time.sleep(2**attempt)  # expect: LG202


def retried_after_a_rollback(order_id: int) -> None:
    with NewSyncSession() as db:
        for attempt in range(3):
            try:
                db.get_one(Order, order_id).state = "sent"
                db.commit()
                break
            except OSError:
                db.rollback()
                time.sleep(2**attempt)
