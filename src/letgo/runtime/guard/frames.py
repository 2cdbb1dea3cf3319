"""Where code is: as little of a stack as tells it, taken cheaply enough to be done for every transaction.

A `Frame` is a code object and the offset of the instruction it is at; lines are worked out only when somebody asks.
Stacks are told from the inside out: the innermost frame first.
"""

import asyncio
import contextlib
import linecache
import os
import queue
import sys
import sysconfig
from collections.abc import Iterator
from contextvars import Context
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeAlias

from letgo.holds import Site

Frame: TypeAlias = tuple[CodeType, int]

LIBRARY, OURS, BOUNDARY = 0, 1, 2
"""Whose code a file is: somebody else's, the application's, or that of the framework that calls the application."""

DEEPEST = 200
KEPT = 12
"""How many frames are looked at, and how many of the application's are kept."""

_SEPARATOR = os.sep
_FRAMEWORKS = tuple(f"{_SEPARATOR}{name}{_SEPARATOR}" for name in ("fastapi", "starlette", "anyio", "uvicorn"))
_LIBRARIES = (
    *{sysconfig.get_path(name) + _SEPARATOR for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parents[2]) + _SEPARATOR,
)
_GENERATED = {
    function.__code__
    for function in (
        contextlib._AsyncGeneratorContextManager.__aenter__,
        contextlib._AsyncGeneratorContextManager.__aexit__,
    )
}
"""What awaits a step of an async generator: an object that does not tell whose step it is."""
_whose: dict[str, int] = {}
_claimed: list[str] = []


class Stop(NamedTuple):
    """A frame of somebody who waits, and the name of its module."""

    code: CodeType
    offset: int
    module: str


def claim(package: str) -> None:
    """Take a top-level package for the application's, wherever it is installed."""
    file = getattr(sys.modules.get(package), "__file__", None)
    if file and (place := str(Path(file).parent) + _SEPARATOR if "__init__" in file else file) not in _claimed:
        _claimed.append(place)
        _whose.clear()


def whose(filename: str) -> int:
    """`LIBRARY`, `OURS` or `BOUNDARY`."""
    known = _whose.get(filename)
    if known is None:
        known = _whose[filename] = _find_whose(filename)
    return known


def _find_whose(filename: str) -> int:
    if filename.startswith(tuple(_claimed)):
        return OURS
    outside = filename.startswith(("<", *_LIBRARIES)) or f"{_SEPARATOR}site-packages{_SEPARATOR}" in filename
    if not outside and f"{_SEPARATOR}dist-packages{_SEPARATOR}" not in filename:
        return OURS
    return BOUNDARY if any(name in filename for name in _FRAMEWORKS) else LIBRARY


def here(depth: int = 1) -> tuple[Frame, ...]:
    """The application's frames that lead to the caller, up to the framework that called the application.

    SQLAlchemy runs an AsyncSession's work in a greenlet. What awaits it goes on in the frames of the parent, and unless
    it is code of the application that runs there (`AsyncSession.run_sync`), all that matters is in those.
    """
    found: list[Frame] = []
    known = _whose.get
    above = _frame_above_greenlet(found)
    frame: FrameType | None = sys._getframe(depth) if above is None or _runs_sync(above) else above
    for _ in range(DEEPEST):
        if frame is None:
            if found or above is None:
                break
            frame, above = above, None
        code = frame.f_code
        owner = known(code.co_filename)
        if owner is None:
            owner = whose(code.co_filename)
        if owner:
            if owner == OURS:
                found.append((code, frame.f_lasti))
                if len(found) == KEPT:
                    break
            elif found:
                break
        frame = frame.f_back
    return tuple(found)


def _frame_above_greenlet(found: list[Frame]) -> FrameType | None:
    """Where the parent of the current greenlet stands; None without one, or when the application was seen already."""
    greenlet = sys.modules.get("greenlet")
    parent = greenlet.getcurrent().parent if greenlet is not None and not found else None
    frame: FrameType | None = parent.gr_frame if parent is not None else None
    return frame


def _runs_sync(frame: FrameType | None) -> bool:
    """Whether SQLAlchemy runs a function of the application in a greenlet, as far as the frames above it tell."""
    for _ in range(4):
        if frame is None:
            break
        if frame.f_code.co_name == "run_sync":
            return True
        frame = frame.f_back
    return False


def live_frames(depth: int = 1) -> Iterator[FrameType]:
    """The frames themselves, of the application alone, as `here` finds them: to look into while they run."""
    frame: FrameType | None = sys._getframe(depth)
    crossed = False
    for _ in range(DEEPEST):
        if frame is None:
            if crossed or (frame := _frame_above_greenlet([])) is None:
                return
            crossed = True
        if whose(frame.f_code.co_filename) == OURS:
            yield frame
        frame = frame.f_back


def line_of(frame: Frame) -> int:
    """The line a frame is at, from 1."""
    return position_of(frame)[0]


def position_of(frame: Frame) -> tuple[int, int | None, int | None, int | None]:
    """First line, last line, first and last column (in bytes of UTF-8) of what a frame is doing."""
    code, offset = frame
    line, last, start, end = next(islice(code.co_positions(), max(offset, 0) // 2, None), (None,) * 4)
    return line or code.co_firstlineno, last, start, end


def site_of(frame: Frame, root: str) -> Site:
    code = frame[0]
    return Site(path_below(code.co_filename, root), line_of(frame), qualified(code))


def qualified(code: CodeType) -> str:
    """The qualified name inside its file, as `Site` has it."""
    return code.co_qualname.replace(".<locals>", "")


def path_below(filename: str, root: str) -> str:
    """The path as seen from `root`; whole when it is elsewhere."""
    return (filename[len(root) + 1 :] if filename.startswith(root + _SEPARATOR) else filename).replace(_SEPARATOR, "/")


def code_at(site: Site, root: str) -> str:
    return linecache.getline(os.path.join(root, site.path), site.line)  # noqa: PTH118


def stack_of_thread(frame: FrameType | None) -> list[Stop]:
    """What a thread does, from the frame it is at."""
    stops: list[Stop] = []
    while frame is not None and len(stops) < DEEPEST:
        stops.append(Stop(frame.f_code, frame.f_lasti, frame.f_globals.get("__name__", "")))
        frame = frame.f_back
    return stops


def stack_of_awaitable(awaitable: Any) -> list[Stop]:
    """What a suspended coroutine waits for, down through all that it awaits."""
    stops: list[Stop] = []
    while awaitable is not None and len(stops) < DEEPEST:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaitable, f"{kind}_frame")), None)
        if kind is None:
            break
        frame = getattr(awaitable, f"{kind}_frame")
        if frame is not None:
            stops.append(Stop(frame.f_code, frame.f_lasti, frame.f_globals.get("__name__", "")))
        below = getattr(awaitable, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
        if below is None and frame is not None and frame.f_code.co_name == "__await__":
            # A coroutine that is driven by hand awaits nothing that Python knows of.
            below = frame.f_locals.get("coroutine")
        elif frame is not None and frame.f_code in _GENERATED:
            below = frame.f_locals["self"].gen
        awaitable = below
    stops.reverse()
    return stops


def context_of_loop(frame: FrameType | None) -> Context | None:
    """The context of what an event loop of asyncio's own is at in its thread."""
    while frame is not None:
        if frame.f_code is asyncio.Handle._run.__code__:
            context = getattr(frame.f_locals.get("self"), "_context", None)
            return context if isinstance(context, Context) else None
        frame = frame.f_back
    return None


def context_of_thread(frame: FrameType | None) -> Context | None:
    """The context in which a worker thread runs its job: anyio's and `asyncio.to_thread` keep it in their frames.

    None for a thread that waits for its next job, where anyio 3 still has the context of the last one.
    """
    inner = None
    while frame is not None:
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if name == "run" and file.endswith("_asyncio.py"):
            context = frame.f_locals.get("context")
            waits = inner is not None and inner.f_code is queue.Queue.get.__code__
            return context if isinstance(context, Context) and not waits else None
        if name == "run" and file.endswith(f"futures{_SEPARATOR}thread.py"):
            owner = getattr(getattr(getattr(frame.f_locals.get("self"), "fn", None), "func", None), "__self__", None)
            return owner if isinstance(owner, Context) else None
        inner, frame = frame, frame.f_back
    return None
