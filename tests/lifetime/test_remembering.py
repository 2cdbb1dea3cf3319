"""What is found of a root depends on nothing but the code: not on the order, the processes, or earlier runs."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letgo.lifetime import follow as following
from letgo.lifetime import memo
from letgo.lifetime.facts import Facts
from letgo.lifetime.follow import follow
from letgo.source import forked
from letgo.source.read import read

EXAMPLES = Path(__file__).parents[2] / "examples" / "leaky"


class Project:
    """A copy of the bookshop, with a cache."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "app"
        shutil.copytree(EXAMPLES, self.root, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        self.cache = directory / "cache"
        self.files = sorted(self.root.rglob("*.py"))

    def follow(self, *, remembering: bool = False, jobs: int = 1) -> Facts:
        cache = self.cache if remembering else None
        code = read([self.root], root=self.root, cache=cache)
        return follow(code, cache=cache, jobs=jobs)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield Project(tmp_path)


def test_several_processes_find_the_same_as_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(following, "CHUNK", 1)
    alone = project.follow()
    assert alone.holds
    assert project.follow(jobs=3) == alone


def test_a_process_that_dies_costs_nothing_but_time(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(following, "CHUNK", 1)
    alone = project.follow()
    monkeypatch.setattr(forked, "finish", lambda child: None)
    assert project.follow(jobs=3) == alone


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_endpoints_does_not_matter(
    project: Project, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    in_order = project.follow()
    endpoints = following.endpoints

    def shuffled(names: following.Names) -> list[following.Endpoint]:
        return random.Random(seed).sample(found := endpoints(names), len(found))

    monkeypatch.setattr(following, "endpoints", shuffled)
    assert project.follow() == in_order


def test_a_second_run_follows_nothing_and_finds_the_same(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = project.follow(remembering=True)
    monkeypatch.setattr(following.requests, "follow_endpoint", lambda *_: pytest.fail("it was followed again"))
    assert project.follow(remembering=True) == first == project.follow(remembering=True)


def test_what_has_only_moved_is_not_followed_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.follow(remembering=True)
    for path in project.files:
        path.write_text(f"# a comment\n\n{path.read_text()}\n\n# and another one\n")
    moved = project.follow()
    monkeypatch.setattr(memo.Memo, "begin", lambda self: pytest.fail("something was followed again"))
    assert project.follow(remembering=True) == moved


def test_a_changed_function_is_followed_again_and_its_neighbours_are_not(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.follow(remembering=True)
    endpoint = following.endpoints(following.Names(read([project.root], root=project.root)))[0].function
    path, line = project.root / endpoint.module.path, endpoint.function.end_line
    lines = path.read_text().split("\n")
    lines.insert(line, "    again = 1")
    path.write_text("\n".join(lines))
    fresh = project.follow()
    follow_endpoint, followed = following.requests.follow_endpoint, []

    def noted(analysis: following.Analysis, endpoint: following.Endpoint, *others: Any) -> None:
        followed.append((endpoint.function.module.path, endpoint.function.function.qualname))
        follow_endpoint(analysis, endpoint, *others)

    monkeypatch.setattr(following.requests, "follow_endpoint", noted)
    assert project.follow(remembering=True) == fresh
    assert followed == [(endpoint.module.path, endpoint.function.qualname)]


LINES = (
    "    time.sleep(1)",
    "    db.commit()",
    "    db.close()",
    "    return None",
    "    await client.get(url)",
    "",
    "    x = 1",
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0), st.integers(0), st.sampled_from((*LINES, None))), min_size=1, max_size=4)
)
def test_after_any_edits_a_run_that_remembers_finds_what_a_fresh_one_finds(
    edits: list[tuple[int, int, str | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = Project(tmp_path_factory.mktemp("edited"))
    project.follow(remembering=True)
    for which, where, line in edits:
        path = project.files[which % len(project.files)]
        lines = path.read_text().split("\n")
        place = where % len(lines)
        lines[place : place + (line is None)] = [] if line is None else [line]
        path.write_text("\n".join(lines))
        assert project.follow(remembering=True) == project.follow()


def test_a_damaged_or_foreign_memory_is_as_if_it_were_not(project: Project) -> None:
    first = project.follow(remembering=True)
    [memory] = project.cache.glob("facts.*")
    content = memory.read_bytes()
    for damaged in (b"", b"{}\n", content[:-9], content.replace(b"get_db", b"got_db"), b'{"key": 1}\n' + content):
        memory.write_bytes(damaged)
        assert project.follow(remembering=True) == first
