"""Upstreams nobody asks: what they told, or that they failed, a test says itself."""

import asyncio

import pytest

from letgo_gateway.upstreams import watching


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch_nothing(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(watching, "keep_watching", watch_nothing)
