"""`typing.cast`: what something is that can't be followed, or that hides behind something else."""

from __future__ import annotations

from letgo.lifetime import construction, expressions, objects
from letgo.lifetime.analysis import Frame, receiver_name
from letgo.lifetime.values import Instance, Object, Value
from letgo.lifetime.world import World
from letgo.source.names import External
from letgo.source.program import Attr, Call, Name

CASTS = ("typing.cast", "typing_extensions.cast")


def is_cast(frame: Frame, expr: Call) -> bool:
    func = expr.func
    name = func.id if type(func) is Name else func.name if type(func) is Attr else ""
    if name != "cast" or len(expr.args) != 2:
        return False
    found = frame.analysis.names.resolve(frame.module, func, frame.function)
    return isinstance(found, External) and found.dotted in CASTS


def cast(frame: Frame, world: World, expr: Call) -> Value | None:
    """What `cast(Type, value)` gives: the value. The type says what it is if that isn't known, and wins if it is an
    object of another class: a proxy for one of this class."""
    target, given = expr.args
    value = expressions.evaluate(frame, world, given)
    declared = objects.annotation_value(frame.analysis, frame.module, frame.function, target)
    if dotted := objects.is_session_type(frame.analysis, declared):
        if value is not None:
            return value
        return construction.session_from_elsewhere(frame, world, receiver_name(given), expr.line, dotted)
    if isinstance(value, Instance) and isinstance(declared, Instance):
        return value if declared.cls in frame.analysis.names.mro(value.cls) else declared
    is_vague = value is None or isinstance(value, Object)
    return declared if declared is not None and is_vague else value
