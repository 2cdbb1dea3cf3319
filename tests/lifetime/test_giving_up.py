"""Where there is too much to follow, letgo stops, and says nothing that it has not seen."""

from pathlib import Path

import pytest

from letgo.lifetime import memo
from letgo.lifetime.follow import follow
from letgo.rules.judging import judge
from letgo.rules.shop import SHOP
from letgo.source.read import read
from letgo.source.settings import Settings

MANY_CALLS = """
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

app = FastAPI()

{steps}

@app.get("/orders/{{order_id}}")
def read_order(order_id: int, db: Session = Depends(get_sync_db)):
    order = db.get_one(Order, order_id)
    {calls}
    return order
"""


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5])
def test_a_dependency_whose_end_is_not_followed_is_trusted_to_close_its_session(tmp_path: Path, monkeypatch, limit):
    steps = "\n".join(f"def step{number}(db: Session): db.flush()" for number in range(20))
    calls = "; ".join(f"step{number}(db)" for number in range(20))
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(MANY_CALLS.format(steps=steps, calls=calls))
    monkeypatch.setattr(memo, "MAX_DEPTH", limit)
    findings = judge(follow(read([tmp_path], root=tmp_path)), Settings(root=tmp_path))
    assert not [finding for finding in findings if finding.code.startswith("LG5")]
