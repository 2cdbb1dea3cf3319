"""`letgo-gateway serve`."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from letgo_gateway.app import create_app
from letgo_gateway.connections import Connection
from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.observability.logs import configure
from letgo_gateway.observability.metrics import share_between_workers
from letgo_gateway.preparing import prepare
from letgo_gateway.settings import PREFIX, Settings, WrongSetting, from_environment

MISUSE = 2
SELDOM = 1000
"""How many times the second generation is collected for once that all of them are."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 served until it was told to stop, 2 a setting can't be used or the database can't be reached."""
    asked = parser().parse_args(arguments)
    try:
        settings = from_environment(os.environ, host=asked.host, port=asked.port, workers=asked.workers)
        configure(settings)
        administrator = asyncio.run(prepare(settings))
    except WrongSetting as error:
        return misuse(str(error))
    except DatabaseBusy as error:
        because = str(error.__cause__).strip().partition("\n")[0]
        return misuse(f"DATABASE_URL: {error}: {because}")
    if administrator is not None:
        print(f"The administrator is {administrator.email}, with the one-time password {administrator.password}")
    print(f"letgo-gateway serves on http://{settings.host}:{settings.port}", flush=True)
    serve(settings)
    return 0


def misuse(told: str) -> int:
    print(f"letgo-gateway: {told}", file=sys.stderr)
    return MISUSE


def serve(settings: Settings) -> None:
    """Until a signal. Each worker reads the settings from the environment, as this process has done."""
    if settings.workers > 1:
        share_between_workers()
    allow_connections()
    for name in ("host", "port", "workers"):
        os.environ[PREFIX + name.upper()] = str(getattr(settings, name))
    uvicorn.run(
        "letgo_gateway.cli:app_of_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers if settings.workers > 1 else None,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def allow_connections() -> None:
    """Take as many files as this process may have: a shell commonly allows 1,024, and each stream and call is one."""
    with suppress(ImportError, OSError, ValueError):  # there is no such limit to be had
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def app_of_environment() -> ASGIApp:
    settings = from_environment(os.environ)
    configure(settings)
    app = create_app(settings)
    collect_seldom()
    return app


def collect_seldom() -> None:
    """Look for garbage in what is made from now on alone, and through all of that seldom: nobody is answered meanwhile.

    A quarter of a million objects are there when the app is, and stay; to go through them takes a tenth of a second and
    more. Few objects of a request are in cycles, and the first two generations find these soon.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, SELDOM)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="letgo-gateway", description="An MCP gateway that holds no transaction.")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    serving = commands.add_parser("serve", help="serve; settings are variables GATEWAY_..., and DATABASE_URL")
    serving.add_argument("--host", help="the address to listen on (GATEWAY_HOST)")
    serving.add_argument("--port", type=int, help="(GATEWAY_PORT)")
    serving.add_argument("--workers", type=int, help="how many processes (GATEWAY_WORKERS)")
    return made
