"""Certain is what letgo has followed; where a doubt is left, it says likely."""

from pathlib import Path

import pytest

from letgo.holds import Confidence
from letgo.lifetime.follow import follow
from letgo.rules.judging import judge
from letgo.rules.shop import SHOP
from letgo.source.read import read
from letgo.source.settings import Settings

ENDPOINT = """
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

app = FastAPI()


@app.get("/orders/{{order_id}}")
def read_order(order_id: int, db: Session = Depends(get_sync_db)):
    try:
        order = db.get_one(Order, order_id)
        price = int(order.state)
        db.commit()
    {handler}
    return price
"""


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("except Exception:\n        return 0", Confidence.CERTAIN),
        ("except (ValueError, Exception):\n        return 0", Confidence.CERTAIN),
        ("except ValueError:\n        return 0", Confidence.LIKELY),
        ("except Exception as e:\n        if isinstance(e, ValueError):\n            return 0\n        raise",
         Confidence.LIKELY),
    ],
)  # fmt: skip
def test_a_return_that_needs_a_certain_exception_is_likely(tmp_path: Path, handler, expected):
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(ENDPOINT.format(handler=handler))
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    assert [finding.confidence for finding in findings if finding.code == "LG101"] == [expected]


TABLE = """
import httpx

from shop import NewSyncSession, Order


def notify():
    httpx.post("https://partner.example/orders")


def count():
    pass


def send(kind: str):
    steps = {{"notify": notify, "count": count}}
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        {call}
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('steps["notify"]()', [Confidence.CERTAIN]),
        ('steps["count"]()', []),
        ("steps[kind]()", [Confidence.LIKELY]),
        ("steps.get(kind, count)()", [Confidence.LIKELY]),
        ("for step in steps.values():\n            step()", [Confidence.CERTAIN]),
    ],
)
def test_a_function_that_is_one_of_a_table_is_likely(tmp_path: Path, call, expected):
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(TABLE.format(call=call))
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    assert [finding.confidence for finding in findings if finding.code == "LG201"] == expected


CONTEXT = """
from contextvars import ContextVar

import httpx
from sqlalchemy.orm import Session

from shop import Order

current: ContextVar[Session | None] = ContextVar("current", default=None)


def send(order_id: int) -> None:
    db = current.get()
    if db:
        db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")
"""


def test_a_session_that_a_context_variable_may_hold_is_likely(tmp_path: Path):
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(CONTEXT)
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    assert [finding.confidence for finding in findings if finding.code == "LG201"] == [Confidence.LIKELY]


GUESSED = """
import httpx
from sqlalchemy.orm import Session

from shop import Order


class Vault:
    def __init__(self, db: Session) -> None:
        self.db = db

    def read_secret(self, number: int) -> str:
        return self.db.get_one(Order, number).state


def rotate(vault, number: int) -> None:
    httpx.post("https://partner.example/keys")
    vault.read_secret(number)


def rotate_all(vault) -> None:
    vault.read_secret(1)
    rotate(vault, 1)
"""


def test_what_a_guess_has_opened_is_held_likely_in_what_is_called_next_too(tmp_path: Path):
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(GUESSED)
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    held = [finding.confidence for finding in findings if finding.handler.function == "rotate_all"]
    assert held == [Confidence.LIKELY]


def test_a_method_that_paths_have_too_is_not_guessed(tmp_path: Path):
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(GUESSED.replace("read_secret", "read_bytes"))
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    assert not [finding for finding in findings if finding.handler.function == "rotate_all"]
