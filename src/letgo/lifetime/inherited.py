"""Methods of base classes that an object calls on itself: `super().name()`, and `Base.name(self)`.

They see the object as it is, and what they set is set on it: most constructors hand the session on this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from letgo.lifetime import attributes
from letgo.lifetime.analysis import Frame
from letgo.lifetime.values import ClassValue, FunctionValue, Instance, Value
from letgo.lifetime.world import World
from letgo.source.names import ClassSymbol
from letgo.source.program import Attr, Call, Expr, Name

if TYPE_CHECKING:
    from letgo.lifetime.calls import Arguments


class Bound(NamedTuple):
    """A method, what it is given beside its object, and the expression that gives the object."""

    method: FunctionValue
    arguments: Arguments
    object: Expr


def on_itself(frame: Frame, world: World, receiver: Value, arguments: Arguments, expr: Call) -> Bound | None:
    """The method that a call means, if it is one of a base class called on the object that the caller has."""
    assert isinstance(expr.func, Attr)
    match expr.func.value:
        case Call(Name("super")) if frame.symbol.owner is not None and frame.function.params:
            own = Name(frame.function.params[0].name)
            method = _of_super(frame, world.env.get(own.id), expr.func.name)
            return method and Bound(method, arguments, own)
    if isinstance(receiver, ClassValue) and arguments.positional and not arguments.spread:
        given, *others = arguments.positional
        method = _of_base(frame, receiver.symbol, given, expr.func.name)
        return method and Bound(method, arguments._replace(positional=tuple(others)), expr.args[0])
    return None


def leads_nowhere(frame: Frame, receiver: Value, expr: Call) -> bool:
    """Whether `super()` is asked for a method that no base class in the code base has. What other subclasses of these
    have is none of its business."""
    match receiver, expr.func:
        case Instance(cls), Attr(Call(Name("super")), name):
            return frame.analysis.names.find_method(cls, name) is None
    return False


def _of_super(frame: Frame, own: Value | None, name: str) -> FunctionValue | None:
    names = frame.analysis.names
    order = names.mro(own.cls) if isinstance(own, Instance) else ()
    if own is None or frame.symbol.owner not in order:
        return None
    for base in order[order.index(frame.symbol.owner) + 1 :]:
        found = names.find_method(base, name) if isinstance(base, ClassSymbol) else None
        if found is not None:
            method = attributes.bound_method(frame, own, found)
            return method if isinstance(method, FunctionValue) else None
    return None


def _of_base(frame: Frame, base: ClassSymbol, given: Value | None, name: str) -> FunctionValue | None:
    names = frame.analysis.names
    found = names.find_method(base, name)
    if found is None or not isinstance(given, Instance) or base not in names.mro(given.cls):
        return None
    method = attributes.bound_method(frame, given, found)
    return method if isinstance(method, FunctionValue) and method.receiver == given else None
