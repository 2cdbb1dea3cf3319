"""A real server for an app under test, and clients of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn


@contextmanager
def serve(app: Any, ws: str = "none") -> Iterator[str]:
    """Serve `app` with uvicorn on a port of its own, in a thread; gives its address without a slash at the end."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws=ws, loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def connect(address: str) -> httpx.Client:
    """One connection for each request: after a crash uvicorn closes it."""
    return httpx.Client(base_url=address, limits=httpx.Limits(max_keepalive_connections=0))


def soon(happens: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
