"""H1: an ORM object carries its session along: its methods may wait, its relationships query."""

import httpx
from sqlalchemy.orm import Mapped, mapped_column, relationship

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
