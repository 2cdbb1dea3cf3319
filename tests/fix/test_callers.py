"""Who else calls a handler decides whether a release may be put into it."""

import pytest

HANDLER = """from fastapi import APIRouter, Depends
from shop import Order, get_sync_db
from sqlalchemy.orm import Session

router = APIRouter()


@router.get("/orders/{order_id}")
def read_amount(order_id: int, db: Session = Depends(get_sync_db)) -> int:
    amount = db.get_one(Order, order_id).amount
    return int(amount)
"""
RELEASED = "    db.commit()\n    db.close()\n    return response\n"


@pytest.mark.parametrize(
    "call",
    [
        "from module import read_amount\nread_amount(1)\n",
        "from module import read_amount as reading\nreading(order_id=1)\n",
        "import module\nmodule.read_amount(1)\n",
    ],
)
def test_a_handler_that_a_test_calls_without_a_session_is_left(call: str, workshop) -> None:
    workshop.write("test_module.py", call)
    assert workshop.fixed(HANDLER, unsafe=True) == HANDLER
    _, fixed = workshop.repair(unsafe=True)
    reasons = {left.reason for left in fixed.left if left.finding.handler.function == "read_amount"}
    assert any("test_module.py calls `read_amount` without a session" in reason for reason in reasons)


@pytest.mark.parametrize(
    "call",
    [
        "from module import read_amount\nread_amount(1, FakeSession())\n",
        "from module import read_amount\nread_amount(1, db=FakeSession())\n",
        "from module import read_amount\nread_amount(*arguments)\n",
        "from elsewhere import read_amount\nread_amount(1)\n",
        "import module\nservice.read_amount(1)\n",
        "import module\nmodule.read_amount(1",
    ],
)
def test_other_calls_in_tests_do_not_matter(call: str, workshop) -> None:
    workshop.write("test_module.py", call)
    assert RELEASED in workshop.fixed(HANDLER)


UNKNOWN = """from fastapi import APIRouter, Depends
from shop import Order, OrderOut, get_sync_db
from sqlalchemy.orm import Session, sessionmaker

router = APIRouter()


def found(db: Session, order_id: int):
    return db.get_one(Order, order_id)


@router.get("/orders/{order_id}", response_model=OrderOut)
def read_order(order_id: int, db: Session = Depends(get_sync_db)):
    return found(db, order_id)
"""


def test_what_may_be_a_row_is_made_into_the_response_model(workshop) -> None:
    made = "OrderOut.model_validate(found(db, order_id))"
    assert made in workshop.fixed(UNKNOWN, unsafe=True, strict=True)


def test_what_tests_have_a_handler_return_is_not_made_into_the_response_model(workshop) -> None:
    workshop.write("test_module.py", "import module\nassert module.read_order(1, FakeSession()) == {}\n")
    assert workshop.fixed(UNKNOWN, unsafe=True, strict=True) == UNKNOWN
