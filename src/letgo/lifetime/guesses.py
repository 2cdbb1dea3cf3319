"""Calls that can't be followed for certain: by the one class that has the method, or by how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from letgo.holds import WaitKind
from letgo.lifetime import attributes, calls, effects, external, objects
from letgo.lifetime.analysis import Analysis, Frame
from letgo.lifetime.values import (
    FunctionValue,
    Instance,
    Session,
    Value,
    either,
)
from letgo.lifetime.world import Chain, World
from letgo.source.names import ClassSymbol, FunctionSymbol

if TYPE_CHECKING:
    from letgo.lifetime.calls import Arguments


CALL_NEXT = "call_next"
"""By this a middleware has the rest of the app handle the request: https://www.starlette.io/middleware/"""

_COMMON = frozenset(
    "get set add pop put post items keys values append extend update copy close open read write send run start stop "
    "join split strip format encode decode filter first all count delete create save load execute commit remove clear "
    "info debug warning error exception index find replace lower upper dict json model_dump insert sort next stream "
    "search query submit result fetch request patch connect "
    "read_bytes read_text write_bytes write_text mkdir unlink iterdir "  # of a path
    "flush refresh expunge rollback scalar scalars merge begin".split()  # of a session, too
)


_LOGGERS = frozenset({"logger", "log", "logging"})
_LOGS = frozenset("debug info warning warn error exception critical log success trace".split())
_OF_COLLECTIONS = frozenset("append appendleft discard extend items keys values setdefault".split())
_OF_OTHERS_TOO = frozenset("add clear copy count get update".split())


def is_quiet(receiver: str, name: str, arguments: Arguments) -> bool:
    """Whether a method of something that is not known raises nothing, by the names."""
    if name in _LOGS and receiver.strip("_").lower() in _LOGGERS:
        return True
    return name not in _OF_OTHERS_TOO and is_quiet_of_collections(name, arguments)


def is_quiet_of_collections(name: str, arguments: Arguments) -> bool:
    """Whether a method of a list, a set or a dict raises nothing."""
    return name in _OF_COLLECTIONS or name in _OF_OTHERS_TOO or (name == "pop" and len(arguments.positional) == 2)


def unknown_method(
    frame: Frame, world: World, receiver: str, name: str, arguments: Arguments, line: int
) -> Value | None:
    """A method of something that is not known: by its name, if only one class or one family of classes has it; else by
    how it looks."""
    analysis = frame.analysis
    if name not in _COMMON and len(name) > 4 and not name.startswith("__"):
        found = analysis.names.methods_named(name)
        if len(found) > 2:
            found = _of_one_family(analysis, found)
        if found:
            return _guess(frame, world, found, arguments, line)
    if name == "TemplateResponse":
        return external.call(frame, world, "starlette.templating.Jinja2Templates.TemplateResponse", arguments, line)
    if analysis.waits.named_like_client(receiver, name):
        calls.external_wait(frame, world, WaitKind.EXTERNAL, f"{receiver}.{name}", line, certain=False)
        return None
    return unknown_call(frame, world, f"{receiver}.{name}", arguments, line)


def _of_one_family(analysis: Analysis, methods: tuple[FunctionSymbol, ...]) -> tuple[FunctionSymbol, ...]:
    """A few of the methods, if all their classes have one base class in common."""
    roots = set()
    for method in methods:
        assert method.owner is not None
        bases = [base for base in analysis.names.mro(method.owner) if isinstance(base, ClassSymbol)]
        roots.add(bases[-1])
    concrete = tuple(method for method in methods if not attributes.is_abstract(analysis, method))
    return concrete[:4] if len(roots) == 1 else ()


def _guess(
    frame: Frame, world: World, found: tuple[FunctionSymbol, ...], arguments: Arguments, line: int
) -> Value | None:
    frame.touched = True
    values = []
    for method in found:
        assert method.owner is not None
        value = FunctionValue(method, Instance(method.owner, ()), (), objects.manages(frame.analysis, method))
        values.append(calls.invoke(frame, world, value, arguments, line, certain=False))
    return either(*values)


def unknown_call(frame: Frame, world: World, name: str, arguments: Arguments, line: int) -> Value | None:
    """Something that can't be followed. Given a session it most likely uses it; else it is taken to be harmless."""
    receiver, dot, method = name.rpartition(".")
    frame.touched |= not dot or not is_quiet(receiver, method, arguments)
    if name == CALL_NEXT:
        calls.external_wait(frame, world, WaitKind.EXTERNAL, name, line)
    for value in arguments.values():
        if isinstance(value, Session):
            effects.arm(frame, world, value.key, Chain(frame.at(line), (), False))
            world.sessions[value.key] = world.sessions[value.key]._replace(dirty=None)  # it may commit
            frame.analysis.note_unresolved(frame.at(line), name)
    return None
