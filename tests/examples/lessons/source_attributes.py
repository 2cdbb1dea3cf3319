"""A9: services and repositories hold a session, and their methods use it long after they were made."""

from dataclasses import dataclass

import httpx
from elsewhere import registry
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order, get_db

app = FastAPI()


class Orders:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def one(self, order_id: int) -> Order:
        return await self.db.get_one(Order, order_id)

    async def send(self, order_id: int) -> None:
        async with httpx.AsyncClient() as client:
            await client.post("https://partner.example/orders", json={"id": order_id})

    async def done(self) -> None:
        await self.db.commit()


@app.get("/made-here/{order_id}")
async def made_in_the_handler(order_id: int, db: AsyncSession = Depends(get_db)):
    orders = Orders(db)
    await orders.one(order_id)
    await orders.send(order_id)  # expect: LG201
    await orders.done()
    return {}


@app.get("/in-order/{order_id}")
async def done_before_it_sends(order_id: int, db: AsyncSession = Depends(get_db)):
    orders = Orders(db)
    await orders.one(order_id)
    await orders.done()
    await orders.send(order_id)
    return {}


def get_orders(db: AsyncSession = Depends(get_db)) -> Orders:
    return Orders(db)


@app.get("/made-there/{order_id}")
async def made_in_a_dependency(order_id: int, orders: Orders = Depends(get_orders)):
    await orders.one(order_id)
    await orders.send(order_id)  # expect: LG201
    return {}  # expect: LG101


class Shop:
    """A service of services."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders

    async def ship(self, order_id: int) -> Order:
        order = await self.orders.one(order_id)
        await self.orders.send(order_id)
        return order


def get_shop(orders: Orders = Depends(get_orders)) -> Shop:
    return Shop(orders)


@app.get("/two-deep/{order_id}")
async def a_service_in_a_service(order_id: int, shop: Shop = Depends(get_shop)):
    order = await shop.ship(order_id)  # expect: LG201
    return order.state  # expect: LG101


class Base:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session


class Repository(Base):
    @classmethod
    def from_session(cls, session: AsyncSession) -> "Repository":
        return cls(session)

    async def numbers(self) -> list[int]:
        return list(await self.session.scalars(select(Order.id)))


@app.get("/inherited")
async def held_by_a_base_class(db: AsyncSession = Depends(get_db)):
    return await Repository.from_session(db).numbers()  # expect: LG101


@dataclass
class Holder:
    session: AsyncSession


@app.get("/dataclass")
async def held_by_a_dataclass(db: AsyncSession = Depends(get_db)):
    holder = Holder(db)
    await holder.session.scalars(select(Order.id))
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders")  # expect: LG201
    return {}  # expect: LG101


class Declared:
    """Whoever makes it gives it a session."""

    session: Session

    def send(self, order_id: int) -> None:
        self.session.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201

    def send_after_commit(self, order_id: int) -> None:
        self.session.get_one(Order, order_id)
        self.session.commit()
        httpx.post("https://partner.example/orders")


class Worker:
    """It makes its own, once, and keeps it."""

    def __init__(self) -> None:
        self.db = NewSyncSession()

    def work(self, order_id: int) -> None:
        self.db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
        self.db.commit()


class Lazily:
    """It makes its own when first asked."""

    def __init__(self) -> None:
        self._db: Session | None = None

    @property
    def db(self) -> Session:
        if self._db is None:
            self._db = NewSyncSession()
        return self._db

    def work(self, order_id: int) -> None:
        self.db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
        self.db.commit()


class Counter:
    def __init__(self, db: Session) -> None:
        self.db = db

    def count(self) -> int:
        return len(self.db.scalars(select(Order)).all())


class Counting:
    """It makes another that shares its session, when first asked."""

    def __init__(self, db: Session) -> None:
        self.db = db
        self._counter: Counter | None = None

    @property
    def counter(self) -> Counter:
        if self._counter is None:
            self._counter = Counter(self.db)
        return self._counter


def counts_with_its_session() -> int:
    with NewSyncSession() as db:
        count = Counting(db).counter.count()
        httpx.post("https://partner.example/counts")  # expect: LG201
        return count


def counts_and_commits() -> int:
    with NewSyncSession() as db:
        count = Counting(db).counter.count()
        db.commit()
        httpx.post("https://partner.example/counts")
        return count


class OfOneOrTheOther:
    def __init__(self, session: Session | None = None) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        return self._session or registry.session

    def one(self, order_id: int) -> Order:
        return self.session.get_one(Order, order_id)

    def sent(self, order_id: int) -> None:
        self.session.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
        self.session.commit()

    def done_before(self, order_id: int) -> None:
        self.session.get_one(Order, order_id)
        self.session.commit()
        httpx.post("https://partner.example/orders")


class OfTheRegistry:
    @property
    def session(self) -> Session:
        return registry.session

    def one(self, order_id: int) -> Order:
        return self.session.get_one(Order, order_id)

    def done_before(self, order_id: int) -> None:
        self.session.get_one(Order, order_id)
        self.session.commit()
        httpx.post("https://partner.example/orders")


class Unit:
    def make(self) -> Session: ...


def of_a_unit(unit: Unit, order_id: int) -> None:
    db = unit.make()  # expect: LG501
    db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
