"""A migration of alembic has one connection, however often it asks for it."""

import httpx
from alembic import op
from sqlalchemy import text
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


def rename() -> None:
    op.get_bind().execute(text("UPDATE orders SET state = 'new'"))


def asked_for_twice() -> None:
    connection = op.get_bind()
    connection.execute(text("SELECT 1"))
    op.get_bind().execute(text("SELECT 2"))
    rename()


def a_session_of_its_own() -> None:
    connection = op.get_bind()
    connection.execute(text("SELECT 1"))
    with NewSyncSession() as db:
        db.get_one(Order, 1)  # expect: LG504


def a_wait_in_a_migration() -> None:
    connection = op.get_bind()
    connection.execute(text("SELECT 1"))
    httpx.post("https://partner.example/orders")


def a_session_on_it() -> None:
    with Session(op.get_bind()) as session:
        session.get_one(Order, 1)
        rename()
