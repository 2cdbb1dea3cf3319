"""A9: an object gives its session to those that it makes, however many levels down one of them uses it."""

import time

from sqlalchemy.orm import Session

from shop import NewSyncSession, Order


class Secrets:
    def __init__(self, db: Session) -> None:
        self.db = db

    def read(self, number: int) -> Order:
        return self.db.get_one(Order, number)


class Connections:
    def __init__(self, db: Session) -> None:
        self.db = db
        self.secrets = Secrets(db)

    def resolve(self, number: int) -> Order:
        return self.secrets.read(number)


class Workspaces:
    def __init__(self, db: Session) -> None:
        self.db = db
        self.connections = Connections(db)

    def open(self, number: int) -> Order:
        return self.connections.resolve(number)


class Runner:
    def __init__(self, db: Session) -> None:
        self.db = db
        self.workspaces = Workspaces(db)

    def execute(self, number: int) -> Order:
        return self.workspaces.open(number)


class Router:
    def __init__(self, db: Session) -> None:
        self.db = db
        self.runner = Runner(db)

    def answer(self, number: int) -> Order:
        return self.runner.execute(number)


class Channel:
    def __init__(self, db: Session) -> None:
        self.db = db
        self.router = Router(db)

    def route(self, number: int) -> Order:
        return self.router.answer(number)


def while_it_is_open(number: int) -> None:
    with NewSyncSession() as db:
        Channel(db).route(number)
        time.sleep(1)  # expect: LG202
        db.commit()


def committed_by_who_made_it(number: int) -> None:
    with NewSyncSession() as db:
        Channel(db).route(number)
        db.commit()
        time.sleep(1)


def after_it_was_closed(number: int) -> None:
    with NewSyncSession() as db:
        Channel(db).route(number)
    time.sleep(1)
