"""Which SQL is sure to read and do nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql
from tests.runtime.bookshop import Author, Book

from letgo.runtime.statements import reads_only


@pytest.mark.parametrize(
    "statement",
    [
        select(Book),
        select(Book).join(Author).where(Author.name.in_(["Austen"])).order_by(Book.title).limit(3),
        select(func.count(), func.max(Book.id), func.lower(Book.title)).group_by(Book.title),
        select(func.row_number().over(partition_by=Book.title)),
        select(Book).where(select(Author).where(Author.id == Book.author_id).exists()),
        select(select(Book).cte("some_books").c.title),
        "SELECT 1;",
        "  -- who\n /* asks */ select id from book",
        "select current_setting('app.tenant')",
        "values (1), (2)",
    ],
    ids=str,
)
def test_a_plain_query_only_reads(statement: object) -> None:
    assert reads_only(sql(statement))


@pytest.mark.parametrize(
    "statement",
    [
        insert(Book).values(title="Emma"),
        update(Book).values(title="Emma"),
        select(Book).with_for_update(),
        select(Book).with_for_update(read=True),
        select(func.set_config("app.tenant", "1", True)),
        select(func.pg_advisory_xact_lock(1)),
        select(func.nextval("book_id_seq")),
        select(func.our_own_procedure()),
        select(insert(Book).values(title="Emma").returning(Book.id).cte("made").c.id),
        "select 1; delete from book",
        "select * into copy_of_book from book",
        'select "Our"."Procedure"(1)',
        'select "Procedure" (1)',
        "set local app.tenant = '1'",
        "call tidy()",
        "begin",
        "",
    ],
    ids=str,
)
def test_what_may_write_lock_or_set_something_does_more(statement: object) -> None:
    assert not reads_only(sql(statement))


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_. ", min_size=1))
def test_a_function_that_nobody_knows_to_be_harmless_is_not(name: str) -> None:
    from letgo.runtime.statements import HARMLESS

    called = name.split(" ")[-1].strip(".")
    assert reads_only(f"select {called}(1)") == (called.removeprefix("pg_catalog.") in HARMLESS or not called)


def sql(statement: object) -> str:
    return statement if isinstance(statement, str) else str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[attr-defined]
