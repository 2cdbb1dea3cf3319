"""A base class is handed the session: what its constructor sets is set on the object, however it is called."""

import httpx
import requests
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


class Repository:
    def __init__(self, db: Session) -> None:
        self.db = db

    def first(self) -> Order:
        return self.db.get_one(Order, 1)


class Timed:
    def __init__(self, *args: object) -> None:
        super().__init__(*args)


class Orders(Repository):
    def __init__(self, db: Session, partner: str) -> None:
        super().__init__(db)
        self.partner = partner


class Parcels(Repository):
    def __init__(self, db: Session) -> None:
        Repository.__init__(self, db)


class Letters(Timed, Repository):
    def __init__(self, db: Session) -> None:
        super().__init__(db)


class Cards(Repository):
    def __init__(self, db: Session) -> None:
        super().__init__(db)

    def first(self) -> Order:
        found = super().first()
        self.db.commit()
        return found


def by_super(db: Session) -> None:
    Orders(db, "https://partner.example").first()
    requests.get("https://partner.example/orders")  # expect: LG201
    db.commit()


def by_name(db: Session) -> None:
    Parcels(db).first()
    requests.get("https://partner.example/orders")  # expect: LG201
    db.commit()


def through_a_mixin(db: Session) -> None:
    Letters(db).first()
    requests.get("https://partner.example/orders")  # expect: LG201
    db.commit()


def overridden(db: Session) -> None:
    Cards(db).first()
    requests.get("https://partner.example/orders")


class Channel:
    client = None

    def __init__(self, outbox) -> None:
        self.outbox = outbox


class Partner(Channel):
    def __init__(self) -> None:
        super().__init__(None)
        self.outbox = requests.Session()
        self.client = requests.Session()


def the_class_sets_it_to_what_nobody_knows(db: Session, order: Order, outbox) -> None:
    db.refresh(order)
    Channel(outbox).outbox.send(order)
    db.commit()


def the_class_leaves_it_to_its_subclasses(db: Session, order: Order, channel: Channel) -> None:
    db.refresh(order)
    channel.client.get("https://partner.example/orders")  # expect: LG201
    db.commit()


class WithoutSelf:
    def __init__():
        requests.client = 3


def of_a_class_that_can_not_be_made(db: Session, given: WithoutSelf) -> None:
    db.get_one(Order, 1)
    given.client.call()
    requests.get("https://partner.example/")  # expect: LG201


class Supplier:
    def order(self, order_id: int) -> None:
        raise NotImplementedError


class Local(Supplier):
    def __init__(self) -> None:
        super().__init__()


class Remote(Supplier):
    def __init__(self) -> None:
        httpx.get("https://partner.example/hello")


def what_a_sibling_does_is_none_of_its_business(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        Local()
        Remote()  # expect: LG201
