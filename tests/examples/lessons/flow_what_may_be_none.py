"""What may be None, or something that is not known, goes both ways at a branch."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop import NewSyncSession


class Tool:
    def use(self) -> None: ...


class Hooks:
    def before(self, name: str) -> Tool | None:
        return None


def found(token: str) -> tuple[str | None, str | None]:
    if not token:
        return None, None
    shop, clerk = token.split(".")
    return shop, clerk


def of_a_tuple(token: str) -> None:
    shop, clerk = found(token)
    if not shop or not clerk:
        return
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        time.sleep(1)  # expect: LG202


def of_a_dict(token: str) -> None:
    data = {"clerk": None}
    if token:
        data = token.load()
    if data["clerk"] is None:
        return
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        time.sleep(1)  # expect: LG202


def by_default() -> None:
    mode = os.environ.get("MODE") or "quick"
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        if mode == "slow":
            time.sleep(1)  # expect: LG202


def always_the_default() -> None:
    mode = None or "quick"
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        if mode == "slow":
            time.sleep(1)


def of_a_parameter(tool: Tool | None) -> None:
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        if tool is None:
            time.sleep(1)  # expect: LG202


def always_given(tool: Tool) -> None:
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        if tool is None:
            time.sleep(1)


def of_what_is_declared(hooks: Hooks) -> None:
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        tool = hooks.before("order")
        if tool is not None:
            return
        time.sleep(1)  # expect: LG202


class Bus:
    def __init__(self, db: Session | None = None) -> None:
        self.db = db

    @contextmanager
    def session(self) -> Iterator[Session]:
        if self.db is None:
            with NewSyncSession() as db:
                yield db
        else:
            yield self.db

    def listeners(self) -> list[str]:
        with self.session() as db:
            return list(db.execute(text("select name from listeners")).scalars())


def of_an_object_with_a_session(db: Session) -> None:
    Bus(db).listeners()
    time.sleep(1)  # expect: LG202


def of_an_object_without_one() -> None:
    Bus().listeners()
    time.sleep(1)
