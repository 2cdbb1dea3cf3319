"""However many paths a function has, following it comes to an end; where some are left out, that is said."""

import time
from pathlib import Path

import pytest

from letgo.lifetime import memo
from letgo.lifetime.facts import Facts
from letgo.lifetime.follow import follow
from letgo.source.read import read

CALLED = """
def find_{n}(db):
    row = db.get({n})
    if row is None:
        db.rollback()
        return None
    return row
"""


def followed(tmp_path: Path, source: str) -> Facts:
    (tmp_path / "app.py").write_text(source)
    return follow(read([tmp_path], root=tmp_path))


def test_calls_that_end_in_two_ways_do_not_double_the_time_each(tmp_path: Path) -> None:
    count = 30
    source = "".join(CALLED.format(n=n) for n in range(count)) + "\ndef find_all(db):\n"
    source += "".join(f"    row_{n} = find_{n}(db)\n" for n in range(count))
    source += "".join(f"    if row_{n} is None:\n        print({n})\n" for n in range(count))
    began = time.process_time()
    followed(tmp_path, source)
    assert time.process_time() - began < 10


def test_what_has_more_paths_than_are_followed_is_named(tmp_path: Path) -> None:
    source = "def choose(db, a):\n    db.get(1)\n"
    for n in range(450):
        source += f"    if a.x{n}:\n        db.get({n})\n"
    [unresolved] = followed(tmp_path, source).unresolved
    assert (unresolved.call, unresolved.site.line) == ("choose", 1)
    assert "paths" in unresolved.reason


def test_a_function_that_calls_itself_with_ever_more_is_cut_off(tmp_path: Path) -> None:
    source = """
import ast

def constant(node: ast.AST, db):
    db.get(1)
    if isinstance(node, ast.BinOp):
        return constant(node.left, db) + constant(node.right, db)
    return constant(node.value, db) or constant(node.args, db)
"""
    began = time.process_time()
    followed(tmp_path, source)
    assert time.process_time() - began < 1


def test_what_leads_to_more_than_is_followed_is_named_and_the_rest_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo, "MOST_STEPS", 20)
    count = 40
    source = "import time\n" + "".join(
        f"def step_{n}(db: Session):\n    db.get({n})\n    time.sleep(1)\n" for n in range(count)
    )
    source += "def start(db: Session):\n" + "".join(f"    step_{n}(db)\n" for n in range(count))
    facts = followed(tmp_path, "from sqlalchemy.orm import Session\n" + source)
    [unresolved] = facts.unresolved
    assert unresolved.call == "start"
    assert "more than letgo follows" in unresolved.reason
    waiting = {hold.function.function for hold in facts.holds}
    assert waiting >= {f"step_{n}" for n in range(20, count)}


def test_a_session_that_is_made_some_calls_back_is_found(tmp_path: Path) -> None:
    source = """
import time
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite://"))

def make_0():
    return SessionLocal()
"""
    source += "".join(f"def make_{n}():\n    return make_{n - 1}()\n" for n in range(1, 4))
    source += "def wait():\n    with make_3() as db:\n        db.get(1)\n        time.sleep(1)\n"
    assert [hold.function.function for hold in followed(tmp_path, source).holds] == ["wait"]
