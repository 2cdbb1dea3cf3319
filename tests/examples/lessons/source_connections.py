"""A Session bound to a Connection keeps it: only the end of the connection gives it back."""

import httpx
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session, sessionmaker

from shop import Order, sync_engine

NewSession = sessionmaker()


def a_commit_does_not_give_it_back(order_id: int) -> None:
    with sync_engine.connect() as connection:
        with Session(bind=connection) as db:
            db.get_one(Order, order_id)
            db.commit()
            httpx.post("https://partner.example/orders")  # expect: LG201


def nor_does_a_close(order_id: int) -> None:
    with sync_engine.connect() as connection:
        with Session(connection) as db:
            db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


def the_end_of_the_connection_does(order_id: int) -> None:
    with sync_engine.connect() as connection:
        with Session(bind=connection) as db:
            db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")


def by_a_factory(order_id: int) -> None:
    with sync_engine.connect() as connection, NewSession(bind=connection) as db:
        db.get_one(Order, order_id)
        db.commit()
        httpx.post("https://partner.example/orders")  # expect: LG201


def a_session_bound_to_an_engine(order_id: int) -> None:
    with Session(sync_engine) as db:
        db.get_one(Order, order_id)
        db.commit()
        httpx.post("https://partner.example/orders")


def a_connection_of_its_own() -> None:
    with sync_engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        httpx.post("https://partner.example/orders")  # expect: LG201


def a_connection_is_checked_out_at_once() -> None:
    with sync_engine.connect() as connection:
        httpx.post("https://partner.example/orders")  # expect: LG201
        connection.execute(text("SELECT 1"))


def a_transaction_of_the_engine() -> None:
    with sync_engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        httpx.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/done")


def one_left_open(engine) -> object:
    connection = engine.connect()  # expect: LG501
    return inspect(connection).default_schema_name


def of_an_engine_handed_in() -> None:
    one_left_open(sync_engine)
