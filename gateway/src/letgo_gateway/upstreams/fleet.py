"""All upstreams of a worker: made when they are first called, and made anew when how they are reached has changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from letgo_gateway.registry.catalogue import Upstream as Registered
from letgo_gateway.upstreams.calls import MODERN, Era
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.http import Http
from letgo_gateway.upstreams.upstream import Unasked, Upstream

Unseal = Callable[[str | None], dict[str, str]]


class Fleet:
    """`unseal` opens what is stored of an upstream's secrets."""

    def __init__(self, http: Http, unseal: Unseal) -> None:
        self.http = http
        self.unsealed = unseal
        self.only: Era | None = None
        """The era in which all upstreams must be spoken to, if not in that which suits best."""
        self.unasked: Unasked | None = None
        self._upstreams: dict[str, tuple[int, Upstream]] = {}
        self._retiring: dict[asyncio.Task[None], Upstream] = {}

    def of(self, registered: Registered) -> Upstream:
        """The upstream that this entry of the registry stands for."""
        found = self._upstreams.get(registered.id)
        if found is not None and found[0] == registered.version:
            return found[1]
        made = Upstream(self._endpoint(registered), self.http, self.unasked)
        self._upstreams[registered.id] = registered.version, made
        if found is not None:
            self._retire(found[1])
        return made

    def _endpoint(self, registered: Registered) -> Endpoint:
        secrets = self.unsealed(registered.secrets)
        stdio = registered.transport == "stdio"
        known = registered.protocol
        return Endpoint(
            id=registered.id,
            name=registered.name,
            transport=registered.transport,
            url=registered.url or "",
            command=registered.command,
            environment=secrets if stdio else {},
            headers={} if stdio else {name.lower(): value for name, value in secrets.items()},
            timeout=registered.timeout,
            era=None if known is None else "modern" if known == MODERN else "legacy",
            only=self.only,
        )

    def _retire(self, upstream: Upstream) -> None:
        """Let what is under way come to its end on the old one, and then end its sessions."""

        async def retire() -> None:
            deadline = asyncio.get_running_loop().time() + upstream.endpoint.timeout
            while upstream.active and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.5)
            await upstream.close()

        task = asyncio.create_task(retire())
        self._retiring[task] = upstream
        task.add_done_callback(self._retiring.pop)

    async def tell(self, session: str, message: bytes) -> None:
        """Pass on what a client has said in its session to all upstreams that have one for it."""
        await asyncio.gather(*(upstream.tell(session, message) for _, upstream in self._upstreams.values()))

    def forget(self, ids: frozenset[str]) -> None:
        """End the upstreams that are not among these any more."""
        for id in [id for id in self._upstreams if id not in ids]:
            self._retire(self._upstreams.pop(id)[1])

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """End all sessions, processes and connections afterwards."""
        try:
            yield
        finally:
            left = [*self._retiring.values(), *(one for _, one in self._upstreams.values())]
            for task in self._retiring:
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await asyncio.gather(*(one.close() for one in left), return_exceptions=True)
            self._upstreams.clear()
            self.http.close()
