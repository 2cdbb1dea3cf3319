"""What is gathered about one function while its code is lowered."""

import ast
from dataclasses import dataclass, field

from letgo.source.flow import Graph
from letgo.source.program import Class, Const, Expr, Function, Import, Name, Param


class Names(dict[str, Name]):
    """One `Name` for each identifier of a file: most expressions are names, and equal ones are pickled once."""

    def __missing__(self, identifier: str) -> Name:
        name = self[identifier] = Name(identifier)
        return name


class Strings(dict[str, Const]):
    """One `Const` for each string of a file."""

    def __missing__(self, text: str) -> Const:
        constant = self[text] = Const(text[:200])
        return constant


@dataclass(slots=True)
class Scope:
    """A function (or the module) whose code is being lowered.

    `indices` holds what was already defined: the code of a `finally` block is lowered once for each way through it,
    the functions in it are not. `made` counts the names that the reader made.
    """

    qualname: str
    is_async: bool
    shared: Names
    strings: Strings
    graph: Graph = field(default_factory=Graph)
    mentions: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    indices: dict[ast.AST, int] = field(default_factory=dict)
    made: int = 0
    is_generator: bool = False

    def inner(self, qualname: str, is_async: bool) -> "Scope":
        return Scope(qualname, is_async, self.shared, self.strings)

    def make_name(self, purpose: str) -> Name:
        return self.shared[f".{purpose}{self.make_key()}"]

    def make_key(self) -> int:
        """A number that the function has for nothing else."""
        self.made += 1
        return self.made

    def function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        params: tuple[Param, ...],
        decorators: tuple[Expr, ...],
        returns: Expr | None,
    ) -> Function:
        """The function, after all of its body was lowered."""
        self.names.update([param.name for param in params])
        return self.record(node.lineno, node.end_lineno or node.lineno, params, decorators, returns)

    def record(
        self, line: int, end_line: int, params: tuple[Param, ...], decorators: tuple[Expr, ...], returns: Expr | None
    ) -> Function:
        return Function(
            name=self.qualname.rpartition(".")[2],
            qualname=self.qualname,
            line=line,
            end_line=end_line,
            is_async=self.is_async,
            is_generator=self.is_generator,
            params=params,
            decorators=decorators,
            returns=returns,
            blocks=self.graph.finish(),
            functions=tuple(self.functions),
            classes=tuple(self.classes),
            imports=tuple(dict.fromkeys(self.imports)),
            names=frozenset(self.names - self.globals),
            globals=frozenset(self.globals),
            mentions=frozenset(self.mentions),
        )


def nested(outer: str, name: str) -> str:
    """The qualified name of what is defined in `outer`: the module's own name is not part of it."""
    return name if outer == "<module>" else f"{outer}.{name}"
