"""The leaky bookshop is repaired as a whole, and answers as before."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from letgo import checking, repairing
from letgo.source.settings import Settings

BOOKSHOP = Path(__file__).parents[2] / "examples" / "leaky"
DETACHED = "/used-again/orders/1/title"
"""Answers with an error as long as it reads a row whose session is closed."""


@pytest.fixture
def repaired(tmp_path: Path) -> Path:
    shutil.copytree(BOOKSHOP, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__", ".letgo_cache", "*.db"))
    settings = Settings(root=tmp_path / "shop", preview=True, fastapi_version="0.121.0")
    repairs = repairing.fix([tmp_path / "shop"], settings, unsafe=True, use_cache=False)
    assert repairs.left == ()
    assert len(repairs.fixed) == 30
    return tmp_path / "shop"


def told(script: str, directory: Path, database: str) -> Any:
    """What a script beside this file prints when it runs in the directory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        partner = f"http://127.0.0.1:{probe.getsockname()[1]}"
    env = os.environ | {"DATABASE_URL": database, "PARTNER_URL": partner}
    command = [sys.executable, Path(__file__).with_name(script)]
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answers(directory: Path, database: str) -> dict[str, list[object]]:
    found: dict[str, list[object]] = told("answers.py", directory, database)
    return found


def psycopg(database: URL) -> str:
    return database.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def without_the_bug(found: dict[str, list[object]]) -> dict[str, list[object]]:
    return {asked: answer for asked, answer in found.items() if DETACHED not in asked}


def test_nothing_is_left_to_find_and_nothing_to_repair(repaired: Path) -> None:
    settings = Settings(root=repaired, preview=True, fastapi_version="0.121.0")
    followed = checking.follow_paths([repaired], settings, use_cache=False)
    assert checking.check(followed, [repaired], settings).findings == ()
    assert repairing.fix([repaired], settings, unsafe=True, use_cache=False).diffs == ()


def test_no_comment_is_lost(repaired: Path) -> None:
    def comments(directory: Path) -> list[str]:
        return sorted(found for path in directory.rglob("*.py") for found in re.findall("  # .*", path.read_text()))

    assert comments(repaired) == comments(BOOKSHOP)


def test_every_handler_answers_the_same(repaired: Path, tmp_path: Path) -> None:
    before = answers(BOOKSHOP, f"sqlite:///{tmp_path / 'before.db'}")
    after = answers(repaired, f"sqlite:///{tmp_path / 'after.db'}")
    assert without_the_bug(before) == without_the_bug(after)
    assert len(before) > 60
    assert before[f"get {DETACHED} 1"][0] == 500
    assert after[f"get {DETACHED} 1"][0] == 200


def test_every_handler_answers_the_same_with_postgres(repaired: Path, database: URL) -> None:
    dsn = psycopg(database)
    before = answers(BOOKSHOP, dsn)
    subprocess.run([sys.executable, "-c", EMPTY, dsn], check=True)
    after = answers(repaired, dsn)
    assert without_the_bug(before) == without_the_bug(after)


def test_the_guard_finds_nothing_any_more(repaired: Path, database: URL) -> None:
    dsn = psycopg(database)
    codes = {code for _, code, _ in told("guarded.py", BOOKSHOP, dsn)}
    assert codes >= {"LG101", "LG102", "LG103", "LG104", "LG201", "LG301", "LG302", "LG303", "LG401", "LG501", "LG502"}
    subprocess.run([sys.executable, "-c", EMPTY, dsn], check=True)
    assert told("guarded.py", repaired, dsn) == []


EMPTY = """
import sys
from sqlalchemy import create_engine, text
with create_engine(sys.argv[1]).begin() as connection:
    connection.execute(text("drop schema public cascade"))
    connection.execute(text("create schema public"))
"""
