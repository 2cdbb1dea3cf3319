"""A branch that compares an argument with a text or a member of an enumeration is taken where the argument is that."""

import enum

import httpx
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


class Payment(enum.StrEnum):
    NOW = "now"
    LATER = "later"


class Urgency(enum.Enum):
    HIGH = enum.auto()
    LOW = enum.auto()


def charge(order: Order, payment: Payment = Payment.LATER) -> None:
    if payment == Payment.NOW:
        httpx.post("https://bank.example/charges", json={"order": order.id})


def notify(order: Order, urgency: Urgency) -> None:
    if urgency is not Urgency.LOW:
        httpx.post("https://pager.example/pages", json={"order": order.id})


def export(order: Order, form: str = "none") -> None:
    if form in ("csv", "xml"):
        httpx.post("https://partner.example/exports", json={"order": order.id})


def with_the_default(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        charge(order)
        export(order)
        db.commit()


def with_another_constant(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        charge(order, Payment.LATER)
        notify(order, Urgency.LOW)
        export(order, "json")
        db.commit()


def with_the_constant(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        charge(order, payment=Payment.NOW)  # expect: LG201
        notify(order, Urgency.HIGH)  # expect: LG201
        export(order, "xml")  # expect: LG201
        db.commit()


def with_anything(order_id: int, payment: Payment, urgency: Urgency, form: str) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        charge(order, payment)  # expect: LG201
        notify(order, urgency)  # expect: LG201
        export(order, form)  # expect: LG201
        db.commit()


def with_a_choice(order_id: int, is_urgent: bool) -> None:
    payment = Payment.LATER
    if is_urgent:
        payment = Payment.NOW
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        charge(order, payment)  # expect: LG201
        db.commit()


def an_unknown_argument_is_not_the_default(order_id: int, options: dict[str, str], db: Session) -> None:
    order = db.get_one(Order, order_id)
    export(order, options["form"])  # expect: LG201


class Store:
    def save(self, order: Order) -> None: ...


class DatabaseStore(Store): ...


class RemoteStore(Store):
    def save(self, order: Order) -> None:
        httpx.put("https://store.example/orders", json={"id": order.id})


def find_store(is_remote: bool) -> DatabaseStore | RemoteStore:
    return RemoteStore() if is_remote else DatabaseStore()


def only_what_is_an_instance_goes_on(order_id: int, is_remote: bool) -> None:
    store = find_store(is_remote)
    if not isinstance(store, DatabaseStore):
        raise TypeError(store)
    with NewSyncSession() as db:
        store.save(db.get_one(Order, order_id))
        db.commit()


def both_may_go_on(order_id: int, is_remote: bool) -> None:
    store = find_store(is_remote)
    with NewSyncSession() as db:
        store.save(db.get_one(Order, order_id))  # expect: LG201
        db.commit()


def what_is_no_instance(order_id: int, is_remote: bool) -> None:
    store = find_store(is_remote)
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if isinstance(store, DatabaseStore):
            store.save(order)
        else:
            store.save(order)  # expect: LG201
        db.commit()
