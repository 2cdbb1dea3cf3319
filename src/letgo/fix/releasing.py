"""How a release is written: the statements, in either style."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from letgo.fix.nodes import spelled
from letgo.fix.patient import Patient
from letgo.fix.tested import called_without
from letgo.fix.texts import Unfixable
from letgo.lifetime.categories import last_name
from letgo.source.names import FunctionSymbol
from letgo.source.walk import places


@dataclass(frozen=True, slots=True)
class Session:
    """A session as a function knows it."""

    name: str
    is_async: bool

    def call(self, method: str) -> str:
        return f"{'await ' if self.is_async else ''}{self.name}.{method}()"

    @property
    def commit(self) -> str:
        return self.call("commit")

    @property
    def close(self) -> str:
        return self.call("close")

    @property
    def rollback(self) -> str:
        return self.call("rollback")

    def released(self, unsaved: str) -> str:
        """In the style of `letgo.runtime`."""
        return f"{'await ' if self.is_async else ''}release({self.name}, unsaved={unsaved!r})".replace("'", '"')


def is_called_elsewhere(patient: Patient, *, tests: bool = False) -> str:
    """The name of a function that calls this one, with a session of its own; empty when there is none. Tests don't
    count unless they are asked for."""
    wanted = patient.symbol.function
    for place in places(patient.names, (wanted.name,)):
        if tests or not is_test(place.module.path):
            for call in patient.ward.calls_in(place.function):
                if last_name(call.func) == wanted.name:
                    symbol = patient.names.resolve(place.module, call.func, place.function)
                    if isinstance(symbol, FunctionSymbol) and symbol.function is wanted:
                        return place.function.name
    return ""


def doubts_of_callers(patient: Patient, session: str) -> Iterator[str]:
    """What speaks against a release in a function that FastAPI is not alone to call.

    Raises Unfixable where a test calls it without a session: that would fail for certain.
    """
    name = patient.node.name
    if caller := is_called_elsewhere(patient):
        yield f"`{caller}` calls `{name}`, too, and may go on with the session"
    names = [param.name for param in patient.symbol.function.params if param.kind == "positional"]
    position = names.index(session) if session in names else -1
    root, module = patient.names.codebase.root, module_name(patient.path)
    if patient.endpoint and (test := called_without(root, module, name, session, position)):
        raise Unfixable(f"{test} calls `{name}` without a session, and would fail: give it one, then again")


def module_name(path: str) -> str:
    """The last part of the name of a file's module."""
    *directories, file = path.split("/")
    return directories[-1] if file == "__init__.py" and directories else file.removesuffix(".py")


def is_test(path: str) -> bool:
    *directories, file = path.split("/")
    return file.startswith(("test_", "conftest")) or "tests" in directories


def is_entered_with(patient: Patient, statement: ast.AST, session: str) -> bool:
    """Whether the statement stands in a `with` of something of the session, as of `db.begin()`."""
    return any(
        isinstance(node, ast.With | ast.AsyncWith) and any(_is_of(item.context_expr, session) for item in node.items)
        for node in patient.syntax.above(statement)
    )


def _is_of(node: ast.expr, session: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=receiver, attr=attr)):
            return spelled(receiver) == session and attr != "no_autoflush"
    return False


def locks_rows(patient: Patient, *functions: str) -> bool:
    """Whether the function, or one that it calls down to the opening, asks for row locks: a commit lets go of them."""
    words = patient.symbol.function.mentions
    return any("for_update" in word or "advisory" in word for word in words)
