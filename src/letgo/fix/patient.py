"""The function that is to be repaired, with all that is known of it."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from letgo.fix.nodes import Definition, With, names_in, own_nodes, stores
from letgo.fix.syntax import Syntax
from letgo.holds import Finding, Hold, Misuse, MisuseKind, Origin, Site, Source
from letgo.lifetime.beginnings import all_functions
from letgo.lifetime.categories import last_name
from letgo.lifetime.census import written
from letgo.lifetime.dependencies import Dependency, dependencies_of
from letgo.lifetime.endpoints import Endpoint
from letgo.lifetime.facts import Ending, Facts
from letgo.source.names import FunctionSymbol, Names
from letgo.source.program import Attr, Call, Expr, Function, Name, Param
from letgo.source.walk import calls, places

Style = str
"""`explicit` or `runtime`."""


LAZY = frozenset(
    "relationship Relationship dynamic_loader association_proxy deferred backref column_property synonym".split()
)
FACTORIES = frozenset({"sessionmaker", "async_sessionmaker"})


@dataclass(frozen=True)
class Ward:
    """The whole program as it is now: the texts of its files, what its names mean, and what was found.

    `endpoints` are by the identity of their function, and `style` says how repairs are written.
    """

    names: Names
    facts: Facts
    syntaxes: Mapping[str, Syntax]
    endpoints: Mapping[int, Endpoint]
    style: Style = "explicit"

    @cached_property
    def lazy(self) -> frozenset[str]:
        """The names under which any model of the code base has something that may load when it is read."""
        return frozenset(
            field.name
            for cls in self.names.classes()
            for field in cls.cls.fields
            if isinstance(field.value, Call) and last_name(field.value.func) in LAZY
        )

    @cached_property
    def functions(self) -> Mapping[tuple[str, str], FunctionSymbol]:
        """By path and qualified name; of several with one name the last."""
        every = all_functions(self.names)
        return {(symbol.module.path, symbol.function.qualname): symbol for symbol in every}

    @cached_property
    def makers(self) -> tuple[Call, ...]:
        """The calls by which the code base makes the factories of its sessions."""
        return tuple(
            call
            for place in places(self.names, FACTORIES)
            for call in self.calls_in(place.function)
            if last_name(call.func) in FACTORIES
        )

    @cached_property
    def _calls(self) -> dict[int, tuple[Call, ...]]:
        return {}

    def calls_in(self, function: Function) -> tuple[Call, ...]:
        """The calls in a function's own code, looked up once: its calls of many others are asked for."""
        found = self._calls.get(id(function))
        if found is None:
            found = self._calls[id(function)] = tuple(calls(function))
        return found

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every word of the code base that stands for something."""
        return frozenset().union(*(module.body.mentions for module in self.names.codebase.modules))


@dataclass(frozen=True)
class Patient:
    """One function: `site` is its place, `node` its syntax, `findings` what is to be cured."""

    ward: Ward
    site: Site
    symbol: FunctionSymbol
    syntax: Syntax
    node: Definition
    findings: tuple[Finding, ...]

    @property
    def path(self) -> str:
        return self.site.path

    @property
    def names(self) -> Names:
        return self.ward.names

    @property
    def endpoint(self) -> Endpoint | None:
        return self.ward.endpoints.get(id(self.symbol.function))

    @cached_property
    def holds(self) -> tuple[Hold, ...]:
        return tuple(hold for hold in self.ward.facts.holds if hold.function == self.site)

    @cached_property
    def misuses(self) -> tuple[Misuse, ...]:
        return tuple(misuse for misuse in self.ward.facts.misuses if misuse.function == self.site)

    @cached_property
    def endings(self) -> tuple[Ending, ...]:
        return tuple(ending for ending in self.ward.facts.endings if ending.function == self.site)

    @cached_property
    def injected(self) -> tuple[tuple[Param, Dependency], ...]:
        return dependencies_of(self.names, self.symbol.module, self.symbol.function)

    def of(self, *codes: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.code in codes)

    def misused(self, codes: Mapping[MisuseKind, str]) -> Iterator[tuple[Misuse, tuple[Finding, ...]]]:
        """The misuses of these kinds, each with the findings of its code that tell of it."""
        findings = self.of(*codes.values())
        for misuse in self.misuses:
            code = codes.get(misuse.kind)
            if told := tuple(found for found in findings if found.code == code and found.site == misuse.site):
                yield misuse, told

    def meaning(self, node: ast.expr) -> object:
        """The symbol that a dotted name stands for, None for anything else."""
        expr = dotted(node)
        return None if expr is None else self.names.resolve(self.symbol.module, expr, self.symbol.function)

    @cached_property
    def _statements(self) -> tuple[ast.stmt, ...]:
        return tuple(node for node in own_nodes(self.node) if isinstance(node, ast.stmt))

    def statement_at(self, line: int) -> ast.stmt | None:
        """The innermost statement of the function that holds a line."""
        holding = [node for node in self._statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
        return max(holding, key=self.syntax.start, default=None)

    def reaching(self, use: ast.Name) -> ast.expr | None:
        """What a variable was set to last, on every way to where it is used; None when that is not one value."""
        node: ast.AST = self.syntax.statement(use)
        while isinstance(node, ast.stmt) and node is not self.node:
            parent = self.syntax.parents[node]
            block = self.syntax.block(node)
            for earlier in reversed(block[: block.index(node)]):
                match earlier:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == use.id:
                        return value
                if stores(earlier, use.id):
                    return None
            if isinstance(parent, ast.Try) and node not in parent.body:
                return None
            if not isinstance(parent, ast.If | With | ast.Try):
                return None
            node = parent
        return None

    def returns(self) -> Iterator[ast.Return]:
        return (node for node in own_nodes(self.node) if isinstance(node, ast.Return))

    # --- sessions ----------------------------------------------------------------------------------------------------

    def variable(self, source: Source) -> str | None:
        """What the function calls a session; None when that is not certain."""
        if source.origin is Origin.DEPENDENCY:
            found = [param.name for param, dependency in self.injected if self._is_of(dependency, source)]
        elif source.origin is Origin.PARAMETER:
            found = [param.name for param in self.symbol.function.params if param.name == source.name]
        elif source.origin in (Origin.ATTRIBUTE, Origin.GLOBAL):
            found = [source.name] if source.name in names_in(self.node) else []
        else:
            found = list(self._bound_at(source.site.line))
        if len(found) != 1 or (self.is_rebound(found[0]) and not self._is_entered_at(found[0], source.site.line)):
            return None
        return found[0]

    def _is_of(self, dependency: Dependency, source: Source) -> bool:
        callee = dependency.callable
        name = callee.function.name if isinstance(callee, FunctionSymbol) else written(dependency.expr)
        return name.rpartition(".")[2] == source.name.rpartition(".")[2]

    def _bound_at(self, line: int) -> Iterator[str]:
        for node in own_nodes(self.node):
            match node:
                case ast.withitem(context_expr=value, optional_vars=ast.Name(id=name)):
                    if value.lineno <= line <= (value.end_lineno or line):
                        yield name
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() | ast.Await()) if node.lineno == line:
                    yield name

    def _is_entered_at(self, name: str, line: int) -> bool:
        """Whether a `with` in that line gives the name its only meaning for as long as it lasts."""
        for node in own_nodes(self.node):
            if isinstance(node, With) and any(
                item.context_expr.lineno <= line <= (item.context_expr.end_lineno or line) for item in node.items
            ):
                return stores(node, name) == 1
        return False

    def is_rebound(self, name: str) -> bool:
        """Whether the function binds a name more than once: then it does not always mean the same session."""
        given = any(param.name == name for param in self.symbol.function.params)
        return stores(self.node, name) + given > 1

    def dependency_of(self, parameter: str) -> Dependency | None:
        return next((dependency for param, dependency in self.injected if param.name == parameter), None)


def dotted(node: ast.expr) -> Expr | None:
    """A name, or attributes of one, as the reader of code has them."""
    match node:
        case ast.Name(id=name):
            return Name(name)
        case ast.Attribute(value=value, attr=attr):
            inner = dotted(value)
            return None if inner is None else Attr(inner, attr, node.lineno)
    return None
