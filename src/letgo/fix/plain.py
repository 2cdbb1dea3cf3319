"""Whether a value still needs its session: plain data and finished responses don't, rows and streams may.

Told from what stands in the code: constructors, annotations, what variables are set to. What can't be told is not
plain.
"""

import ast
import sys
from collections.abc import Iterator

from letgo.fix.nodes import own_nodes
from letgo.fix.patient import Patient, dotted
from letgo.lifetime.categories import last_name
from letgo.lifetime.dependencies import instance_class
from letgo.lifetime.sqlalchemy import MODEL_BASES
from letgo.source.names import ClassSymbol, External, FunctionSymbol, ModuleSymbol, VariableSymbol
from letgo.source.program import Attr, Const, Expr, Function, Group, Item, Module, Name, Sequence

DEEPEST = 12
"""Levels of names and calls that are followed to tell what a value is."""

MODELS = frozenset({"pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.RootModel", "sqlmodel.SQLModel"})
SCALARS = frozenset("str int float bool bytes complex bytearray".split())
CONTAINERS = frozenset("dict list tuple set frozenset".split())
MAKE_SCALARS = SCALARS | frozenset("len repr round abs hash format isinstance issubclass hasattr callable ord".split())
PASS_ON = CONTAINERS | frozenset("sorted min max sum any all next reversed enumerate zip".split())
"""Builtins whose value is plain if what they are given is."""

ABOUT_ITERATION = frozenset({"itertools", "functools", "contextlib", "operator", "copy", "typing", "builtins", "types"})
"""Modules of the standard library whose functions hand on what they are given."""

PLAIN_MAKERS = frozenset({"fastapi.encoders.jsonable_encoder", "orjson.dumps", "ujson.dumps"})
DUMPS = frozenset({"model_dump", "model_dump_json", "isoformat", "strftime", "total_seconds"})
"""Methods that nothing but data comes out of, whatever they are called on."""

VALIDATORS = frozenset({"model_validate", "from_orm", "parse_obj", "model_construct", "model_validate_json"})
STREAMS = frozenset({"StreamingResponse", "EventSourceResponse", "TemplateResponse", "FileResponse"})
GENERIC = frozenset(
    "Optional Union List Dict Tuple Set FrozenSet Sequence Mapping Annotated Literal Collection MutableMapping".split()
)
SESSION_VERBS = frozenset(
    "get get_one execute scalar scalars query all first one one_or_none exec refresh merge stream list filter".split()
)
"""Methods too common to be told by their name alone."""


class Values:
    """What is plain in one function."""

    def __init__(self, patient: Patient, sessions: frozenset[str]) -> None:
        self.patient = patient
        self.names = patient.names
        self.module: Module = patient.symbol.module
        self.function: Function = patient.symbol.function
        self.sessions = sessions
        self._asked: set[str] = set()

    # --- expressions -------------------------------------------------------------------------------------------------

    def is_plain(self, node: ast.expr | None, depth: int = 0) -> bool:
        if depth > DEEPEST:
            return False
        inner = depth + 1
        match node:
            case None | ast.Constant() | ast.JoinedStr() | ast.Compare():
                return True
            case ast.Dict(keys=_, values=values):
                return all(self.is_plain(value, inner) for value in values)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.BoolOp(values=parts):
                return all(self.is_plain(part, inner) for part in parts)
            case ast.UnaryOp(operand=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.is_plain(value, inner)
            case ast.BinOp(left=left, right=right):
                return self.is_plain(left, inner) and self.is_plain(right, inner)
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_plain(body, inner) and self.is_plain(orelse, inner)
            case ast.Subscript(value=value):
                return self.is_plain(value, inner)
            case ast.ListComp(elt=element) | ast.SetComp(elt=element):
                return self.is_plain(element, inner)
            case ast.DictComp(key=key, value=value):
                return self.is_plain(key, inner) and self.is_plain(value, inner)
            case ast.Await(value=ast.Call() as call):
                return self._is_plain_call(call, inner)
            case ast.Call():
                return self._is_plain_call(node, inner)
            case ast.Attribute(value=value, attr=attr):
                return self.is_plain(value, inner) or self._is_column(node, attr)
            case ast.Name(id=name):
                return self._is_plain_name(name, inner)
        return False

    def _is_column(self, node: ast.Attribute, attr: str) -> bool:
        """An attribute is copied when it is read; only a relationship leads to rows that need their session."""
        if attr in self.patient.ward.lazy or attr.startswith("__"):
            return False
        return not isinstance(self.patient.meaning(node), VariableSymbol | ModuleSymbol | ClassSymbol | FunctionSymbol)

    def _is_plain_name(self, name: str, depth: int) -> bool:
        if name in self.sessions:
            return False
        if name in self._asked:  # it is made of itself: what else goes into it decides
            return True
        self._asked.add(name)
        try:
            bound = list(self._bindings(name))
            if bound:
                return all(self.is_plain(value, depth) if isinstance(value, ast.expr) else value for value in bound)
            return self._is_plain_global(name)
        finally:
            self._asked.discard(name)

    def _bindings(self, name: str) -> Iterator[ast.expr | bool]:
        """All that a local variable is set to, or gets put into it; False for what can't be told."""
        for param in self.function.params:
            if param.name == name:
                yield self._is_plain_type(param.annotation, self.function)
        for node in own_nodes(self.patient.node):
            yield from _bound(node, name)

    def _is_plain_global(self, name: str) -> bool:
        symbol = self.names.resolve(self.module, Name(name), self.function)
        if isinstance(symbol, VariableSymbol):
            steps = self.names.assignments(symbol.module, symbol.name)
            return bool(steps) and all(isinstance(step.value, Const) for step in steps)
        return False

    # --- calls -------------------------------------------------------------------------------------------------------

    def _is_plain_call(self, call: ast.Call, depth: int) -> bool:
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        match self.patient.meaning(call.func):
            case External(dotted=dotted_name):
                return self._is_plain_external(dotted_name, call, given, depth)
            case ClassSymbol() as cls:
                return is_model(self, cls) or (is_finished_response(self, cls) and not _has_tasks(call))
            case FunctionSymbol(function=function) as symbol:
                return not function.is_generator and self._is_plain_type(function.returns, function, symbol.module)
        match call.func:
            case ast.Attribute(value=value, attr=method):
                return self._is_plain_method(value, method, call, depth)
        return False

    def _is_plain_external(self, name: str, call: ast.Call, given: list[ast.expr], depth: int) -> bool:
        top, _, rest = name.partition(".")
        if top == "builtins":
            return rest in MAKE_SCALARS or (rest in PASS_ON and all(self.is_plain(each, depth) for each in given))
        if name in PLAIN_MAKERS:
            return True
        if top in ("fastapi", "starlette", "sse_starlette"):
            return is_finished(name) and not _has_tasks(call)
        return top in sys.stdlib_module_names and top not in ABOUT_ITERATION

    def _is_plain_method(self, receiver: ast.expr, method: str, call: ast.Call, depth: int) -> bool:
        if method in DUMPS:
            return True
        if method in VALIDATORS:
            cls = self.patient.meaning(receiver)
            return isinstance(cls, ClassSymbol) and is_model(self, cls)
        owner = self.class_of(receiver)
        found = self.names.find_method(owner, method) if owner is not None else None
        if found is not None:
            plain = self._is_plain_type(found.function.returns, found.function, found.module)
            return plain and not found.function.is_generator
        if self.is_plain(receiver, depth):
            return all(self.is_plain(each, depth) for each in call.args) if method in ("get", "pop") else True
        return owner is None and self._is_plain_by_name(receiver, method)

    def _is_plain_by_name(self, receiver: ast.expr, method: str) -> bool:
        """The receiver is not known, but all methods of that name give plain values."""
        if method in SESSION_VERBS or any(
            isinstance(each, ast.Name) and each.id in self.sessions for each in ast.walk(receiver)
        ):
            return False
        known = self.names.methods_named(method)
        return bool(known) and all(
            not each.function.is_generator and self._is_plain_type(each.function.returns, each.function, each.module)
            for each in known
        )

    def class_of(self, node: ast.expr) -> ClassSymbol | None:
        """The class of the code base that a value is an instance of."""
        expr = dotted(node)
        if expr is not None:
            found = instance_class(self.names, self.module, self.function, expr)
            if found is not None:
                return found
        match node:
            case ast.Name(id=name):
                for param in self.function.params:
                    if param.name == name and param.annotation is not None:
                        symbol = self.names.resolve(self.module, param.annotation, self.function)
                        return symbol if isinstance(symbol, ClassSymbol) else None
                made = [value for part in own_nodes(self.patient.node) for value in _bound(part, name)]
                classes = {self._made_by(value) for value in made if isinstance(value, ast.expr)}
                return classes.pop() if len(classes) == 1 and len(made) else None
            case ast.Call() | ast.Await():
                return self._made_by(node)
        return None

    def _made_by(self, node: ast.expr) -> ClassSymbol | None:
        match node:
            case ast.Call(func=ast.Attribute(value=receiver, attr=method)) if method in VALIDATORS:
                cls = self.patient.meaning(receiver)
                return cls if isinstance(cls, ClassSymbol) else None
            case ast.Call(func=func) | ast.Await(value=ast.Call(func=func)):
                match self.patient.meaning(func):
                    case ClassSymbol() as cls:
                        return cls
                    case FunctionSymbol(function=function, module=module) if function.returns is not None:
                        symbol = self.names.resolve(module, function.returns, self.names.enclosing(module, function))
                        return symbol if isinstance(symbol, ClassSymbol) else None
        return None

    # --- types -------------------------------------------------------------------------------------------------------

    def _is_plain_type(self, annotation: Expr | None, function: Function, module: Module | None = None) -> bool:
        home = module or self.module
        return annotation is not None and is_plain_type(self, home, self.names.enclosing(home, function), annotation)


def _bound(node: ast.AST, name: str) -> Iterator[ast.expr | bool]:
    """What a piece of code sets a variable to or puts into it; False where that can't be told."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target:
                    case ast.Name(id=found) | ast.Subscript(value=ast.Name(id=found)) if found == name:
                        yield value
                    case ast.Tuple() | ast.List() if name in _stored(target):
                        yield False
        case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if found == name:
            yield value
        case ast.AugAssign(target=ast.Name(id=found), value=value) if found == name:
            yield value
        case ast.NamedExpr(target=ast.Name(id=found), value=value) if found == name:
            yield value
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=found), attr="append" | "extend" | "add" | "insert" | "update")
        ):
            if found == name:
                yield from (*node.args, *(keyword.value for keyword in node.keywords))
        case ast.ExceptHandler(name=found) if found == name:
            yield True
        case ast.For(target=target) | ast.AsyncFor(target=target) if name in _stored(target):
            yield False
        case ast.withitem(optional_vars=ast.expr() as target) if name in _stored(target):
            yield False


def _stored(target: ast.expr) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _has_tasks(call: ast.Call) -> bool:
    return any(keyword.arg in ("background", None) for keyword in call.keywords)


# --- classes ---------------------------------------------------------------------------------------------------------


def is_model(values: Values, cls: ClassSymbol) -> bool:
    """A Pydantic model that is no table."""
    return values.names.is_subclass(cls, MODELS) and not is_table(values, cls)


def is_table(values: Values, cls: ClassSymbol) -> bool:
    return any(
        ("table", Const(True)) in base.cls.keywords for base in values.names.mro(cls) if isinstance(base, ClassSymbol)
    )


def is_mapped(values: Values, cls: ClassSymbol) -> bool:
    """Whether instances of a class are rows of a table."""
    if values.names.is_subclass(cls, MODELS):
        return is_table(values, cls)
    own = (base for base in values.names.mro(cls) if isinstance(base, ClassSymbol))
    named = any(field.name in ("__tablename__", "__table__") for base in own for field in base.cls.fields)
    return named or values.names.is_subclass(cls, MODEL_BASES)


def is_finished(name: str) -> bool:
    """Whether a response class of the frameworks holds all it will send when it is made."""
    last = name.rpartition(".")[2]
    return last.endswith("Response") and last not in STREAMS


def is_finished_response(values: Values, cls: ClassSymbol) -> bool:
    bases = [base.dotted for base in values.names.mro(cls) if isinstance(base, External)]
    frameworks = [name for name in bases if name.startswith(("fastapi.", "starlette.")) and name.endswith("Response")]
    return bool(frameworks) and all(map(is_finished, frameworks))


def is_plain_type(values: Values, module: Module, function: Function | None, annotation: Expr, depth: int = 0) -> bool:
    """Whether a value of a type, seen from a function of a module, needs no session."""
    if depth > DEEPEST:
        return False

    def plain(part: Expr) -> bool:
        return is_plain_type(values, module, function, part, depth + 1)

    match annotation:
        case Const(value=None):
            return True
        case Const(value=str(text)):
            return text.isidentifier() and plain(Name(text))
        case Group(parts=parts) | Sequence(items=parts):
            return all(map(plain, parts))
        case Item(value=value, key=key):
            name = last_name(value)
            if name in ("Dict", "dict", "Mapping", "Literal"):
                return True  # what JSON can be made of: a row in it would never be one of plain types
            return (name in GENERIC or name in CONTAINERS) and plain(key)
        case Name() | Attr():
            return _is_plain_class(values, values.names.resolve(module, annotation, function))
    return False


def _is_plain_class(values: Values, symbol: object) -> bool:
    match symbol:
        case External(dotted=name):
            top, _, rest = name.partition(".")
            if top == "builtins":
                return rest in SCALARS or rest == "dict"
            if name == "typing.Dict" or top in ("datetime", "uuid", "decimal", "enum"):
                return True
            return top in ("fastapi", "starlette") and is_finished(name) and not name.endswith(".Response")
        case ClassSymbol() as cls:
            bases = [base.dotted for base in values.names.mro(cls) if isinstance(base, External)]
            if any(base.endswith("TypedDict") or base.startswith("enum.") for base in bases):
                return True
            return is_model(values, cls) or is_finished_response(values, cls)
    return False
