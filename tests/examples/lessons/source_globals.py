"""Sessions that many share: module variables, scoped sessions, Flask-SQLAlchemy's `db.session` and `Model.query`."""

import httpx
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Integer
from sqlalchemy.orm import DeclarativeBase, Session, declarative_base, scoped_session, sessionmaker

from shop import NewSyncSession, Order, sync_engine

Scoped = scoped_session(sessionmaker(sync_engine))
db = SQLAlchemy()


class Extension(SQLAlchemy):
    def apply_pool_defaults(self, app, options):
        return options


extended = Extension(session_options={"expire_on_commit": False})
module_session = Session(sync_engine)


class Book(db.Model):
    __tablename__ = "books"

    id = db.Column(db.Integer, primary_key=True)


Rebound = sessionmaker(sync_engine)
Rebound = scoped_session(Rebound)

Base = declarative_base()
Base.query = Scoped.query_property()


class Author(Base):
    __tablename__ = "authors"

    id = Column(Integer, primary_key=True)


class Review(DeclarativeBase):
    __tablename__ = "reviews"
    query = Scoped.query_property()

    id = Column(Integer, primary_key=True)


def through_the_registry(order_id: int) -> None:
    try:
        Scoped.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
    finally:
        Scoped.remove()


def removed_only_if_nothing_goes_wrong(order_id: int) -> None:
    Scoped.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    Scoped.remove()  # expect: LG502


def called_it_gives_the_session(order_id: int) -> None:
    session = Scoped()
    try:
        session.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
    finally:
        session.close()


def of_a_factory_that_became_a_registry(order_id: int) -> str:
    return Rebound().get_one(Order, order_id).state


def ended_where_it_began(order_id: int) -> None:
    of_a_factory_that_became_a_registry(order_id)
    Rebound().commit()
    httpx.post("https://partner.example/orders")


def removed_before(order_id: int) -> None:
    try:
        Scoped.get_one(Order, order_id)
    finally:
        Scoped.remove()
    httpx.post("https://partner.example/orders")


def the_extension(book_id: int) -> None:
    db.session.get(Book, book_id)
    httpx.post("https://partner.example/books")  # expect: LG201


def an_extension_of_ones_own(book_id: int) -> None:
    extended.session.get(Book, book_id)
    extended.session.close()
    httpx.post("https://partner.example/books")


alias = db.session


def committed_by_another_name(book_id: int) -> None:
    db.session.get(Book, book_id)
    alias.commit()
    httpx.post("https://partner.example/books")


def the_extension_committed(book_id: int) -> None:
    db.session.get(Book, book_id)
    db.session.commit()
    httpx.post("https://partner.example/books")


def the_query_of_a_model(book_id: int) -> None:
    Book.query.filter_by(id=book_id).first()
    httpx.post("https://partner.example/books")  # expect: LG201


def the_query_of_a_model_committed(book_id: int) -> None:
    Book.query.filter_by(id=book_id).first()
    db.session.commit()
    httpx.post("https://partner.example/books")


def the_query_of_a_model_or_404(book_id: int) -> None:
    Book.query.filter_by(id=book_id).first_or_404()
    httpx.post("https://partner.example/books")  # expect: LG201


def by_the_extension_or_404(book_id: int) -> None:
    db.get_or_404(Book, book_id)
    httpx.post("https://partner.example/books")  # expect: LG201


def by_the_extension_or_404_then_removed(book_id: int) -> None:
    name = db.one_or_404(db.select(Book.name).where(Book.id == book_id))
    db.session.remove()
    httpx.post("https://partner.example/books", json={"name": name})


def load(book_id: int) -> Book:
    return db.session.get(Book, book_id)


def opened_in_a_function_that_was_called(book_id: int) -> None:
    load(book_id)
    httpx.post("https://partner.example/books")  # expect: LG201


def release() -> None:
    db.session.rollback()


def released_in_a_function_that_was_called(book_id: int) -> None:
    load(book_id)
    release()
    httpx.post("https://partner.example/books")


def the_query_that_a_registry_gave(author_id: int) -> None:
    try:
        Author.query.get(author_id)
        httpx.post("https://partner.example/books")  # expect: LG201
    finally:
        Scoped.remove()


def the_registry_removed(author_id: int) -> None:
    try:
        Author.query.get(author_id)
        Review.query.filter_by(author_id=author_id).all()
    finally:
        Scoped.remove()
    httpx.post("https://partner.example/books")


def a_session_of_the_module(order_id: int) -> None:
    module_session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    module_session.commit()


_session: Session | None = None


def current() -> Session:
    global _session
    if _session is None:
        _session = NewSyncSession()
    return _session


def made_when_first_asked_for(order_id: int) -> None:
    current().get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201
    current().commit()


KINDS: list[str] = []


def fill() -> None:
    global KINDS
    KINDS = list(filter(lambda kind: kind, ("sale", "gift")))


def what_another_function_gave_a_global(order_id: int) -> None:
    for kind in KINDS:
        with NewSyncSession() as db:
            db.get_one(Order, order_id)
            httpx.post("https://partner.example/orders", json={"kind": kind})  # expect: LG201
