"""Many who ask at once are few who read."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from letgo_gateway.caching import Kept
from letgo_gateway.database.changes import Changes, Listener
from letgo_gateway.database.together import Together


class Versions:
    """What stands for `Changes`: the versions of one topic."""

    def __init__(self) -> None:
        self.versions = {"tools": 0}
        self.listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def learn(self, versions: Mapping[str, int]) -> None:
        if versions["tools"] > self.versions["tools"]:
            self.versions.update(versions)
            for listener in self.listeners:
                listener(frozenset({"tools"}), None)


def test_a_value_that_changes_while_it_is_made_is_made_once_more_for_all_who_know_of_it() -> None:
    changes, made = Versions(), 0
    kept: Kept[str, int] = Kept(cast(Changes, changes), frozenset({"tools"}), most=10)

    async def make() -> tuple[dict[str, int], int]:
        nonlocal made
        made += 1
        read = dict(changes.versions)
        await asyncio.sleep(0)
        changes.learn({"tools": read["tools"] + 1})  # somebody writes each time
        await asyncio.sleep(0)
        return read, read["tools"]

    async def ask() -> None:
        first = [asyncio.create_task(kept.get_or_make("key", make)) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert changes.versions["tools"] == 1
        later = [asyncio.create_task(kept.get_or_make("key", make)) for _ in range(50)]
        assert await asyncio.gather(*first) == [0] * 50
        assert await asyncio.gather(*later) == [1] * 50

    asyncio.run(ask())
    assert made == 2


def test_an_error_is_told_to_all_who_have_waited_for_it_and_kept_for_nobody() -> None:
    kept: Kept[str, int] = Kept(cast(Changes, Versions()), frozenset({"tools"}), most=10)
    tried = 0

    async def fail() -> tuple[dict[str, int], int]:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0)
        raise LookupError

    async def ask() -> list[Any]:
        return await asyncio.gather(*(kept.get_or_make("key", fail) for _ in range(20)), return_exceptions=True)

    assert [type(one) for one in asyncio.run(ask())] == [LookupError] * 20
    assert tried == 1
    asyncio.run(ask())
    assert tried == 2


def test_keys_that_are_asked_for_while_others_are_read_are_read_together() -> None:
    reads: list[Sequence[int]] = []

    async def read(keys: Sequence[int]) -> dict[int, int]:
        reads.append(keys)
        await asyncio.sleep(0)
        if 13 in keys:
            raise LookupError
        return {key: key * 2 for key in keys}

    async def ask() -> None:
        together = Together(read)
        tasks = [asyncio.create_task(together(key)) for key in (1, 2, 2, 3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[0].cancel()
        late = [asyncio.create_task(together(key)) for key in (4, 5)]
        assert await asyncio.gather(*tasks[1:], *late) == [4, 4, 6, 8, 10]
        with pytest.raises(LookupError):
            await together(13)
        assert await together(1) == 2

    asyncio.run(ask())
    assert [len(keys) for keys in reads] == [3, 2, 1, 1]
