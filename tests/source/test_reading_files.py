"""Whatever lies in a directory, reading it gives modules and reasons, each file once."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from letgo.source.codebase import CodeBase, Unreadable
from letgo.source.errors import UserError
from letgo.source.program import Assign, Const, Ignore
from letgo.source.read import read


def write(root: Path, **files: str | bytes) -> None:
    """Files by their name, `__` for a slash, without the `.py`."""
    for name, content in files.items():
        path = root / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def paths(code: CodeBase) -> list[str]:
    return [module.path for module in code.modules]


def value(code: CodeBase) -> object:
    """What the first assignment of the only module assigns."""
    [module] = code.modules
    steps = [step for block in module.body.blocks for step in block.steps if isinstance(step, Assign)]
    assert isinstance(steps[0].value, Const)
    return steps[0].value.value


# --- which files -----------------------------------------------------------------------------------------------------


def test_files_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write(tmp_path, b="", a__z="", a__b__c="", a="")
    (tmp_path / "a" / "notes.txt").write_text("not Python")
    (tmp_path / "a" / "stub.pyi").write_text("")
    code = read([tmp_path], root=tmp_path)
    assert paths(code) == ["a.py", "a/b/c.py", "a/z.py", "b.py"]
    assert list(code.digests) == paths(code)


def test_other_peoples_and_generated_code_is_left_out(tmp_path: Path) -> None:
    for place in (".git", "__pycache__", "node_modules/x", "build/lib", "dist", "lib/site-packages", ".venv/lib"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "code.py").touch()
    write(tmp_path, environment__lib__code="", build_tools__code="")
    (tmp_path / "environment" / "pyvenv.cfg").touch()
    assert paths(read([tmp_path], root=tmp_path)) == ["build_tools/code.py"]


def test_an_editors_lock_beside_a_file_is_not_a_file(tmp_path: Path) -> None:
    write(tmp_path, a="")
    (tmp_path / ".#a.py").symlink_to("somebody@somewhere.42")
    code = read([tmp_path], root=tmp_path)
    assert (paths(code), code.unreadable) == (["a.py"], ())


def test_a_package_named_build_is_code_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, build__code="")
    (tmp_path / "build" / "__init__.py").touch()
    assert paths(read([tmp_path], root=tmp_path)) == ["build/__init__.py", "build/code.py"]


def test_what_is_named_itself_is_read_whatever_it_is(tmp_path: Path) -> None:
    write(tmp_path, build__code="")
    (tmp_path / "script").write_text("x = 1")
    code = read([tmp_path / "script", tmp_path / "build"], root=tmp_path, exclude=["script"])
    assert paths(code) == ["build/code.py", "script"]


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("migrations", ["app/a.py", "app/tests/test_a.py", "b.py"]),
        ("test_*.py", ["app/a.py", "app/migrations/m.py", "b.py"]),
        ("app/*.py", ["app/migrations/m.py", "app/tests/test_a.py", "b.py"]),
        ("app/*", ["b.py"]),
        ("./app/", ["b.py"]),
        ("**/tests/**", ["app/a.py", "app/migrations/m.py", "b.py"]),
        ("?.py", ["app/tests/test_a.py"]),
        ("app/a", ["app/a.py", "app/migrations/m.py", "app/tests/test_a.py", "b.py"]),
    ],
)
def test_a_glob_excludes_files_and_directories(tmp_path: Path, glob: str, left: list[str]) -> None:
    write(tmp_path, b="", app__a="", app__migrations__m="", app__tests__test_a="")
    assert paths(read([tmp_path], root=tmp_path, exclude=[glob])) == left


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, app__a="")
    code = read([tmp_path, tmp_path / "app", tmp_path / "app" / "a.py"], root=tmp_path)
    assert paths(code) == ["app/a.py"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path, app__a="")
    (tmp_path / "app" / "again").symlink_to(tmp_path)
    (tmp_path / "app" / "self").symlink_to(tmp_path / "app")
    assert paths(read([tmp_path], root=tmp_path)) == ["app/a.py"]


def test_a_file_keeps_its_own_path_beside_a_link_to_it(tmp_path: Path) -> None:
    write(tmp_path, z__a="")
    (tmp_path / "a_link").symlink_to(tmp_path / "z")
    (tmp_path / "b.py").symlink_to(tmp_path / "z" / "a.py")
    assert paths(read([tmp_path], root=tmp_path)) == ["z/a.py"]


def test_a_link_that_leads_out_is_followed(tmp_path: Path) -> None:
    write(tmp_path, shared__a="")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "common").symlink_to(tmp_path / "shared")
    assert paths(read([tmp_path / "app"], root=tmp_path / "app")) == ["common/a.py"]


def test_a_path_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        read([tmp_path / "nowhere"], root=tmp_path)


def test_a_path_outside_the_root_is_shown_from_the_root(tmp_path: Path) -> None:
    write(tmp_path, app__a="", lib__b="")
    assert paths(read([tmp_path], root=tmp_path / "app")) == ["../lib/b.py", "a.py"]


# --- what can't be opened --------------------------------------------------------------------------------------------


def reason(tmp_path: Path) -> Unreadable:
    """Why the only file in `tmp_path` is not read."""
    code = read([tmp_path], root=tmp_path)
    assert code.modules == ()
    [found] = code.unreadable
    return found


def test_a_link_to_nothing_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to(tmp_path / "gone.py")
    assert reason(tmp_path).reason == "can't be opened: No such file or directory"


def test_a_link_to_itself_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to(tmp_path / "a.py")
    assert reason(tmp_path).path == "a.py"


def test_a_pipe_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    assert "regular file" in reason(tmp_path).reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_reported(tmp_path: Path) -> None:
    write(tmp_path, a="", closed__b="")
    (tmp_path / "a.py").chmod(0)
    (tmp_path / "closed").chmod(0)
    code = read([tmp_path], root=tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert [(item.path, "ermission denied" in item.reason) for item in code.unreadable] == [
        ("a.py", True),
        ("closed", True),
    ]


# --- what is no Python -----------------------------------------------------------------------------------------------

ODD = {
    "a null byte": (b"x = 1\ny = '\0'\n", 2, "null byte"),
    "UTF-16": ("x = 1".encode("utf-16"), 1, "null byte"),
    "not UTF-8": (b"x = 1\n\ny = '\xe4'\n# no cookie", 3, "utf-8"),
    "not what its cookie says": (b"# coding: ascii\nx = 1\ny = '\xe4'", 3, "ascii"),
    "an unknown cookie": (b"# coding: klingon\n", 1, "klingon"),
    "a cookie that is no text encoding": (b"# coding: rot13\nk = 1\n", 1, "rot13"),
    "a byte order mark and another cookie": (b"\xef\xbb\xbf# coding: latin-1\nx = 1", 1, "encoding"),
    "a syntax error": (b"x = 1\ndef f(:\n", 2, "no valid Python"),
    "a merge conflict": (b"x = 1\n<<<<<<< HEAD\n", 2, "no valid Python"),
    "an unfinished string": (b'x = """', 1, "no valid Python"),
    "Python 2": (b"print 'x'", 1, "print"),
    "nesting without end": (b"x = " + b"-" * 100_000 + b"1", 0, "nested too deeply"),
    "brackets without end": (b"x = " + b"(" * 100_000, 1, "nested"),
    "more than anybody writes": (b"#" * (17 * 2**20), 0, "too large"),
}


@pytest.mark.parametrize(("content", "line", "words"), ODD.values(), ids=ODD.keys())
def test_what_is_no_python_is_reported_with_place_and_reason(
    tmp_path: Path, content: bytes, line: int, words: str
) -> None:
    write(tmp_path, a=content)
    found = reason(tmp_path)
    assert (found.path, found.line) == ("a.py", line)
    assert words in found.reason


def test_one_bad_file_does_not_keep_others_from_being_read(tmp_path: Path) -> None:
    write(tmp_path, a="def f(:", b="x = 1", c=b"\0")
    code = read([tmp_path], root=tmp_path)
    assert paths(code) == ["b.py"]
    assert [item.path for item in code.unreadable] == ["a.py", "c.py"]


# --- what is Python --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "x = 'ä'\n".encode(),
        b"\xef\xbb\xbf" + "x = 'ä'".encode(),
        b"# -*- coding: latin-1 -*-\nx = '\xe4'\n",
        b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\r\nx = '\xe4'\r\n",
        b"\xef\xbb\xbf# coding: utf-8\n\x0c\nx = '\xc3\xa4'",
    ],
)
def test_text_is_decoded_as_python_does_it(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, a=content)
    assert value(read([tmp_path], root=tmp_path)) == "ä"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_as_one_line(tmp_path: Path, end: str) -> None:
    write(tmp_path, a=end.join(["", "", "def f():", "  pass", ""]))
    [module] = read([tmp_path], root=tmp_path).modules
    assert module.body.functions[0].line == 3


@pytest.mark.parametrize("content", ["", "\n", "# nothing", "\x0c", "'only a docstring'"])
def test_a_file_with_nothing_in_it_is_a_module(tmp_path: Path, content: str) -> None:
    write(tmp_path, a=content)
    assert paths(read([tmp_path], root=tmp_path)) == ["a.py"]


def test_a_long_sum_and_a_long_elif_chain_are_not_too_deep(tmp_path: Path) -> None:
    write(tmp_path, a="x = " + " + ".join(["'a'"] * 800), b="if a: pass\n" + "elif b: pass\n" * 300)
    assert paths(read([tmp_path], root=tmp_path)) == ["a.py", "b.py"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="has a limit of its own that can't be raised")
def test_a_very_long_sum_is_read_on_a_larger_stack(tmp_path: Path) -> None:
    write(tmp_path, a="x = " + " + ".join(["'a'"] * 10_000))
    limit = sys.getrecursionlimit()
    assert paths(read([tmp_path], root=tmp_path)) == ["a.py"]
    assert sys.getrecursionlimit() == limit


def test_a_long_chain_of_calls_is_read_on_a_larger_stack(tmp_path: Path) -> None:
    write(tmp_path, a="x = query" + ".filter(a)" * 400)
    assert paths(read([tmp_path], root=tmp_path)) == ["a.py"]


def test_a_file_of_fifty_thousand_lines_is_read(tmp_path: Path) -> None:
    write(tmp_path, a="x = f(1)\n" * 50_000)
    assert read([tmp_path], root=tmp_path).modules[0].body.end_line == 50_000


def test_newer_syntax_is_read_with_its_comments(tmp_path: Path) -> None:
    write(tmp_path, a='def f[T](): return f"{x["# letgo: ignore"]}"  # letgo: ignore[LG101] on purpose')
    [module] = read([tmp_path], root=tmp_path).modules
    assert module.ignores == (Ignore(1, ("LG101",), "on purpose"),)


# --- ignores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# letgo: ignore[LG201, LG101] waits on purpose", (("LG201", "LG101"), "waits on purpose")),
        ("#letgo:ignore[LG201]: see #12  # noqa: E501", (("LG201",), "see #12")),
        ("# noqa # letgo: ignore[LG201] - a reason", (("LG201",), "a reason")),
        ("# letgo: ignore all of it", ((), "all of it")),
        ("# letgo: ignore[LG201]", (("LG201",), "")),
        ("# letgo: ignore", ((), "")),
        ("# letgo: ignore[LG201 a reason", (("ignore[LG201 a reason",), "")),
        ("# letgo: ignored[LG201] a reason", (("ignored[LG201] a reason",), "")),
        ("# letgo:", (("nothing",), "")),
    ],
)
def test_an_ignore_is_read_from_its_comment(tmp_path: Path, comment: str, expected: tuple[object, ...]) -> None:
    write(tmp_path, a=f"x = '''\n# letgo: ignore\n'''\ny = 1  {comment}\n")
    [module] = read([tmp_path], root=tmp_path).modules
    assert module.ignores == (Ignore(4, *expected),)  # type: ignore[arg-type]


def test_a_comment_about_letgo_is_no_ignore(tmp_path: Path) -> None:
    write(tmp_path, a="# what letgo: does\n# https://letgo: x\n# letgo is good\n")
    assert read([tmp_path], root=tmp_path).modules[0].ignores == ()


# --- several processes -----------------------------------------------------------------------------------------------


def test_several_processes_read_the_same_as_one(tmp_path: Path) -> None:
    filler = "# " + "x" * 48_000
    write(tmp_path, **{f"m{n}": f"def f(db):\n    db.execute({n})\n{filler}" for n in range(40)}, broken="x = = 1")
    script = """
        import os, sys
        from pathlib import Path
        from letgo.source import read as reading
        from letgo.source.forked import can_fork, finish, start

        assert can_fork()
        root = Path(sys.argv[1])
        forks = []
        os.register_at_fork(before=lambda: forks.append(1))
        counts = []
        several = reading.read([root], root=root, jobs=2, progress=lambda done, total: counts.append((done, total)))
        assert counts == [(n, 41) for n in range(1, 42)], counts
        assert len(forks) == 1, forks
        assert several == reading.read([root], root=root, jobs=1)
        assert len(several.modules) == 40 and len(several.unreadable) == 1
        assert finish(start(lambda: os._exit(3))) is None
        assert finish(start(lambda: 1 / 0)) is None
        assert finish(start(lambda: "done")) == "done"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
