"""Giving connections back in the application's place: when a response starts, and when a request is over."""

from typing import TYPE_CHECKING

from sqlalchemy.util import greenlet_spawn
from starlette.concurrency import run_in_threadpool

from letgo.runtime.guard.tracking import Open, log

if TYPE_CHECKING:
    from letgo.runtime.guard.watch import Watch


async def give_back(watch: "Watch") -> None:
    """End the transactions that have only read, by a commit, which leaves what was read as it is.

    A transaction that has written, or whose session has something to write, is its owner's to end.
    """
    for found in watch.idle_now():
        session = found.session() if found.session is not None else None
        if session is None or found.wrote or found.busy or session.new or session.dirty or session.deleted:
            continue
        try:
            if session.get_bind().dialect.is_async:
                await greenlet_spawn(session.commit)
            else:
                session.commit()
        except Exception:
            log.exception("%s could not be made to let go; it goes on as it is", watch.route())


async def close(found: Open) -> None:
    """Close what nobody closes any more."""
    session = found.session() if found.session is not None else None
    connection = found.connection() if found.connection is not None else None
    owner = session if session is not None else connection
    if owner is None or found.engine is None:
        return
    try:
        if found.engine.dialect.is_async:
            await greenlet_spawn(owner.close)
        else:
            await run_in_threadpool(owner.close)
    except Exception:
        log.exception("%s could not be closed", found.watch.route())
