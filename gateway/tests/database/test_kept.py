"""What is kept is dropped when what it depends on has changed, and for nothing else."""

import asyncio
from typing import cast

from sqlalchemy.engine import make_url

from letgo_gateway.caching import Kept
from letgo_gateway.database.changes import Changes
from letgo_gateway.database.work import Database

ANN, BOB, EVE = (digits * 4 for digits in ("1111111a", "2222222a", "3333333b"))


def kept_lists() -> tuple[Changes, Kept[str, str]]:
    """A list of each of three users, two of whom have the same topic."""
    changes = Changes(cast(Database, None), make_url("sqlite://"), 1.0)
    kept: Kept[str, str] = Kept(changes, frozenset({"tools"}), most=10, whose=lambda user: user)

    async def make() -> tuple[dict[str, int], str]:
        return dict(changes.versions), "a list"

    async def fill() -> None:
        for user in (ANN, BOB, EVE):
            await kept.get_or_make(user, make)

    asyncio.run(fill())
    return changes, kept


def left(kept: Kept[str, str]) -> list[str]:
    return [user for user in (ANN, BOB, EVE) if kept.get(user) is not None]


def test_a_change_of_one_owner_drops_only_what_is_theirs() -> None:
    changes, kept = kept_lists()
    changes.learn({"own-a": 1}, ANN)
    assert left(kept) == [BOB, EVE]


def test_a_change_of_nobody_knows_whom_drops_what_is_of_all_with_that_topic() -> None:
    changes, kept = kept_lists()
    changes.learn({"own-a": 1})
    assert left(kept) == [EVE]


def test_a_change_after_one_that_was_not_heard_drops_what_is_of_all_with_that_topic() -> None:
    changes, kept = kept_lists()
    changes.learn({"own-a": 2}, ANN)
    assert left(kept) == [EVE]


def test_a_change_that_others_see_drops_everything() -> None:
    changes, kept = kept_lists()
    changes.learn({"tools": 1, "own-a": 1}, ANN)
    assert left(kept) == []


def test_what_was_read_before_a_change_of_its_owner_is_not_kept() -> None:
    changes, kept = kept_lists()

    async def overtaken() -> tuple[dict[str, int], str]:
        before = dict(changes.versions)
        changes.learn({"own-b": changes.versions["own-b"] + 1}, EVE)
        return before, "an old list"

    changes.learn({"own-b": 1}, EVE)
    assert asyncio.run(kept.get_or_make(EVE, overtaken)) == "an old list"
    assert left(kept) == [ANN, BOB]
