"""`LETGO=install python -m benchmarks.guard_calls /async`: how many functions a request calls, in Python.

The app of `guarded_app` is called as a server would, without one. What is counted does not depend on how fast or how
busy the machine is.
"""

import asyncio
import os
import subprocess
import sys
import threading
from types import FrameType
from typing import Any

REQUESTS = 50


def calls(letgo: str, path: str, dsn: str) -> float:
    """Functions called by one request on the average, counted in a process of its own."""
    environment = {**os.environ, "LETGO_BENCH_DSN": dsn, "LETGO": letgo}
    command = [sys.executable, "-m", "benchmarks.guard_calls", path]
    return float(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


async def count(app: Any, path: str) -> float:
    called, counting = 0, False

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal called
        called += counting and event == "call" and frame.f_globals.get("__name__") != __name__

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message

    async def request() -> None:
        await app(
            {
                **{"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": ""},
                **{"path": path, "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"shop")]},
                **{"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 4000), "asgi": {"version": "3.0"}},
            },
            receive,
            send,
        )

    threading.setprofile(note)
    sys.setprofile(note)
    for _ in range(REQUESTS):  # all that is done once
        await request()
    counting = True
    for _ in range(REQUESTS):
        await request()
    counting = False
    return called / REQUESTS


if __name__ == "__main__":
    from benchmarks.guarded_app import app

    print(asyncio.run(count(app, sys.argv[1])), flush=True)
    os._exit(0)  # whatever threads or connections there are
