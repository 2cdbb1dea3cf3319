"""A uvicorn process for an app under measurement."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple


class Server(NamedTuple):
    port: int
    pid: int


@contextmanager
def serving(app: str, environment: Mapping[str, str], *options: str) -> Iterator[Server]:
    """Serve `app` (`module:name`); clients can connect at once, and are answered when it has started.

    With `options` for several workers, `pid` is that of their parent.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", app, "--fd", str(listening.fileno())),
                *("--no-access-log", "--log-level", "critical", *options),
            ],
            env={**os.environ, **environment},
            pass_fds=[listening.fileno()],
        )
        try:
            yield Server(listening.getsockname()[1], process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
