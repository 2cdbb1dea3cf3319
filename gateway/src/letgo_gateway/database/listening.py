"""Notifications of Postgres, heard over a connection of their own that is made again whenever it is lost."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import asyncpg
from sqlalchemy.engine import URL

CONNECT_SECONDS = 5.0
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)
"""What a connection raises that does not come about, or breaks."""

log = logging.getLogger(__name__)

Told = Callable[[str], object]
Connected = Callable[["asyncpg.Connection | None"], object]


async def keep_listening(
    direct: URL, channel: str, told: Told, pause: float, connected: Connected = lambda connection: None
) -> None:
    """Have `told` called with what is notified on `channel`, until cancelled; again `pause` seconds after each loss.

    `connected` is called with the connection once it listens, and with None when it is lost: what was notified from
    then on is not heard. `direct` leads to Postgres itself: PgBouncer can't pass notifications on.
    """
    while True:
        try:
            await _listen_until_lost(direct, channel, told, connected)
        except LOST as error:
            log.warning("no notifications of %s from Postgres: %s", channel, error)
        await asyncio.sleep(pause)


async def _listen_until_lost(direct: URL, channel: str, told: Told, connected: Connected) -> None:
    url = direct.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    try:
        await connection.add_listener(channel, lambda _connection, _pid, _channel, payload: told(str(payload)))
        connected(connection)
        await lost.wait()
    finally:
        connected(None)
        with suppress(Exception):
            await connection.close(timeout=1)
