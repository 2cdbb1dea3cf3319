"""What somebody waits for, read off a stack: no list of libraries is needed to see a wait, only to say its kind."""

import ast
import inspect
import linecache
import sys
from collections.abc import Sequence
from functools import lru_cache

from letgo.holds import Site, Wait, WaitKind
from letgo.runtime.guard.frames import BOUNDARY, OURS, Stop, position_of, site_of, whose

KINDS = {
    "time.sleep": WaitKind.SLEEP,
    "asyncio.sleep": WaitKind.SLEEP,
    "asyncio.tasks.sleep": WaitKind.SLEEP,
    "asyncio.locks": WaitKind.SLEEP,
    "asyncio.queues": WaitKind.SLEEP,
    "anyio.sleep": WaitKind.SLEEP,
    "anyio._core._eventloop.sleep": WaitKind.SLEEP,
    "anyio._core._synchronization": WaitKind.SLEEP,
    "threading": WaitKind.SLEEP,
    "queue": WaitKind.SLEEP,
    "subprocess": WaitKind.PROCESS,
    "asyncio.subprocess": WaitKind.PROCESS,
    "multiprocessing": WaitKind.PROCESS,
    "os.system": WaitKind.PROCESS,
    # They compute in threads of their own, so that the one that calls them seems to wait.
    "argon2": WaitKind.COMPUTE,
    "bcrypt": WaitKind.COMPUTE,
    "passlib": WaitKind.COMPUTE,
    "pwdlib": WaitKind.COMPUTE,
    "jinja2": WaitKind.RENDER,
    "starlette.templating": WaitKind.RENDER,
    "mako": WaitKind.RENDER,
}
"""By the dotted name of what is called, or of a module around it. Whatever is not here is taken for another service."""

DATABASE = ("sqlalchemy.", "sqlmodel.", "letgo.runtime.")
"""Whose functions work with the database: while one waits for it, the application does nothing else."""

C_METHODS = {"acquire": WaitKind.SLEEP, "wait": WaitKind.SLEEP, "join": WaitKind.SLEEP}
"""Blocking calls that leave no frame behind: the last name in the source tells them."""

IN_THREAD = {"run_in_threadpool", "run_sync", "run_sync_in_worker_thread"}
"""The functions by which Starlette and anyio hand work to a thread."""


def wait_in(stack: Sequence[Stop], root: str) -> Wait | None:
    """The wait of the application's code at the inside of a stack; None when none of its code is there."""
    inner = next((at for at, stop in enumerate(stack) if whose(stop.code.co_filename) == OURS), None)
    if inner is None:
        return None
    place, callee = stack[inner], _callee(stack[:inner])
    if callee is not None and callee.module.startswith(DATABASE):
        return None  # it works with the database, maybe on another connection, or ends the transaction
    if callee is None:
        what, kind = _as_written(place)
    else:
        what = public_name(callee)
        kind = _kind_of(f"{callee.module}.{callee.code.co_qualname}") or _kind_of(what) or WaitKind.EXTERNAL
    way = _way_down(stack[inner:])
    return Wait(kind, what, site_of(place[:2], root), tuple(site_of(stop[:2], root) for stop in way[:-1]))


def handed_to_thread(stack: Sequence[Stop]) -> bool:
    """Whether the framework itself waits for a thread: what that does is to be seen there."""
    for stop in stack:
        if whose(stop.code.co_filename) == OURS:
            return False
        if stop.code.co_name in IN_THREAD:
            return True
    return False


def is_in_framework(stack: Sequence[Stop], function: str) -> bool:
    """Whether a function of the framework is somewhere on the stack."""
    return any(stop.code.co_name == function and whose(stop.code.co_filename) == BOUNDARY for stop in stack)


def public_name(callee: Stop) -> str:
    """The name under which a function is imported: `httpx.get` for `httpx._api.get`."""
    name = callee.code.co_qualname.replace(".<locals>", "")
    parts = callee.module.split(".")
    for end in range(1, len(parts)):
        module = ".".join(parts[:end])
        if _code_of(module, name) is callee.code:
            return f"{module}.{name}"
    return f"{callee.module}.{name}"


def _callee(below: Sequence[Stop]) -> Stop | None:
    """The library function that was called; context managers made of generators stand for their generator."""
    for stop in reversed(below):
        if stop.module not in ("contextlib", "functools"):
            return stop
    return below[-1] if below else None


def _way_down(stack: Sequence[Stop]) -> list[Stop]:
    """The application's frames from the function that the framework called down to the innermost."""
    way = []
    for stop in stack:
        owner = whose(stop.code.co_filename)
        if owner == OURS:
            way.append(stop)
        elif owner == BOUNDARY:
            break
    return way[::-1]


def _kind_of(name: str) -> WaitKind | None:
    while name:
        if name in KINDS:
            return KINDS[name]
        name = name.rpartition(".")[0]
    return None


def _as_written(place: Stop) -> tuple[str, WaitKind]:
    """What a line of the application does when it calls into C, or into nothing at all."""
    text, is_call = text_at(place)
    if not is_call:
        return place.code.co_name, WaitKind.COMPUTE
    kind = _kind_of(text) or C_METHODS.get(text.rpartition(".")[2])
    return text, kind or WaitKind.EXTERNAL


def text_at(place: Stop) -> tuple[str, bool]:
    """The function that the code at a place calls, as it is written there, and whether it calls one."""
    line, last, start, end = position_of(place[:2])
    return _text_between(place.code.co_filename, line, last or line, start or 0, end or 0)


@lru_cache(256)
def _text_between(path: str, line: int, last: int, start: int, end: int) -> tuple[str, bool]:
    lines = [linecache.getline(path, number).encode() for number in range(line, last + 1)]
    if not lines:
        return "", False
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    text = b"".join(lines).decode(errors="replace")
    try:
        expression: ast.AST = ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return text.strip().partition("\n")[0], False
    if isinstance(expression, ast.Await):
        expression = expression.value
    if isinstance(expression, ast.Call):
        return ast.unparse(expression.func), True
    return ast.unparse(expression), False


def _code_of(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part, None)
    return getattr(inspect.unwrap(found) if callable(found) else found, "__code__", None)


def waits_in_framework(stack: Sequence[Stop], handler: Site) -> Wait | None:
    """What the framework does for a handler that has returned."""
    if is_in_framework(stack, "serialize_response"):
        return Wait(WaitKind.SERIALISE, "return", handler)
    if is_in_framework(stack, "stream_response"):
        return Wait(WaitKind.STREAM, "the response", handler)
    return None
