"""The module that the example programs of all rules import, as `shop`: its engines, models and dependencies."""

SHOP = """\
from collections.abc import AsyncIterator, Iterator

from pydantic import BaseModel
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker

engine = create_async_engine("postgresql+psycopg://localhost/shop", pool_size=10, max_overflow=0)
NewSession = async_sessionmaker(engine, expire_on_commit=False)

sync_engine = create_engine("postgresql+psycopg://localhost/shop", pool_size=10, max_overflow=0)
NewSyncSession = sessionmaker(sync_engine, expire_on_commit=False)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with NewSession() as db:
        yield db


def get_sync_db() -> Iterator[Session]:
    with NewSyncSession() as db:
        yield db


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    salt: Mapped[bytes]
    password: Mapped[bytes]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship()
    amount: Mapped[int]
    state: Mapped[str]


class OrderOut(BaseModel, from_attributes=True):
    id: int
    amount: int
    state: str
"""
