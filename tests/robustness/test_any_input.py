"""Whatever it is given, `letgo check` ends with an exit code that says how, names each problem once, and shows no
traceback: over made-up programs, real ones that were damaged, and files that nobody would write.
"""

import json
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letgo.cli import cli

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((*(ROOT / "examples" / "leaky").rglob("*.py"), *(ROOT / "tests" / "examples").rglob("*.py")))
TOKEN = re.compile(r"\w+|\s+|.")

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def checked(directory: Path) -> dict[str, Any]:
    """What `letgo check` reports of a directory, after all that must hold of every run."""
    run = CliRunner().invoke(
        cli, ["--debug", "check", str(directory), "--no-cache", "--jobs", "1", "--output-format", "json"]
    )
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    assert "Traceback" not in run.output
    report: dict[str, Any] = json.loads(run.stdout)
    unreadable = [(found["path"], found["line"], found["reason"]) for found in report["unreadable"]]
    assert max(Counter(path for path, _, _ in unreadable).values(), default=0) <= 1
    assert run.exit_code == (2 if unreadable else 1 if report["findings"] else 0)
    return report


def write(directory: Path, **files: str | bytes) -> Path:
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        (directory / f"{name}.py").write_bytes(data)
    return directory


# --- damaged programs ------------------------------------------------------------------------------------------------


def dropped(parts: list[str], chance: random.Random) -> list[str]:
    place = chance.randrange(len(parts))
    return parts[:place] + parts[place + chance.randrange(1, 4) :]


def doubled(parts: list[str], chance: random.Random) -> list[str]:
    place = chance.randrange(len(parts))
    return parts[: place + chance.randrange(1, 4)] + parts[place:]


def shuffled(parts: list[str], chance: random.Random) -> list[str]:
    one, other = chance.randrange(len(parts)), chance.randrange(len(parts))
    swapped = parts.copy()
    swapped[one], swapped[other] = parts[other], parts[one]
    return swapped


def cut_off(parts: list[str], chance: random.Random) -> list[str]:
    return parts[: chance.randrange(1, len(parts) + 1)]


DAMAGES: tuple[Callable[[list[str], random.Random], list[str]], ...] = (dropped, doubled, shuffled, cut_off)


@few
@given(which=st.sampled_from(PROGRAMS), seed=st.integers(), by_line=st.booleans(), times=st.integers(1, 6))
def test_a_damaged_program_is_checked_or_refused_once(
    which: Path, seed: int, by_line: bool, times: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    text = which.read_text()
    parts = text.splitlines(keepends=True) if by_line else TOKEN.findall(text)
    for _ in range(times):
        parts = chance.choice(DAMAGES)(parts, chance) or ["pass"]
    checked(write(tmp_path_factory.mktemp("damaged"), app="".join(parts)))


@few
@given(damage=st.lists(st.tuples(st.integers(0), st.binary(max_size=3)), max_size=4), seed=st.integers())
def test_bytes_that_are_no_text_are_refused_once(
    damage: list[tuple[int, bytes]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(random.Random(seed).choice(PROGRAMS).read_bytes())
    for place, data in damage:
        start = place % (len(content) + 1)
        content[start : start + len(data)] = data
    checked(write(tmp_path_factory.mktemp("bytes"), app=bytes(content)))


# --- made-up programs ------------------------------------------------------------------------------------------------

names = st.sampled_from(("db", "session", "client", "row", "get_db", "find", "self", "Session", "httpx", "app"))
calls = st.builds("{}.{}({})".format, names, st.sampled_from(("get", "commit", "close", "post", "add_task")), names)
atoms = (
    names | calls | st.sampled_from(("None", "True", "1", "[]", "{}", "'text'", "lambda: db", "(yield)", "await db"))
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{} for row in {}]".format, inner, inner),
        st.builds("{}({}, *{}, **{})".format, names, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("(row := {})".format, inner),
        st.builds("f'{{{}}}'".format, names),
    ),
    max_leaves=4,
)
simple = st.one_of(
    expressions,
    st.builds("{} = {}".format, names, expressions),
    st.builds("self.{} = {}".format, names, expressions),
    st.builds("return {}".format, expressions),
    st.builds("del {}".format, names),
    st.sampled_from(("pass", "raise", "break", "continue", "global db", "from . import *", "import app", "yield db")),
)


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines] or ["    pass"]


def compound(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    heads = st.one_of(
        st.builds("if {}:".format, expressions),
        st.builds("while {}:".format, expressions),
        st.builds("for {} in {}:".format, names, expressions),
        st.builds("async with {} as {}:".format, expressions, names),
        st.builds("with {}:".format, expressions),
        st.builds("def {}(db: Session = Depends(get_db), *args):".format, names),
        st.builds("async def {}(self, db):".format, names),
        st.builds("class {}({}):".format, names, names),
        st.builds("@app.get({})\nasync def find(db=Depends({})):".format, expressions, names),
    )
    blocks = st.builds(lambda head, body: [*head.split("\n"), *indented(body)], heads, inner)
    tries = st.builds(
        lambda body, handler, last: ["try:", *indented(body), "except Exception:", *indented(handler), "finally:",
                                     *indented(last)],
        inner, inner, inner,
    )  # fmt: skip
    return st.builds(lambda first, second: [*first, *second], blocks | tries, inner)


programs = st.recursive(st.lists(simple, max_size=3), compound, max_leaves=6)


@few
@given(program=programs, other=programs)
def test_a_made_up_program_is_checked(
    program: list[str], other: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    head = "from fastapi import FastAPI, Depends\nfrom sqlalchemy.orm import Session\nfrom other import *\n\n"
    main, second = (head + "\n".join(lines) + "\n" for lines in (program, other))
    checked(write(tmp_path_factory.mktemp("made"), app=main, other=second.replace("from other", "from app")))


# --- what nobody would write -----------------------------------------------------------------------------------------

HANDLER = """
@app.get("/{n}")
def read_{n}(db: Session = Depends(get_db)):
    row = db.get(Row, {n})
    httpx.get("https://example.org")
    return row
"""
HEAD = """import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session, sessionmaker

app = FastAPI()

def get_db():
    with sessionmaker()() as db:
        yield db
"""


def test_a_file_of_50_000_lines_is_checked(tmp_path: Path) -> None:
    filler = "\n".join(f"LIMITS_{n} = {{'low': {n}, 'high': {n}}}" for n in range(49_000))
    handlers = "".join(HANDLER.format(n=n) for n in range(100))
    report = checked(write(tmp_path / "code", app=f"{HEAD}{filler}\n{handlers}"))
    assert {finding["line"] > 49_000 for finding in report["findings"]} == {True}


@pytest.mark.parametrize(
    "source",
    [
        f"x = {'(' * 5000}1{')' * 5000}",
        f"x = {'not ' * 3000}1",
        f"x = {' + '.join('1' * 5000)}",
        f"x = y{'.get()' * 1500}",
        "".join(f"{'    ' * depth}if x:\n" for depth in range(90)) + "    " * 90 + "pass",
        "".join(f"{'    ' * depth}def f(db):\n" for depth in range(90)) + "    " * 90 + "db.commit()",
        "\n".join(f"def f{n}(db):\n    return f{n + 1}(db)" for n in range(500)),
        "\n".join(f"class C{n}(C{(n + 1) % 50}):\n    db = C{n}.db" for n in range(50)),
    ],
    ids=["parentheses", "operators", "a sum", "a chain", "branches", "functions", "a long way", "classes in a ring"],
)
def test_deep_nesting_is_checked_or_refused(tmp_path: Path, source: str) -> None:
    checked(write(tmp_path / "code", app=source))


def test_files_that_import_each_other_are_checked(tmp_path: Path) -> None:
    files = {f"m{n}": f"from m{(n + 1) % 9} import *\nfrom m{(n + 4) % 9} import x as y\nx = y\n" for n in range(9)}
    checked(write(tmp_path / "code", **files))


def test_links_that_lead_in_a_ring_or_nowhere_are_named_once(tmp_path: Path) -> None:
    code = write(tmp_path / "code", app=HEAD)
    (code / "again").symlink_to(code)
    (code / "self.py").symlink_to(code / "self.py")
    (code / "gone.py").symlink_to(code / "nothing.py")
    unreadable = checked(code)["unreadable"]
    assert {Path(found["path"]).name for found in unreadable} == {"self.py", "gone.py"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named_once(tmp_path: Path) -> None:
    code = write(tmp_path / "code", app=HEAD, secret="x = 1")
    (code / "secret.py").chmod(0)
    (code / "closed").mkdir(mode=0)
    try:
        unreadable = checked(code)["unreadable"]
    finally:
        (code / "closed").chmod(0o700)
    assert {Path(found["path"]).name for found in unreadable} == {"secret.py", "closed"}


def test_a_pipe_a_device_and_a_directory_called_like_a_module_do_not_hang_it(tmp_path: Path) -> None:
    code = write(tmp_path / "code", app=HEAD)
    (code / "package.py").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(code / "pipe.py")
    assert [Path(found["path"]).name for found in checked(code)["unreadable"]] == ["pipe.py"] * hasattr(os, "mkfifo")


def test_a_tree_of_no_files_is_clean(tmp_path: Path) -> None:
    assert checked(tmp_path)["findings"] == []
    shutil.rmtree(tmp_path)
