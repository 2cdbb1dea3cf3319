"""The app under load: started here in processes of its own, and ended with them."""

import http.client
import importlib.util
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from letgo.prove.processes import Supervised, supervised
from letgo.source.errors import UserError

HOST = "127.0.0.1"
BACKLOG = 4096
KEEP_ALIVE_SECONDS = 75
"""As nginx has it: with uvicorn's 5 seconds, users who think longer would meet closed connections."""

VARIABLE = "LETGO_PROVE_APP"
"""The environment variable that tells `letgo.prove.named` which app to load."""

Server: TypeAlias = Literal["uvicorn", "granian"]


@dataclass(frozen=True, slots=True)
class App:
    """`name` is `package.module:app`, imported from `directory`. `named`: its routes are named to the database.

    host: the address it listens at; those who are to reach it from other machines need one that they can reach.
    """

    name: str
    directory: Path
    server: Server = "uvicorn"
    workers: int = 1
    host: str = HOST
    port: int | None = None
    named: bool = True
    start_seconds: float = 30.0


@contextmanager
def running(app: App, environment: Mapping[str, str]) -> Iterator[tuple[str, Supervised]]:
    """Start the app and wait until it answers; gives its URL. Raises UserError with what it wrote if it does not."""
    if importlib.util.find_spec(app.server) is None:
        raise UserError(f"{app.server} is not installed", f"Install it beside letgo: pip install {app.server}")
    port = free_port(app.host, app.port)
    with supervised(command_of(app, port), {**environment, VARIABLE: app.name}, app.directory) as process:
        _wait_until_ready(app, port, process)
        yield f"http://{app.host}:{port}", process


def command_of(app: App, port: int) -> Sequence[str]:
    loaded = ["letgo.prove.named:load", "--factory"] if app.named else [app.name]
    command = [sys.executable, "-m", app.server, *loaded, "--host", app.host, "--port", str(port)]
    command += ["--workers", str(app.workers), "--backlog", str(BACKLOG), "--log-level", "warning", "--no-access-log"]
    match app.server:
        case "uvicorn":
            return [*command, "--timeout-keep-alive", str(KEEP_ALIVE_SECONDS)]
        case "granian":
            return [*command, "--interface", "asgi"]


def free_port(host: str, wanted: int | None) -> int:
    """`wanted` if nobody listens there, any free port for None. Raises UserError if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted or 0))
        except OSError as error:
            raise UserError(
                f"{f'port {wanted}' if wanted else host} can't be had: {error.strerror}",
                "Leave --port out for any free one, or prove what runs there with --url."
                if wanted
                else "--host must be an address of this machine.",
            ) from error
        return int(probe.getsockname()[1])


def answers(host: str, port: int) -> bool:
    """Whether somebody there speaks HTTP, whatever it says."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _wait_until_ready(app: App, port: int, process: Supervised) -> None:
    deadline = time.monotonic() + app.start_seconds
    while not answers(app.host, port):
        if process.exit_status is not None:
            raise UserError(
                f"{app.name} ended before it answered:\n{process.output()}", f"It was started as: {process.command}"
            )
        if time.monotonic() > deadline:
            raise UserError(
                f"{app.name} did not answer within {app.start_seconds:g} s:\n{process.output()}".rstrip(":\n"),
                f"It was started as: {process.command}",
            )
        time.sleep(0.05)
