"""Functions that call each other in circles: what they do is found from every way in, and following them takes no
longer than their number says."""

import random
from pathlib import Path

import pytest

from letgo.lifetime import follow as following
from letgo.lifetime.analysis import Analysis
from letgo.lifetime.facts import Facts
from letgo.lifetime.follow import follow
from letgo.lifetime.memo import Memo
from letgo.rules.shop import SHOP
from letgo.source.read import read

STEP = """
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from shop import Order, get_sync_db
import httpx
import step_{next}
import step_{other}

router = APIRouter()

class Step{n}:
    def __init__(self, db: Session) -> None:
        self.db = db

    def go(self, left: int) -> None:
        self.db.get_one(Order, left)
        if left:
            step_{next}.Step{next}(self.db).go(left - 1)
            step_{other}.Step{other}(self.db).again(left - 1)
        {wait}

    def again(self, left: int) -> None:
        if left > 5:
            self.go(left)

@router.get("/step/{n}")
def read_{n}(db: Session = Depends(get_sync_db)):
    Step{n}(db).go(9)
"""


def circle(directory: Path, count: int) -> Path:
    """So many modules in circles, each with an endpoint. One of them waits."""
    directory.mkdir()
    (directory / "shop.py").write_text(SHOP)
    for n in range(count):
        wait = 'httpx.get("https://example.org")' if n == count // 2 else "pass"
        text = STEP.format(n=n, next=(n + 1) % count, other=(n + 4) % count, wait=wait)
        (directory / f"step_{n}.py").write_text(text)
    return directory


def followed(directory: Path, jobs: int = 1) -> Facts:
    return follow(read([directory], root=directory), jobs=jobs)


def test_the_time_for_circles_grows_with_the_number_of_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memos: list[Memo] = []
    begin = Analysis.__init__

    def noted(self: Analysis, *args: object, **named: object) -> None:
        begin(self, *args, **named)  # type: ignore[arg-type]
        memos.append(self.memo)

    monkeypatch.setattr(Analysis, "__init__", noted)
    for count in (20, 80):
        followed(circle(tmp_path / str(count), count))
    few, many = (memo.steps for memo in memos)
    assert few > 20 * 3
    assert many / few < 80 / 20 * 1.25


def test_what_waits_in_a_circle_is_found_from_every_way_in(tmp_path: Path) -> None:
    waiting = {hold.function.function for hold in followed(circle(tmp_path / "code", 9)).holds if hold.waits[0].via}
    assert waiting >= {f"read_{n}" for n in range(9)}


def test_it_does_not_matter_where_a_circle_is_entered_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = circle(tmp_path / "code", 12)
    in_order = followed(code)
    monkeypatch.setattr(following, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(following, "CHUNK", 1)
    endpoints = following.endpoints
    for seed in range(3):

        def shuffled(names: following.Names, seed: int = seed) -> list[following.Endpoint]:
            return random.Random(seed).sample(found := endpoints(names), len(found))

        monkeypatch.setattr(following, "endpoints", shuffled)
        assert followed(code, jobs=1 + seed) == in_order
