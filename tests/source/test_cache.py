"""What was read is kept for the next run, and never believed more than the files themselves."""

import json
import os
import pickle
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from letgo.source import reading
from letgo.source.codebase import CodeBase
from letgo.source.errors import UserError
from letgo.source.frozen import freeze, thaw
from letgo.source.program import Module
from letgo.source.read import read


class Project:
    """A small code base with a cache, that counts how many files each run reads anew."""

    def __init__(self, root: Path) -> None:
        self.root = root / "app"
        self.root.mkdir()
        self.cache = root / ".letgo_cache"
        self.fresh = 0
        for name in "abc":
            self.write(name, f"def {name}(db):\n    db.commit()\n")

    def write(self, name: str, source: str) -> Path:
        path = self.root / f"{name}.py"
        path.write_text(source)
        return path

    def read(self) -> CodeBase:
        counts: list[int] = []
        code = read([self.root], root=self.root, cache=self.cache, progress=lambda done, total: counts.append(done))
        self.fresh = len(counts)
        return code

    def read_without_cache(self) -> CodeBase:
        return read([self.root], root=self.root)

    @property
    def stored(self) -> Path:
        [path] = self.cache.glob("modules.*")
        return path

    @property
    def header(self) -> dict[str, Any]:
        header: dict[str, Any] = json.loads(self.stored.read_bytes().split(b"\n", 1)[0])
        return header


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield Project(tmp_path)


def test_a_second_run_reads_nothing_anew_and_finds_the_same(project: Project) -> None:
    first = project.read()
    assert project.fresh == 3
    assert project.read() == first
    assert project.read_without_cache().modules == first.modules
    assert project.fresh == 0


def test_a_touched_file_is_not_read_anew_while_its_content_stays(project: Project) -> None:
    project.read()
    (project.root / "a.py").touch()
    project.read()
    assert project.fresh == 0


def test_a_changed_file_is_read_anew_and_no_other(project: Project) -> None:
    before = project.read()
    project.write("b", "def changed(db):\n    db.commit()\n")
    after = project.read()
    assert project.fresh == 1
    assert [module.body.functions[0].name for module in after.modules] == ["a", "changed", "c"]
    assert [path for path in after.digests if after.digests[path] != before.digests[path]] == ["b.py"]
    project.read()
    assert project.fresh == 0


def test_a_change_that_keeps_size_and_time_is_noticed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SETTLED", 0)
    path = project.root / "a.py"
    project.read()
    time = path.stat().st_mtime_ns
    project.write("a", "def x(db):\n    db.commit()\n")
    os.utime(path, ns=(time, time))
    assert project.read().modules[0].body.functions[0].name == "x"


def test_a_settled_file_is_not_even_opened(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SETTLED", 0)
    before = project.read()
    monkeypatch.setattr("letgo.source.cache.key", partial(str, project.header["key"]))
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was opened"))
    assert project.read() == before


def test_a_file_that_went_away_goes_from_the_cache_too(project: Project) -> None:
    project.read()
    (project.root / "a.py").unlink()
    project.write("b", "x = 1")
    assert [module.path for module in project.read().modules] == ["b.py", "c.py"]
    assert sorted(path for path, *_ in project.header["entries"]) == ["b.py", "c.py"]


def test_what_another_run_read_elsewhere_stays(project: Project) -> None:
    project.read()
    read([project.root / "a.py"], root=project.root, cache=project.cache)
    project.write("a", "x = 1")
    read([project.root / "a.py"], root=project.root, cache=project.cache)
    project.read()
    assert project.fresh == 0


def test_the_directory_says_that_it_is_a_cache(project: Project) -> None:
    project.read()
    assert (project.cache / ".gitignore").read_text() == "*\n"
    assert (project.cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_file_that_cannot_be_read_is_reported_every_time(project: Project) -> None:
    project.write("b", "def f(:")
    assert project.read().unreadable == project.read().unreadable != ()


def forge(project: Project, forged: bytes) -> None:
    """Puts `forged` in the place of each frozen module, with sizes and checksums that fit."""
    rows = [[*row[:3], len(forged), zlib.crc32(forged)] for row in project.header["entries"]]
    header = {**project.header, "entries": rows}
    project.stored.write_bytes(json.dumps(header).encode() + b"\n" + forged * len(rows))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "without its second half": lambda data: data[: len(data) // 2],
    "without a header": lambda data: data.split(b"\n", 1)[1],
    "with a bit changed": lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
    "not ours": lambda data: b"\x89PNG\r\n\x1a\n" * 100,
    "no object": lambda data: b"[]\n",
    "with rows of another shape": lambda data: data.replace(b'"entries": [[', b'"entries": [1, [', 1),
    "nested without end": lambda data: b"[" * 100_000 + b"\n",
    "of another version": lambda data: data.replace(b'"key": "', b'"key": "0', 1),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_made_anew(project: Project, damage: Callable[[bytes], bytes]) -> None:
    first = project.read()
    project.stored.write_bytes(damage(project.stored.read_bytes()))
    assert project.read() == first
    assert project.fresh > 0
    assert project.read() == first
    assert project.fresh == 0


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_a_hostile_cache_runs_nothing(project: Project, tmp_path: Path) -> None:
    first = project.read()
    trap = pickle.dumps(Hostile(f"touch {tmp_path / 'sprung'}"))
    forge(project, trap)
    assert project.read() == first
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "functools.partial", "letgo.source.program.Literal"])
def test_nothing_but_the_values_of_a_program_can_be_named(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert thaw(f"c{module}\n{attribute}\n.".encode()) is None


def test_what_is_no_module_is_none() -> None:
    assert thaw(pickle.dumps("text")) is None


def test_a_hostile_function_body_is_refused_when_it_is_looked_at(project: Project, tmp_path: Path) -> None:
    project.read()
    [module, *_] = project.read().modules
    trap = pickle.dumps(Hostile(f"touch {tmp_path / 'sprung'}"))
    honest = module.body[type(module.body)._fields.index("blocks")]
    assert isinstance(honest, bytes)
    forged = thaw(freeze(module).replace(honest, trap.ljust(len(honest), b"\0")))
    assert forged is not None
    with pytest.raises(UserError, match="did not write"):
        _ = forged.body.blocks
    assert not (tmp_path / "sprung").exists()


def test_a_module_survives_being_frozen_and_thawed_again(project: Project) -> None:
    for module in project.read().modules:
        again = thaw(freeze(module))
        assert isinstance(again, Module)
        assert again == module
        assert again.body.functions[0].blocks == module.body.functions[0].blocks != ()


def test_where_no_cache_can_be_kept_it_goes_without(project: Project) -> None:
    project.cache.write_text("in the way")
    first = project.read()
    assert project.read() == first
    assert project.fresh == 3


def test_runs_at_the_same_time_do_not_disturb_each_other(project: Project) -> None:
    results: list[CodeBase] = []

    def run() -> None:
        for _ in range(5):
            results.append(read([project.root], root=project.root, cache=project.cache))
            shutil.rmtree(project.cache, ignore_errors=True)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == results[0] for result in results)
    assert len(results) == 20


def test_no_pieces_are_left_beside_the_cache(project: Project) -> None:
    project.read()
    project.write("a", "x = 1")
    project.read()
    assert sorted(path.name for path in project.cache.iterdir()) == [".gitignore", "CACHEDIR.TAG", project.stored.name]
