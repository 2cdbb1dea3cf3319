"""A10: a decorator opens the session and hands it in, or manages one around the call."""

import functools
from contextlib import contextmanager

import httpx
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from shop import NewSyncSession, Order, sync_engine

Scoped = scoped_session(sessionmaker(sync_engine))


def with_session(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with NewSyncSession() as session:
            return function(*args, session=session, **kwargs)

    return wrapper


@with_session
def handed_in(order_id: int, session: Session) -> None:
    session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201


@with_session
def handed_in_and_committed(order_id: int, session: Session) -> None:
    session.get_one(Order, order_id)
    session.commit()
    httpx.post("https://partner.example/orders")


@with_session
def handed_in_undeclared(order_id, session=None):
    session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201


def cleaned_up(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        finally:
            Scoped.remove()

    return wrapper


@cleaned_up
def managed_around(order_id: int) -> None:
    Scoped.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201


@contextmanager
def transaction():
    with NewSyncSession.begin() as session:
        yield session


def transactional(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with transaction() as session:
            return function(session, *args, **kwargs)

    return wrapper


@transactional
def first_argument(session: Session, order_id: int) -> None:
    session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201


def calls_a_decorated_function(order_id: int) -> None:
    handed_in_and_committed(order_id)
    httpx.post("https://partner.example/orders")
