"""A decorator may put arguments before those that a call gives: a session goes to the parameter that asks for one."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop import NewSyncSession


class Tables:
    name = "orders"


class WithTables:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(Tables(), *args)


def with_tables(function: Callable[..., Any]) -> Callable[..., Any]:
    return WithTables(function)


@with_tables
def count(tables: Tables, db: Session, key: int) -> int:
    return db.execute(text(f"select {key} from {tables.name}")).scalar_one()


def one_session_in_two_statements() -> None:
    with NewSyncSession() as db:
        db.execute(text("select 1"))
        count(db, 1)
