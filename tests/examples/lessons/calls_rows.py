"""H1: an ORM object carries its session along: its methods may wait, its relationships query."""

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from shop import Base, Customer, NewSyncSession, Order


class Parcel(Base):
    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    order: Mapped[Order] = relationship()

    def track(self) -> str:
        return httpx.get(f"https://partner.example/parcels/{self.id}").text

    @property
    def position(self) -> str:
        return httpx.get(f"https://partner.example/positions/{self.id}").text

    def is_new(self) -> bool:
        return self.state == "new"


def a_method_that_waits(parcel_id: int) -> None:
    with NewSyncSession() as db:
        parcel = db.get_one(Parcel, parcel_id)
        parcel.state = parcel.track()  # expect: LG201
        db.commit()


def a_property_that_waits(parcel_id: int) -> None:
    with NewSyncSession() as db:
        parcel = db.get_one(Parcel, parcel_id)
        parcel.state = parcel.position  # expect: LG201
        db.commit()


def a_method_that_does_not(parcel_id: int) -> None:
    with NewSyncSession() as db:
        parcel = db.get_one(Parcel, parcel_id)
        if parcel.is_new():
            parcel.state = "seen"
        db.commit()


def after_the_commit(parcel_id: int) -> None:
    with NewSyncSession() as db:
        parcel = db.get_one(Parcel, parcel_id)
        db.commit()
        parcel.track()


def each_of_a_query(customer: Customer) -> None:
    with NewSyncSession() as db:
        for parcel in db.query(Parcel).filter_by(state="sent").all():
            parcel.track()  # expect: LG201


class Shelf(Base):
    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list[Order]] = relationship()

    def close(self, db: Session) -> None:
        db.delete(self)
        db.commit()


def options_leave_the_row_what_it_is(shelf_id: int) -> None:
    with NewSyncSession() as db:
        shelf = db.scalars(select(Shelf).options(selectinload(Shelf.orders)).where(Shelf.id == shelf_id)).one()
        shelf.close(db)
        httpx.post("https://partner.example/shelves")


def what_options_may_have_loaded_is_no_late_read(shelf_id: int) -> list[Order]:
    with NewSyncSession() as db:
        shelf = db.scalars(select(Shelf).options(selectinload(Shelf.orders)).where(Shelf.id == shelf_id)).one()
    return shelf.orders


def what_nothing_has_loaded(shelf_id: int) -> list[Order]:
    with NewSyncSession() as db:
        shelf = db.scalars(select(Shelf).where(Shelf.id == shelf_id)).one()
    return shelf.orders  # expect: LG402
