"""Scenario files: what they may be, and what is said of those that are broken."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.prove.scenario import User, load_users, users_of_kind
from letgo.source.errors import UserError


def scenario(directory: Path, text: str) -> Path:
    file = directory / "scenario.py"
    file.write_text(text)
    return file


def test_each_class_of_users_in_the_file_is_a_kind(tmp_path: Path) -> None:
    file = scenario(
        tmp_path,
        "from letgo.prove import User, get\nclass Reader(User):\n    weight = 3\n"
        "class Writer(Reader):\n    weight = 1\nclass Abstract(User):\n    weight = 0\n",
    )
    assert [kind.__name__ for kind in load_users(file)] == ["Reader", "Writer"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "has no class of users"),
        ("class Reader(\n", "scenario.py:1: the scenario can't be loaded: SyntaxError"),
        ("import letgo\n\n1 / 0\n", "scenario.py:3: the scenario can't be loaded: ZeroDivisionError"),
        ("import no_such_module\n", "scenario.py:1: the scenario can't be loaded: ModuleNotFoundError"),
    ],
)
def test_a_broken_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_users(scenario(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such scenario"):
        load_users(tmp_path / "none.py")


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=4), st.integers(1, 200))
def test_any_number_of_users_is_mixed_by_weight(weights: list[float], count: int) -> None:
    kinds = tuple(type(f"User{number}", (User,), {"weight": weight}) for number, weight in enumerate(weights))
    mixed = users_of_kind(kinds, count)
    assert len(mixed) == count
    for kind in kinds:
        assert mixed.count(kind) == pytest.approx(count * kind.weight / sum(weights), abs=len(kinds))
