"""Which way a branch goes, by what is known of the variable that it tests."""

from letgo.lifetime import expressions, sqlalchemy
from letgo.lifetime.analysis import Frame
from letgo.lifetime.effects import DOUBTFUL, FAILED
from letgo.lifetime.values import (
    EXACT,
    NONE,
    TRUE,
    ClassValue,
    Constant,
    FunctionValue,
    Instance,
    Key,
    Lazy,
    Method,
    Object,
    Outside,
    Row,
    Session,
    Value,
    either,
    options,
)
from letgo.lifetime.world import OPEN, World
from letgo.source import program as ir
from letgo.source.conditions import ANSWER


def assume(frame: Frame, world: World, step: ir.Assume) -> bool:
    """Whether this branch can be taken. A variable tested against None is known on the branch."""
    if type(step.value) is not ir.Name:
        known = _kept_in(world, step.value)
        return known is None or any(_possible(option, step) for option in options(known))
    name = step.value.id
    value = world.env.get(name)
    if step.test == "equals":
        return value is None or _equals(frame, world, value, step)
    if step.test == "instance":
        if FAILED in world.env:  # it asks which exception it is, as a rule
            world.bind(DOUBTFUL, TRUE)
        return value is None or _is_instance(frame, world, name, value, step)
    for option in options(value):
        if _possible(option, step):
            break
    else:
        if value is not None:
            return False
    if name == ANSWER.id:
        world.bind(name, None)
    elif step.test == "none" and step.holds and value is None:
        world.bind(name, NONE)
    elif isinstance(value, Constant | Instance | Session | Row) or value is None:
        pass
    else:
        kept = [option for option in options(value) if _possible(option, step)]
        world.bind(name, either(*kept))
    return True


def _kept_in(world: World, expr: ir.Expr) -> Value | None:
    """What an object is known to keep as an attribute: of `self.db`."""
    match expr:
        case ir.Attr(ir.Name(name), attribute_name, _):
            holder = world.env.get(name)
            if isinstance(holder, Instance):
                return dict(holder.attributes).get(attribute_name)
    return None


def _equals(frame: Frame, world: World, value: Value, step: ir.Assume) -> bool:
    """Whether the value can be one of the constants, or none of them, as the branch has it."""
    others = [expressions.evaluate(frame, world, other) for other in step.others]
    if not all(isinstance(option, EXACT) for option in (*options(value), *others)):
        return True
    return any((option in others) == step.holds for option in options(value))


def _is_instance(frame: Frame, world: World, name: str, value: Value, step: ir.Assume) -> bool:
    """Leaves of the value's alternatives those that are, or are not, of one of the classes; whether there are any."""
    classes = [expressions.evaluate(frame, world, other) for other in step.others]
    symbols = [cls.symbol for cls in classes if isinstance(cls, ClassValue)]
    if isinstance(value, Session):
        answer = _is_session_of(frame, value.key, classes)
        return answer is None or answer == step.holds
    if len(symbols) < len(classes):
        return True
    names = frame.analysis.names
    known = [option for option in options(value) if isinstance(option, Instance)]
    of_them = [option for option in known if any(base in symbols for base in names.mro(option.cls))]
    if step.holds and not of_them:
        return True  # an object may be of a subclass of what it is declared as
    kept = [option for option in options(value) if option not in known or (option in of_them) == step.holds]
    if kept:
        world.bind(name, either(*kept))
    return bool(kept)


def _is_session_of(frame: Frame, key: Key, classes: list[Value | None]) -> bool | None:
    """Whether a session is of one of SQLAlchemy's classes; None where that isn't known, as of a parameter that nobody
    was seen to give: it may be declared as either of two."""
    dotted = [cls.dotted for cls in classes if isinstance(cls, Outside)]
    traits = frame.traits_of(key)
    if len(dotted) < len(classes) or traits.is_connection or not traits.certain or key.startswith("a."):
        return None
    if not sqlalchemy.SESSIONS.issuperset(dotted):
        return None
    return any(sqlalchemy.is_async(name) == traits.is_async for name in dotted)


def _possible(value: Value, step: ir.Assume) -> bool:
    known = value.value if isinstance(value, Constant) else True
    if step.test == "none":
        if isinstance(value, Row):
            return True  # what a query gave may be None
        return (known is None) == step.holds
    if isinstance(value, Constant):
        return bool(known) == step.holds
    if isinstance(value, Session | Instance | FunctionValue | Lazy) or (isinstance(value, Object) and value.injected):
        return step.holds
    if isinstance(value, Method) and value.name in sqlalchemy.METHODS_OF_ALL:
        return step.holds
    return True


def answered(world: World, key: str, begun: bool) -> bool:
    """Whether the session can be in a transaction, or not in one, as the answer says; if so, it is from here on."""
    state = world.sessions.get(key)
    if state is None or begun:
        return True  # whoever gave the session may have begun one
    if state.phases == OPEN:
        return False
    world.sessions[key] = state._replace(phases=state.phases & ~OPEN)
    return True
