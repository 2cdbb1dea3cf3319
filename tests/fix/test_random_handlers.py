"""Random handlers answer the same before and after their repair, leave the same rows, and hold less."""

import ast
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letgo import repairing
from letgo.source.settings import Settings

HEAD = """\
import time
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[int]


class BookOut(BaseModel, from_attributes=True):
    id: int
    price: int


def get_db():
    with SessionLocal() as db:
        yield db
        COMMIT


Base.metadata.create_all(engine)
with SessionLocal() as session:
    session.add_all(Book(title=f"book {number}", price=number) for number in range(1, 4))
    session.commit()

router = APIRouter()


"""

CONDITIONS = st.sampled_from(
    ["book is None", "total > 3", "book is not None and book.price > 1", "number == 2", "(seen := total) > 1"]
)
SIMPLE = st.sampled_from(
    [
        "book = db.get(Book, number)",
        "total += len(db.scalars(select(Book)).all())  # counted",
        "time.sleep(0.0001)",
        "# a comment of its own\ntotal += 1",
        "db.add(Book(title='new', price=total))",
        "db.commit()",
        "if book is not None:\n    book.price += 1",
        "titles = [each.title for each in db.scalars(select(Book).where(Book.price > 1)).all()]\ntotal += len(titles)",
        "db.flush()",
        'text = f"""\n{total}\n  kept\n"""\ntotal += len(text)',
    ]
)
RETURNS = st.sampled_from(
    [
        'return {"total": total}',
        'return {\n    "total": total,  # so far\n    "price": book and book.price,\n}',
        'return JSONResponse({"total": total}, 202)',
        'return RedirectResponse("/elsewhere")',
        "return total",
        "return None",
        "return db.scalars(select(Book.price)).all()",
    ]
)


def indented(code: str) -> str:
    inside = False
    lines = []
    for line in code.split("\n"):
        lines.append(line if inside or not line else f"    {line}")
        inside ^= line.count('"""') % 2 == 1
    return "\n".join(lines)


def block(statements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(statements, min_size=1, max_size=3).map("\n".join)


STATEMENTS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(
            lambda test, body, end: f"if {test}:\n{indented(body)}\n{indented(end)}", CONDITIONS, block(inner), RETURNS
        ),
        st.builds(lambda body: f"for number in (1, 2):\n{indented(body)}", block(inner)),
        st.builds(
            lambda body, end: (
                f"try:\n{indented(body)}\n    if total > 5:\n        raise LookupError(total)\n"
                f"except LookupError as error:\n{indented(end)}"
            ),
            block(inner),
            RETURNS,
        ),
        st.builds(lambda test, body: f"if {test}:\n{indented(body)}\nelse:\n    total += 2", CONDITIONS, block(inner)),
    ),
    max_leaves=6,
)
HANDLERS = st.builds(
    lambda how, statements, end, model, commit: (
        HEAD.replace("COMMIT", commit)
        + f'@router.get("/books/{{number}}"{model[0]})\n{how} handler(number: int, db: Session = Depends(get_db)):\n'
        + f'    """Random."""\n    book, total = None, 0\n{indented(statements)}\n{indented(model[1] or end)}\n'
    ),
    st.sampled_from(["def", "async def"]),
    block(STATEMENTS),
    RETURNS,
    st.sampled_from(
        [
            ("", ""),
            (", response_model=None", ""),
            (", response_model=list[BookOut]", "return db.scalars(select(Book).order_by(Book.id)).all()"),
        ]
    ),
    st.sampled_from(["pass", "db.commit()"]),
)


def run(text: str) -> tuple[list[object], list[object]]:
    """The answers to some requests, and the rows that are there afterwards."""
    module = ModuleType("random_handler")
    sys.modules["random_handler"] = module  # where Pydantic and SQLAlchemy look annotations up
    exec(compile(text, "random_handler.py", "exec"), module.__dict__)
    app = FastAPI()
    app.include_router(module.router)
    answers: list[object] = []
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        for number in (1, 2, 3, 9):
            answer = client.get(f"/books/{number}")
            answers.append((answer.status_code, answer.text, answer.headers.get("location")))
    with module.SessionLocal() as session:
        rows = [(book.id, book.title, book.price) for book in session.scalars(module.select(module.Book))]
    module.engine.dispose()
    return answers, rows


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HANDLERS)
def test_a_safe_repair_changes_neither_answers_nor_rows(text: str) -> None:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "module.py").write_text(text)
        known = Settings(root=root, preview=True, jobs=1, fastapi_version="0.121.0")
        found, fixed = repairing.repaired([root], known, use_cache=False)
        repaired = fixed.program.texts.get("module.py", text)
        ast.parse(repaired)
        assert run(text) == run(repaired)
        assert len(fixed.left) <= len(found)
        (root / "module.py").write_text(repaired)
        _, again = repairing.repaired([root], known, use_cache=False)
        assert again.made == ()
