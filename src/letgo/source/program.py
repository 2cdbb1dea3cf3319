"""What letgo keeps of a source file: names, signatures, and a control-flow graph a function.

These are the values every later step works on. They hold only what can matter to a session's life: which names
are bound to what, which calls are made with which arguments, in which order, on which paths. They are named tuples
because tens of thousands are made and cached in every run: a named tuple is made, compared and pickled several
times faster than a frozen dataclass. Lines count from 1, and are those of the file.
"""

from typing import Literal, NamedTuple, TypeAlias

# --- expressions -----------------------------------------------------------------------------------------------------


class Name(NamedTuple):
    """A variable. Names that begin with a dot are made by the reader (`.iter1`, `.yield2`)."""

    id: str


class Const(NamedTuple):
    """None, True, False, a number, or a string (strings are cut after 200 characters)."""

    value: None | bool | int | float | str


class Attr(NamedTuple):
    """`value.name`, read."""

    value: "Expr"
    name: str
    line: int


class Item(NamedTuple):
    """`value[key]`, read. A slice is a `Group`."""

    value: "Expr"
    key: "Expr"
    line: int


class Star(NamedTuple):
    """`*value` in arguments, a sequence or an assignment's target."""

    value: "Expr"


class Call(NamedTuple):
    """`func(*args, **keywords)`. A `**mapping` has the keyword name None."""

    func: "Expr"
    args: tuple["Expr", ...]
    keywords: tuple[tuple[str | None, "Expr"], ...]
    line: int


class Await(NamedTuple):
    value: "Expr"
    line: int


class Dict(NamedTuple):
    """A `{**mapping}` has the key None."""

    keys: tuple["Expr | None", ...]
    values: tuple["Expr", ...]


class Sequence(NamedTuple):
    """A tuple, list or set display."""

    items: tuple["Expr", ...]


class Either(NamedTuple):
    """`a or b`, `a and b`, `x if test else y`: one of `options`, after `tests` were evaluated."""

    tests: tuple["Expr", ...]
    options: tuple["Expr", ...]


class Group(NamedTuple):
    """Anything else: its parts are evaluated in order, its value is of no interest (operators, f-strings, slices)."""

    parts: tuple["Expr", ...]


class Bind(NamedTuple):
    """`(name := value)`."""

    name: str
    value: "Expr"


class Comprehension(NamedTuple):
    """`lazy` is true for a generator expression. `element` is a `Sequence` of key and value for a dict."""

    element: "Expr"
    loops: tuple["Loop", ...]
    lazy: bool
    line: int


class Loop(NamedTuple):
    target: "Expr"
    iterable: "Expr"
    conditions: tuple["Expr", ...]
    is_async: bool


class Lambda(NamedTuple):
    """A lambda: `place` in the `functions` of the enclosing function. Its body is a single `Return`."""

    place: int


Expr: TypeAlias = (
    Name | Const | Attr | Item | Star | Call | Await | Dict | Sequence | Either | Group | Bind | Comprehension | Lambda
)

# --- steps -----------------------------------------------------------------------------------------------------------


class Evaluate(NamedTuple):
    value: Expr
    line: int


class Assign(NamedTuple):
    """`target = value`; target is a Name, Attr, Item, Sequence or Star. `annotation` is kept of `x: T = value`.

    `value` is None for a bare `x: T`. An augmented assignment's value is a `Group` of the old value and the operand.
    """

    target: Expr
    value: Expr | None
    annotation: Expr | None
    line: int


class Delete(NamedTuple):
    target: Expr
    line: int


class Return(NamedTuple):
    """The return value is set. Control goes on to the `finally` blocks and `Leave` steps on the way to the exit."""

    value: Expr | None
    line: int


class Raise(NamedTuple):
    """The block's only way on is its error edge."""

    value: Expr | None
    line: int


class Yield(NamedTuple):
    """`target = yield value`. `delegates` is true for `yield from`."""

    value: Expr | None
    target: str
    delegates: bool
    line: int


class Enter(NamedTuple):
    """`with value as target` begins. `key` pairs it with its `Leave` steps."""

    value: Expr
    target: Expr | None
    is_async: bool
    key: int
    line: int


class Leave(NamedTuple):
    """`with` ends; `raised` on the way of an exception."""

    key: int
    raised: bool
    line: int


class Next(NamedTuple):
    """`target` takes the next item of `iterable` (a reader-made Name): the head of a `for` loop.

    Where nothing but the loop holds a generator, `Leave` of its `key` ends it on every way out.
    """

    target: Expr
    iterable: Expr
    is_async: bool
    line: int
    key: int = 0


class Define(NamedTuple):
    """A nested function or class gets its name. `place` in `functions` (or `classes`) of the enclosing function."""

    name: str
    place: int
    is_class: bool
    line: int


class Assume(NamedTuple):
    """What is known on this branch. `test` says how `value` was tested, `holds` how it came out.

    truth: `if value` | none: `if value is None` | equals: `if value == other` or `if value in (other, ...)`, with the
    constants in `others` | instance: `if isinstance(value, other)`, with the classes in `others`. In any case `value`
    was evaluated already.
    """

    test: Literal["truth", "none", "equals", "instance"]
    value: Expr
    holds: bool
    others: tuple[Expr, ...] = ()


class Catch(NamedTuple):
    """An `except` clause begins. `types` are the dotted names caught, empty for a bare `except`."""

    types: tuple[str, ...]
    name: str | None
    line: int


StepNode: TypeAlias = (
    Evaluate | Assign | Delete | Return | Raise | Yield | Enter | Leave | Next | Define | Assume | Catch
)


class Block(NamedTuple):
    """Steps without a branch between them. `error` is where an exception in any of them goes."""

    steps: tuple[StepNode, ...]
    successors: tuple[int, ...]
    error: int


ENTRY, EXIT, ERROR, CANCELLED = 0, 1, 2, 3
"""Block numbers of every graph: where it begins, where a return arrives, where an exception leaves the function, and
where `asyncio.CancelledError` leaves it past an `except Exception`."""

# --- definitions -----------------------------------------------------------------------------------------------------


class Import(NamedTuple):
    """`name` is bound to `module` (symbol None) or to `module.symbol`. `name` is `*` for a star import.

    `level` counts the leading dots. `import a.b` binds `a` to module `a`; `import a.b as c` binds `c` to `a.b`.
    """

    name: str
    module: str
    symbol: str | None
    level: int


class Param(NamedTuple):
    name: str
    annotation: Expr | None
    default: Expr | None
    kind: Literal["positional", "keyword", "star", "double_star"]


class Function(NamedTuple):
    """`line` is the `def` line (not a decorator's), `end_line` its last. `qualname` as in Python, without `<locals>`.

    `names` are the names bound in the body (for scoping); `imports` those made inside the body.
    """

    name: str
    qualname: str
    line: int
    end_line: int
    is_async: bool
    is_generator: bool
    params: tuple[Param, ...]
    decorators: tuple[Expr, ...]
    returns: Expr | None
    blocks: tuple[Block, ...]
    functions: tuple["Function", ...]
    classes: tuple["Class", ...]
    imports: tuple[Import, ...]
    names: frozenset[str]
    globals: frozenset[str]
    mentions: frozenset[str]


class Field(NamedTuple):
    """`name: annotation = value` in a class body."""

    name: str
    annotation: Expr | None
    value: Expr | None
    line: int


class Class(NamedTuple):
    name: str
    qualname: str
    line: int
    end_line: int
    bases: tuple[Expr, ...]
    keywords: tuple[tuple[str, Expr], ...]
    decorators: tuple[Expr, ...]
    fields: tuple[Field, ...]
    methods: tuple[Function, ...]
    classes: tuple["Class", ...]


class Module(NamedTuple):
    """One file. `body` is the module's own code as a function named `<module>`, with the functions, classes and
    imports of the file in its fields of that name. `ignores` are its `# letgo: ignore[...]` comments."""

    path: str
    body: Function
    ignores: tuple["Ignore", ...]


class Ignore(NamedTuple):
    """`# letgo: ignore[LG201, LG101] reason`; `codes` is empty when no bracket was given."""

    line: int
    codes: tuple[str, ...]
    reason: str
