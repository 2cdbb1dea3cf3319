"""`cast(Type, value)` gives the value; its type says what that is where it is not known, or hides behind a proxy."""

import time
import typing
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from shop import NewSyncSession


class Database:
    def __init__(self) -> None:
        self.registry = scoped_session(NewSyncSession)

    @property
    def session(self) -> Session:
        return self.registry()

    @contextmanager
    def scope(self):
        try:
            yield
        finally:
            self.registry.remove()


class Proxy:
    def __init__(self) -> None:
        self.database: Database | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)


proxy = Proxy()
db = cast(Database, proxy)


def through_a_proxy() -> None:
    with db.scope():
        db.session.execute(text("select 1"))
        time.sleep(1)  # expect: LG202


def committed_through_a_proxy() -> None:
    with db.scope():
        db.session.execute(text("select 1"))
        db.session.commit()
        time.sleep(1)


def after_the_scope() -> None:
    with db.scope():
        db.session.execute(text("select 1"))
    time.sleep(1)


def of_what_is_not_known(context) -> None:
    session = typing.cast(Session, context["session"])
    session.execute(text("select 1"))
    time.sleep(1)  # expect: LG202
    session.commit()


def of_a_session() -> None:
    with NewSyncSession() as made:
        session = cast(Session, made)
        session.execute(text("select 1"))
        session.commit()
        time.sleep(1)
