"""What a variable can be, as far as it matters to a session's life.

A value that letgo knows nothing about is None in Python: most are, and an environment simply lacks them. Values are
immutable, so that they can be keys of memoised calls; a session's changing state is kept beside them, in a `World`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from letgo.holds import Wait
from letgo.source.names import ClassSymbol, FunctionSymbol
from letgo.source.program import Module

Key: TypeAlias = str
"""Names a session inside one activation of a function."""


class Session(NamedTuple):
    """A Session, AsyncSession or Core Connection."""

    key: Key


class Method(NamedTuple):
    """A session's method that was not called yet: `db.close`; or that of one of its queries."""

    key: Key
    name: str
    query: "Query | None" = None


class Transaction(NamedTuple):
    """What `session.begin()` gives: a context manager that ends the transaction. `closes`: the session with it."""

    key: Key
    closes: bool


class Query(NamedTuple):
    """A legacy query that was built and has not run. `loads`: it says itself which relationships it loads."""

    key: Key
    model: ClassSymbol | None
    loads: bool = False


class Result(NamedTuple):
    """What executing gave; its rows are fetched already or with the next call."""

    key: Key
    model: ClassSymbol | None
    loads: bool = False


class Row(NamedTuple):
    """An ORM object that belongs to a session. `loads`: any of its relationships may have been loaded with it.

    `added`: it was made by the code, and is no row of the database before a commit.
    """

    key: Key
    model: ClassSymbol | None
    loads: bool = False
    added: bool = False


class Many(NamedTuple):
    """A list, tuple, set or stream of `item`."""

    item: "Value"


class Selectable(NamedTuple):
    """`select(Model)`: a statement, not bound to any session."""

    model: ClassSymbol | None
    loads: bool = False


class Factory(NamedTuple):
    """A sessionmaker, or whatever else gives a new session when called. `shared`: a scoped session's registry."""

    name: str
    is_async: bool
    expire_on_commit: bool | None
    pinned: bool
    shared: bool


class Instance(NamedTuple):
    """An object of a class of the code base, with the attributes known from its construction."""

    cls: ClassSymbol
    attributes: tuple[tuple[str, "Value"], ...]


class Object(NamedTuple):
    """An object of a type outside the code base: `httpx.AsyncClient`. `parameters` are those of a generic type.
    `injected`: FastAPI has given it, so it's there, and true in a test."""

    dotted: str
    parameters: tuple["Value", ...] = ()
    injected: bool = False


class Outside(NamedTuple):
    """A module, class or function outside the code base, by its dotted name."""

    dotted: str


class ClassValue(NamedTuple):
    symbol: ClassSymbol


class ModuleValue(NamedTuple):
    module: Module

    def __eq__(self, other: object) -> bool:  # there is one of each module, and it is large
        return isinstance(other, ModuleValue) and self.module is other.module

    def __hash__(self) -> int:
        return hash(self.module.path)


class FunctionValue(NamedTuple):
    """A function of the code base, with what it is bound to and what it has captured.

    `manages` is true when a decorator turned its generator into a context manager. `certain`: that it is this function
    and not another one of a table.
    """

    symbol: FunctionSymbol
    receiver: "Value | None"
    captured: tuple[tuple[str, "Value"], ...]
    manages: bool
    certain: bool = True


class Partial(NamedTuple):
    function: "Value"
    arguments: tuple["Value | None", ...]
    keywords: tuple[tuple[str, "Value"], ...]


class Lazy(NamedTuple):
    """A call whose body has not run: a coroutine not awaited, a generator not drained, a context not entered.
    `certain`: that this function is the one that was called."""

    function: FunctionValue
    arguments: tuple[tuple[str, "Value"], ...]
    kind: Literal["coroutine", "generator", "context"]
    certain: bool = True


class Together(NamedTuple):
    """Several coroutines that are awaited as one (`asyncio.gather`)."""

    parts: tuple["Value", ...]


class Response(NamedTuple):
    """A response object. `body` is what a stream will run later, None when there is nothing to run."""

    kind: Literal["stream", "template", "redirect", "plain"]
    body: "Value | None"


class Record(NamedTuple):
    """A dict, or a tuple or list (keys are positions). A key of a dict that is not known begins with a dot."""

    items: tuple[tuple[str | int, "Value"], ...]

    @property
    def is_dict(self) -> bool:
        return any(isinstance(key, str) for key, _ in self.items)


class Stack(NamedTuple):
    """An ExitStack; what was entered on it is kept in the world, under `name`."""

    name: str


class Entered(NamedTuple):
    """A context manager at work: what its leaving will do. `activation`: of the generator that stands at its yield."""

    kind: Literal["session", "declared", "transaction", "generator", "object", "external", "stack", "callback"]
    key: Key = ""
    closes: bool = False
    activation: object = None
    value: "Value | None" = None

    def __eq__(self, other: object) -> bool:  # activations hold dicts: the same one or not
        return (
            isinstance(other, Entered)
            and self.kind == other.kind
            and self.key == other.key
            and self.activation is other.activation
            and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.key))


class Scheduled(NamedTuple):
    """What background tasks will wait for, and whether that is certain."""

    waits: tuple[tuple[Wait, bool], ...]


class Constant(NamedTuple):
    """None, True or False: what a branch can be decided by."""

    value: bool | None


class Text(NamedTuple):
    value: str


EXACT = (Constant, Text)
"""Values that say all there is to know. Where they may be something else as well, nothing is known."""


class AnyOf(NamedTuple):
    options: tuple["Value", ...]


Value: TypeAlias = (
    Session | Method | Transaction | Query | Result | Row | Many | Selectable | Factory | Instance | Object | Outside
    | Stack | Entered | ClassValue | ModuleValue | FunctionValue | Partial | Lazy | Together | Response | Record
    | Scheduled | Constant | Text | AnyOf
)  # fmt: skip

NONE = Constant(None)
TRUE = Constant(True)
FALSE = Constant(False)


def options(value: Value | None) -> tuple[Value, ...]:
    """The alternatives a value stands for; none when nothing is known."""
    if value is None:
        return ()
    return value.options if isinstance(value, AnyOf) else (value,)


FLASK_SESSION = Factory("db.session", False, True, False, True)
"""The session of Flask-SQLAlchemy, which ends with the app context whatever happens in it:
https://flask-sqlalchemy.palletsprojects.com/en/stable/contexts/"""


MOST_ALTERNATIVES = 4


def either(*values: Value | None) -> Value | None:
    """The value that is one of `values`. What is unknown adds nothing, but takes away the certainty of a constant; an
    object of which only the class is known adds nothing to one that is known; more than four alternatives are kept as
    four."""
    if values and values.count(values[0]) == len(values):  # as most are
        return values[0]
    found: list[Value] = []
    unknown = None in values
    for value in values:
        for option in options(unsettled(value) if unknown else value):
            if option not in found:
                found.append(option)
    if len(found) > 1:
        known = {option.cls for option in found if type(option) is Instance and option.attributes}
        found = [
            option for option in found if type(option) is not Instance or option.attributes or option.cls not in known
        ]
    if not found:
        return None
    return found[0] if len(found) == 1 else AnyOf(tuple(found[:MOST_ALTERNATIVES]))


def unsettled(value: Value | None) -> Value | None:
    """What is left to know of a value that may have been changed, or be another: no constants."""
    match value:
        case Constant() | Text():
            return None
        case Many(item):
            left = unsettled(item)
            return None if left is None else Many(left)
        case Record(items):
            kept = tuple((key, left) for key, item in items if (left := unsettled(item)) is not None)
            return Record(kept) if kept else None
        case AnyOf(parts):
            return either(*map(unsettled, parts))
    return value


def doubted(value: Value | None) -> Value | None:
    """A value that one of several was chosen as: what calling it does is not certain."""
    match value:
        case FunctionValue():
            return value._replace(certain=False)
        case Partial(function):
            return value._replace(function=doubted(function) or function)
        case AnyOf(parts):
            return either(*map(doubted, parts))
    return value


_PLAIN = frozenset(
    (Selectable, Factory, Object, Outside, ClassValue, ModuleValue, Scheduled, Constant, Text, type(None))
)
"""The types of values that never lead to a session: most are, and matching them takes the time."""


def keys_of(value: Value | None) -> Iterable[Key]:
    """Every session that can be reached from a value, in a fixed order, with repetitions."""
    if type(value) in _PLAIN:
        return ()
    found: list[Key] = []
    _gather_keys(value, found)
    return found


def _gather_keys(value: Value | None, found: list[Key]) -> None:
    if type(value) in _PLAIN:
        return
    match value:
        case Instance(_, items) | Record(items):
            for _, item in items:
                _gather_keys(item, found)
        case Session(key) | Method(key) | Transaction(key, _) | Query(key, _) | Result(key, _) | Row(key, _):
            found.append(key)
        case Many(item) | Response(_, item):
            _gather_keys(item, found)
        case FunctionValue(_, inner, bound) | Lazy(inner, bound):
            _gather_keys(inner, found)
            for _, item in bound:
                _gather_keys(item, found)
        case Partial(function, arguments, keywords):
            for part in (function, *arguments, *[item for _, item in keywords]):
                _gather_keys(part, found)
        case AnyOf(parts) | Together(parts):
            for part in parts:
                _gather_keys(part, found)


def sessions_of(value: Value | None) -> Iterator[Key]:
    """The sessions that whoever has the value can still use: an ORM object alone does not give its session away."""
    match value:
        case None | Row():
            return
        case Many(item):
            yield from sessions_of(item)
        case Record(items):
            for _, item in items:
                yield from sessions_of(item)
        case AnyOf(parts) | Together(parts):
            for part in parts:
                yield from sessions_of(part)
        case _:
            yield from keys_of(value)


def rename(value: Value | None, name: Callable[[Key], Key]) -> Value | None:
    """The same value with every session's key replaced."""
    return value if value is None or type(value) in _PLAIN else _rename(value, name)


def _rename(value: Value, name: Callable[[Key], Key]) -> Value:
    match value:
        case Session(key):
            return Session(name(key))
        case Method(key, called, query):
            return Method(name(key), called, query and query._replace(key=name(query.key)))
        case Row() | Query() | Result():
            return value._replace(key=name(value.key))
        case Transaction(key, closes):
            return Transaction(name(key), closes)
        case Instance(cls, attributes):
            return Instance(cls, rename_items(attributes, name)) if attributes else value
        case Many(item):
            return Many(_rename(item, name))
        case Record(items):
            return Record(tuple((key, _rename(item, name)) for key, item in items))
        case FunctionValue():
            return _rename_function(value, name)
        case Partial(function, arguments, keywords):
            return Partial(
                _rename(function, name), tuple(rename(item, name) for item in arguments), rename_items(keywords, name)
            )
        case Lazy(function, bound):
            return value._replace(function=_rename_function(function, name), arguments=rename_items(bound, name))
        case Response(kind, body):
            return Response(kind, rename(body, name))
        case AnyOf(parts):
            return either(*(_rename(part, name) for part in parts)) or value
        case Together(parts):
            return Together(tuple(_rename(part, name) for part in parts))
    return value


def _rename_function(value: FunctionValue, name: Callable[[Key], Key]) -> FunctionValue:
    if value.receiver is None and not value.captured:
        return value
    return value._replace(receiver=rename(value.receiver, name), captured=rename_items(value.captured, name))


def rename_items(items: tuple[tuple[str, Value], ...], name: Callable[[Key], Key]) -> tuple[tuple[str, Value], ...]:
    """The same named values with every session's key replaced."""
    return tuple([(key, item if type(item) in _PLAIN else _rename(item, name)) for key, item in items])


def telling(value: Value, tested: bool, compared: bool = False) -> Value | None:
    """What of an argument can matter to the function that it is given to: a constant if it is tested, a text if it is
    compared with others."""
    match value:
        case Text():
            return value if compared else None
        case Constant():
            return value if tested else None
        case Many(item):
            inner = telling(item, True)
            return None if inner is None else Many(inner)
        case Record(items):
            kept = tuple((key, inner) for key, item in items if (inner := telling(item, True)) is not None)
            return Record(kept) if kept else None
        case AnyOf(parts):
            return either(*(telling(part, tested, compared) for part in parts))
    return value


_SIMPLE = _PLAIN | {Session, Row, Query, Result, Transaction, Method}
"""The types of values that hold no others."""

MOST = 100
"""Values in one value: code that people write has some thirty."""


def simplify(value: Value | None) -> Value | None:
    """A value cut down to a bounded depth and size, so that structures cannot grow without end in loops."""
    if type(value) in _SIMPLE or (type(value) is Instance and not value.attributes):
        return value
    for depth in (4, 3, 2):
        cut = _cut(value, depth)
        if _size(cut) <= MOST:
            return cut
    return _cut(value, 1)


def _size(value: Value | None) -> int:
    match value:
        case Many(item) | Response(_, item):
            return 1 + _size(item)
        case Instance(_, items) | Record(items):
            return 1 + sum(_size(item) for _, item in items)
        case FunctionValue(_, receiver, captured):
            return _size(receiver) + sum(_size(item) for _, item in captured)
        case Lazy(function, bound, _):
            return _size(function) + sum(_size(item) for _, item in bound)
        case AnyOf(parts):
            return sum(map(_size, parts))
    return 1


def _cut(value: Value | None, depth: int) -> Value | None:
    if value is None or type(value) in _PLAIN:
        return value
    if depth == 0:
        return value if isinstance(value, Session | Row | Query | Result | Transaction) else None
    match value:
        case Many(item):
            inner = _cut(item, depth - 1)
            return None if inner is None else Many(inner)
        case Instance(cls, attributes):
            return Instance(cls, _cut_items(attributes, depth))
        case Record(items):
            kept = ((key, _cut(item, depth - 1)) for key, item in items[:12])
            return Record(tuple((key, item) for key, item in kept if item is not None))
        case FunctionValue():
            return value._replace(receiver=_cut(value.receiver, depth - 1), captured=_cut_items(value.captured, depth))
        case Lazy(function, bound):
            cut = _cut(function, depth - 1)
            if not isinstance(cut, FunctionValue):
                return None
            return value._replace(function=cut, arguments=_cut_items(bound, depth))
        case Response(kind, body):
            return Response(kind, _cut(body, depth - 1))
        case AnyOf(parts):
            return either(*(_cut(part, depth - 1) for part in parts))
        case Partial() | Together():
            return value if depth > 1 else None
    return value


def _cut_items(items: tuple[tuple[str, Value], ...], depth: int) -> tuple[tuple[str, Value], ...]:
    kept = ((key, _cut(item, depth - 1)) for key, item in items)
    return tuple((key, item) for key, item in kept if item is not None)
