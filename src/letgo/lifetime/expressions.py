"""What expressions give and do, and what is bound to names."""

from collections.abc import Callable
from typing import Any

from letgo.lifetime import attributes, calls, construction, objects
from letgo.lifetime.analysis import Frame, deciding
from letgo.lifetime.effects import touch
from letgo.lifetime.values import (
    FALSE,
    NONE,
    TRUE,
    ClassValue,
    Constant,
    Factory,
    FunctionValue,
    Instance,
    Many,
    ModuleValue,
    Object,
    Outside,
    Record,
    Row,
    Session,
    Text,
    Value,
    either,
    options,
    simplify,
    unsettled,
)
from letgo.lifetime.world import State, World, join_states
from letgo.source import program as ir


def evaluate(frame: Frame, world: World, expr: ir.Expr | None) -> Value | None:
    """The value of an expression; what it does to sessions is done to the world."""
    if expr is None:
        return None
    return _EVALUATE[type(expr)](frame, world, expr)


def perform(frame: Frame, world: World, expr: ir.Expr) -> None:
    """Does what an expression does, where nobody wants its value: to read a variable or an attribute of a class is
    nothing."""
    match expr:
        case ir.Name() | ir.Const():
            return
        case ir.Group(parts):
            for part in parts:
                perform(frame, world, part)
        case ir.Attr(value, name, line):
            holder = evaluate(frame, world, value)
            if type(holder) not in _READ_WITHOUT_EFFECT:
                attributes.attribute(frame, world, holder, name, line, expr)
        case _:
            evaluate(frame, world, expr)


_READ_WITHOUT_EFFECT = frozenset((type(None), ClassValue, ModuleValue, Outside, Object, Session, Many, Constant, Text))
"""The types of values whose attributes are read without a statement or a call."""


def _name(frame: Frame, world: World, expr: ir.Name) -> Value | None:
    name = expr.id
    value = world.env.get(name)
    if value is None:
        if name not in frame.names:
            frame.names[name] = objects.named(frame, name)
        return frame.names[name]
    if type(value) is FunctionValue and value.symbol.function in frame.function.functions:
        return capture(frame, world, value)  # a closure sees its variables as they are when it runs
    return value


def capture(frame: Frame, world: World, value: FunctionValue) -> FunctionValue:
    function = value.symbol.function
    around = function.mentions - function.names - {function.name}
    captured = tuple((name, held) for name, held in sorted(world.env.items()) if name in around and name[0] != ".")
    cut = simplify(value._replace(captured=captured))
    return cut if isinstance(cut, FunctionValue) else value


def _const(frame: Frame, world: World, expr: ir.Const) -> Value | None:
    return constant(expr)


def constant(expr: ir.Const) -> Value | None:
    """What a constant is as a value; None for one that says nothing, such as a number."""
    value = expr.value
    if value is None:
        return NONE
    if value is True:
        return TRUE
    if value is False or value == 0:
        return FALSE
    return Text(value) if isinstance(value, str) else None


def _attr(frame: Frame, world: World, expr: ir.Attr) -> Value | None:
    return attributes.attribute(frame, world, evaluate(frame, world, expr.value), expr.name, expr.line, expr)


def _item(frame: Frame, world: World, expr: ir.Item) -> Value | None:
    value = evaluate(frame, world, expr.value)
    key = known_key(frame, world, expr.key)
    if key is None and isinstance(value, Record) and not value.is_dict and isinstance(expr.key, ir.Group):
        return None  # a slice, as a rule
    return attributes.item_of(value, key)


def known_key(frame: Frame, world: World, expr: ir.Expr) -> str | int | None:
    """The key that an expression gives, if it is known: a text, a number, or a member of an enumeration."""
    if isinstance(expr, ir.Const):
        return expr.value if isinstance(expr.value, str | int) else None
    value = evaluate(frame, world, expr)
    return value.value if isinstance(value, Text) else None


def _star(frame: Frame, world: World, expr: ir.Star) -> Value | None:
    return evaluate(frame, world, expr.value)


def _await(frame: Frame, world: World, expr: ir.Await) -> Value | None:
    value = evaluate(frame, world, expr.value)
    frame.ways = ()
    frame.awaited.add(expr.line)
    return calls.await_value(frame, world, value, expr.line)


def _dict(frame: Frame, world: World, expr: ir.Dict) -> Value | None:
    made: Value | None = None
    for place, (key, item) in enumerate(zip(expr.keys, expr.values, strict=True)):
        if key is None:
            made = updated(made, evaluate(frame, world, item))
        else:
            known = known_key(frame, world, key)
            made = with_item(made, known, evaluate(frame, world, item), place)
    return made


def _sequence(frame: Frame, world: World, expr: ir.Sequence) -> Value | None:
    values = [evaluate(frame, world, item) for item in expr.items]
    items = tuple((place, value) for place, value in enumerate(values) if value is not None)
    return Record(items) if items else None


def _either(frame: Frame, world: World, expr: ir.Either) -> Value | None:
    decided = _decided(world, expr)
    if decided is not None:
        return evaluate(frame, world, decided)
    for test in expr.tests:
        perform(frame, world, test)
    before = world.sessions.copy()
    values = []
    for option in expr.options:
        values.append(evaluate(frame, world, option))
    merge_sessions(world, before)
    given = [value for value in values if value != NONE]  # None may be among them: it is unknown
    return construction.as_one(frame, world, either(*(given if any(given) else values)), before)


def _decided(world: World, expr: ir.Either) -> ir.Expr | None:
    """The option that is taken for certain, where it is chosen by whether a session or factory is there."""
    if len(expr.options) != 2:
        return None
    for name in deciding(expr):
        value = world.env.get(name)
        if value != NONE and not isinstance(value, Session | Factory):
            continue
        if expr.tests == (ir.Name(name),):
            return expr.options[0 if value != NONE else 1]
        others = [option for option in expr.options if option != ir.Name(name)]
        if len(others) == 1 and value == NONE:  # `db or make()`, `make() if db is None else db`
            return others[0]
        if len(others) == 1 and (expr.tests or name != _root(others[0])):  # but not `db and db.close()`
            return ir.Name(name)
    return None


def _root(expr: ir.Expr) -> str:
    """The variable that an expression begins with: `db` of `db.query(...).all()`."""
    while isinstance(expr, ir.Attr | ir.Item | ir.Call | ir.Await):
        expr = expr.func if isinstance(expr, ir.Call) else expr.value
    return expr.id if isinstance(expr, ir.Name) else ""


def merge_sessions(world: World, before: dict[str, State]) -> None:
    """What was done may not have been done: each session that was there before may still be as it was."""
    for key, state in before.items():
        now = world.sessions.get(key)
        if now is not None and now is not state:
            world.sessions[key] = join_states(now, state)


def _group(frame: Frame, world: World, expr: ir.Group) -> Value | None:
    perform(frame, world, expr)
    return None


def _bind(frame: Frame, world: World, expr: ir.Bind) -> Value | None:
    value = evaluate(frame, world, expr.value)
    world.bind(expr.name, value)
    return value


def _comprehension(frame: Frame, world: World, expr: ir.Comprehension) -> Value | None:
    outer: dict[str, Value | None] = {}
    for loop in expr.loops:
        iterable = evaluate(frame, world, loop.iterable)
        item = attributes.iterate(frame, world, iterable, expr.line)
        for name in _target_names(loop.target):
            outer.setdefault(name, world.env.get(name))
        assign(frame, world, loop.target, item, expr.line)
        for condition in loop.conditions:
            perform(frame, world, condition)
    element = evaluate(frame, world, expr.element)
    for name, value in outer.items():
        world.bind(name, value)
    return None if element is None else Many(element)


def _target_names(target: ir.Expr) -> list[str]:
    match target:
        case ir.Name(name):
            return [name]
        case ir.Sequence(items):
            return [name for item in items for name in _target_names(item)]
        case ir.Star(value):
            return _target_names(value)
    return []


def _lambda(frame: Frame, world: World, expr: ir.Lambda) -> Value | None:
    function = frame.function.functions[expr.place]
    symbol = frame.analysis.names.function_symbol(frame.module, function, frame.symbol.owner)
    return capture(frame, world, FunctionValue(symbol, None, (), False))


def _call(frame: Frame, world: World, expr: ir.Call) -> Value | None:
    return calls.call(frame, world, expr)


_EVALUATE: dict[type, Callable[[Frame, World, Any], Value | None]] = {
    ir.Name: _name,
    ir.Const: _const,
    ir.Attr: _attr,
    ir.Item: _item,
    ir.Star: _star,
    ir.Await: _await,
    ir.Dict: _dict,
    ir.Sequence: _sequence,
    ir.Either: _either,
    ir.Group: _group,
    ir.Bind: _bind,
    ir.Comprehension: _comprehension,
    ir.Lambda: _lambda,
    ir.Call: _call,
}

# --- assignments -----------------------------------------------------------------------------------------------------


def assign(frame: Frame, world: World, target: ir.Expr, value: Value | None, line: int) -> None:
    """Binds a target. An attribute is kept in the object that the variable holds."""
    match target:
        case ir.Name(name):
            if name in frame.function.globals:
                value = construction.publish(frame, world, name, value)
            if name in frame.fixed.changed_within:
                value = unsettled(value)
            world.bind(name, simplify(value))
        case ir.Attr(ir.Name(name), attribute_name, _):
            holder = world.env.get(name)
            if isinstance(holder, Instance):
                world.bind(name, simplify(with_attribute(holder, attribute_name, value)))
            for row in options(holder):
                if isinstance(row, Row):
                    touch(frame, world, row.key, line)
                    frame.loaded.add((row.key, attribute_name))
        case ir.Item(ir.Name(name), key_expr, _):
            key = known_key(frame, world, key_expr)
            holder = world.env.get(name)
            if isinstance(holder, Record | None):
                world.bind(name, simplify(with_item(holder, key, value, line)))
        case ir.Sequence(items):
            for place, item in enumerate(items):
                assign(frame, world, item, attributes.item_of(value, place), line)
        case ir.Star(inner):
            assign(frame, world, inner, None, line)
        case ir.Attr(holder_expr, _, _) | ir.Item(holder_expr, _, _):
            evaluate(frame, world, holder_expr)


def with_item(holder: Value | None, key: str | int | None, value: Value | None, place: int) -> Value | None:
    """A dict with an item set. Under a key that is not known (None), it may be any of those that the dict has."""
    known = unsettled(holder) if key is None else holder
    kept = [item for item in (known.items if isinstance(known, Record) else ()) if item[0] != key]
    if value is not None:
        kept.append((f".{place}" if key is None else key, value))
    return Record(tuple(kept)) if kept else None


def updated(holder: Value | None, others: Value | None) -> Value | None:
    """A dict with all items of another one, of which not everything may be known."""
    if not isinstance(others, Record):
        return unsettled(holder)
    kept = {key: item for made in (unsettled(holder), others) if isinstance(made, Record) for key, item in made.items}
    return Record(tuple(kept.items())) if kept else None


def keep_none(world: World, target: ir.Attr) -> None:
    """Keeps in the object that a variable holds that an attribute of it is None."""
    if isinstance(target.value, ir.Name):
        holder = world.env.get(target.value.id)
        if isinstance(holder, Instance):
            kept = [item for item in holder.attributes if item[0] != target.name]
            world.bind(target.value.id, Instance(holder.cls, tuple(sorted([*kept, (target.name, NONE)], key=_name_of))))


def _name_of(attribute: tuple[str, Value]) -> str:
    return attribute[0]


def with_attribute(holder: Instance, name: str, value: Value | None) -> Instance:
    """The object with an attribute set. A constant is not kept: other methods may set another."""
    if isinstance(value, Record):
        value = unsettled(value)
    kept = [item for item in holder.attributes if item[0] != name]
    if value is not None and not isinstance(value, Constant):
        kept.append((name, value))
    return Instance(holder.cls, tuple(sorted(kept, key=_name_of)))
