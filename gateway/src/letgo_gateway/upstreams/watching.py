"""Upstreams are asked what they have, listened to for changes, and asked now and then whether they are still there."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.errors import Refused
from letgo_gateway.registry.catalogue import Upstream as Registered
from letgo_gateway.upstreams.discovery import Offer, discover
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.health import FIRST_PAUSE, LONGEST_PAUSE
from letgo_gateway.upstreams.upstream import Upstream

HEALTH_SECONDS = 30.0
REFRESH_SECONDS = 300.0

log = logging.getLogger(__name__)

Changed = Callable[[str], None]


class Ledger(Protocol):
    """Where is written down what has become known of upstreams."""

    async def found(self, registered: Registered, offer: Offer) -> None:
        """It answered, and has this."""

    async def failed(self, registered: Registered, problem: str) -> None:
        """It did not."""


class NoLedger:
    """Where nothing is written down."""

    async def found(self, registered: Registered, offer: Offer) -> None: ...

    async def failed(self, registered: Registered, problem: str) -> None: ...


async def keep_watching(registered: Registered, upstream: Upstream, ledger: Ledger, changed: Changed) -> None:
    """Watch one upstream until cancelled. What it says has changed is asked for again, and then told."""
    pause = FIRST_PAUSE
    while True:
        try:
            await ledger.found(registered, await discover(upstream))
            pause = FIRST_PAUSE
            await _listen(registered, upstream, ledger, changed)
        except UpstreamError as error:
            log.warning("upstream %s: %s", registered.name, error)
            upstream.forget_era()
            with suppress(DatabaseBusy):
                await ledger.failed(registered, str(error))
        except (Refused, DatabaseBusy) as error:
            log.warning("upstream %s: what it has is not written down: %s", registered.name, error)
        except Exception:
            log.exception("upstream %s can't be watched", registered.name)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, LONGEST_PAUSE)


async def _listen(registered: Registered, upstream: Upstream, ledger: Ledger, changed: Changed) -> None:
    """Listen until the upstream fails. Raises `UpstreamError`."""
    kinds: set[str] = set()
    told = asyncio.Event()

    def hear(kind: str) -> None:
        kinds.add(kind)
        told.set()

    loop = asyncio.get_running_loop()
    refreshed = loop.time()
    async with upstream.watched(hear):
        while True:
            try:
                async with asyncio.timeout(HEALTH_SECONDS * random.uniform(0.8, 1.2)):
                    await told.wait()
            except TimeoutError:
                upstream.tidy()
                if loop.time() - refreshed < REFRESH_SECONDS:
                    await upstream.still_there()
                    continue
            told.clear()
            news, refreshed = sorted(kinds), loop.time()
            kinds.clear()
            await ledger.found(registered, await discover(upstream))
            for kind in news:
                changed(kind)


class Watch:
    """The upstreams of a worker, each watched by a task of its own."""

    def __init__(self, fleet: Fleet, ledger: Ledger, changed: Changed) -> None:
        self._fleet, self._ledger, self._changed = fleet, ledger, changed
        self._tasks: dict[str, tuple[Upstream, asyncio.Task[None]]] = {}

    def only(self, registered: Iterable[Registered]) -> None:
        """Watch these upstreams, as they are registered now, and no others."""
        wanted = {one.id: one for one in registered}
        self._fleet.forget(frozenset(wanted))
        for id in [id for id in self._tasks if id not in wanted]:
            self._tasks.pop(id)[1].cancel()
        for id, one in wanted.items():
            upstream = self._fleet.of(one)
            watched = self._tasks.get(id)
            if watched is not None and watched[0] is upstream:
                continue
            if watched is not None:
                watched[1].cancel()
            task = asyncio.create_task(keep_watching(one, upstream, self._ledger, self._changed))
            self._tasks[id] = upstream, task

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()


@asynccontextmanager
async def watch(
    fleet: Fleet, registered: Iterable[Registered], changed: Changed, ledger: Ledger | None = None
) -> AsyncIterator[Watch]:
    """Watch these upstreams meanwhile."""
    watching = Watch(fleet, ledger or NoLedger(), changed)
    watching.only(registered)
    try:
        yield watching
    finally:
        await watching.close()
