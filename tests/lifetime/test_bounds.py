"""However many paths a function has, following it comes to an end; where some are left out, that is said."""

import time
from pathlib import Path

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
