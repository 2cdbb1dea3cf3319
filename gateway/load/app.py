"""The gateway as `letgo prove` starts it: with settings from the environment, once its upstream is there."""

import socket
import time

from letgo_gateway.cli import app_of_environment
from load.world import PORT

PATIENCE = 60.0


def wait_for_upstream() -> None:
    """Raises `OSError` if it does not come."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


wait_for_upstream()
app = app_of_environment()
