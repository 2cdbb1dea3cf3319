"""Exceptions leave a `try` in the middle: what an `except` finds open is whatever its body had opened by then."""

import httpx
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


def the_handler_waits_before_it_rolls_back(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            httpx.post("https://alerts.example/failed")  # expect: LG201
            db.rollback()


def the_handler_rolls_back_first(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            db.rollback()
            httpx.post("https://alerts.example/failed")


def the_handler_has_no_release_for_what_follows(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            pass
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201


def finally_releases_on_every_way(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            pass
        finally:
            db.close()
        httpx.post("https://partner.example/orders", json={"id": order_id})


def else_runs_only_after_the_commit(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            db.rollback()
        else:
            httpx.post("https://partner.example/closed", json={"id": order_id})


def finally_itself_waits(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
        finally:
            httpx.post("https://partner.example/seen", json={"id": order_id})  # expect: LG201
        db.commit()


def an_exception_before_the_query_leaves_nothing_open(text: str) -> None:
    with NewSyncSession() as db:
        try:
            number = int(text)
        except ValueError:
            httpx.post("https://alerts.example/no-number")
            return
        db.get_one(Order, number).state = "closed"
        db.commit()


def a_return_value_is_evaluated_before_finally(order_id: int) -> str:
    db = NewSyncSession()
    try:
        order = db.get_one(Order, order_id)
        return httpx.get(f"https://partner.example/{order.id}").text  # expect: LG201
    finally:
        db.close()


def the_value_is_made_after_finally(order_id: int) -> str:
    db = NewSyncSession()
    try:
        number = db.get_one(Order, order_id).id
    finally:
        db.close()
    return httpx.get(f"https://partner.example/{number}").text


def raise_goes_straight_to_the_handler(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            order = db.get_one(Order, order_id)
            if order.state == "closed":
                raise LookupError(order_id)
            db.commit()
        except LookupError:
            httpx.post("https://alerts.example/closed-already")  # expect: LG201


def alert(order_id: int) -> None:
    httpx.post("https://alerts.example/failed", json={"id": order_id})


def what_only_reports_the_error_holds_what_has_stopped_already(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            alert(order_id)


def send_again(db: Session, order_id: int) -> None:
    order = db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders", json={"id": order.id})


def what_is_given_the_session_goes_on_working(order_id: int) -> None:
    with NewSyncSession() as db:
        try:
            db.get_one(Order, order_id).state = "closed"
            db.commit()
        except ValueError:
            send_again(db, order_id)  # expect: LG201
