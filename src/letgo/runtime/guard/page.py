"""The page of the guard: who holds what at this moment, the worst places so far, the pools.

```python
app.add_middleware(Guard, page="/letgo")                                    # for clients on this machine
app.add_middleware(Guard, page="/letgo", access=lambda scope: is_admin(scope))
app.mount("/letgo", Page())                                                 # the same, as an app of its own
```

`/letgo` is HTML that renews itself, `/letgo/json` what it shows.
"""

import json
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from letgo.runtime.guard.recorder import Recorder
from letgo.runtime.guard.snapshot import snapshot
from letgo.runtime.guard.tracking import Background

Access: TypeAlias = Callable[[Scope], bool | Awaitable[bool]]
"""Whether the client of a request (its ASGI scope) may look."""

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def from_this_machine(scope: Scope) -> bool:
    """Behind a proxy on the same machine every client may seem to come from it: then give an `access` of your own."""
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False


class Page:
    """An ASGI app. Without a `recorder` it shows what the last guard made in this process has found."""

    def __init__(self, recorder: Recorder | None = None, access: Access = from_this_machine) -> None:
        self.recorder = recorder
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        allowed = self.access(scope)
        if isawaitable(allowed):
            allowed = await allowed
        if not allowed:
            return PlainTextResponse("Not found", 404, HEADERS)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method not allowed", 405, HEADERS | {"allow": "GET, HEAD"})
        if scope["path"].endswith("/json"):
            shown = self._shown()
            content = json.dumps(snapshot(shown), ensure_ascii=False) if shown is not None else "{}"
            return Response(content, headers=HEADERS, media_type="application/json")
        if not scope["path"].endswith("/"):
            return RedirectResponse(f"{scope['path'].rpartition('/')[2]}/", headers=HEADERS)
        return HTMLResponse((Path(__file__).parent / "page.html").read_text(encoding="utf-8"), headers=HEADERS)

    def _shown(self) -> Recorder | None:
        return self.recorder or (Background.watch.recorder if Background.watch is not None else None)
