"""What stands in a piece of a syntax tree."""

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
With: TypeAlias = ast.With | ast.AsyncWith

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of statements that hold statements, and what holds some in turn."""


def children(node: ast.AST) -> list[ast.AST]:
    """The parts of a node, as `ast.iter_child_nodes` in a third of the time, without `Load` and its like."""
    found: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [part for part in value if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST) and field != "ctx":
            found.append(value)
    return found


def below(node: ast.AST) -> list[ast.AST]:
    """The node and all that is in it, outer before inner."""
    found = [node]
    for each in found:
        found += children(each)
    return found


def statements(tree: ast.Module) -> list[ast.AST]:
    """The statements of a module, with the handlers and cases in which some stand."""
    found: list[ast.AST] = list(tree.body)
    for each in found:
        for field in BLOCKS:
            found += getattr(each, field, ())
    return found


@lru_cache(maxsize=512)
def own_nodes(scope: ast.AST) -> tuple[ast.AST, ...]:
    """The nodes of a function's own code, without those of the functions, classes and lambdas in it."""
    found = []
    pending = children(scope)
    while pending:
        node = pending.pop()
        found.append(node)
        if not isinstance(node, SCOPES):
            pending += children(node)
    return tuple(found)


def spelled(node: ast.AST) -> str:
    """A name, or attributes of one, as it is written (`db`, `self.db`); empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            inner = spelled(value)
            return f"{inner}.{attr}" if inner else ""
    return ""


@lru_cache(maxsize=4096)
def names_in(node: ast.AST) -> frozenset[str]:
    """Every name, and every attribute of one, that stands anywhere in a node."""
    return frozenset(map(spelled, below(node))) - {""}


def stores(node: ast.AST, name: str) -> int:
    """How often a name, or one that it is an attribute of, is bound in a piece of code."""
    return sum(f"{name}.".startswith(f"{stored}.") for stored in _stored(node))


@lru_cache(maxsize=4096)
def _stored(node: ast.AST) -> tuple[str, ...]:
    return tuple(
        spelled(part)
        for part in below(node)
        if isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Store)
    )


@lru_cache(maxsize=512)
def assigned(scope: ast.AST) -> Mapping[str, list[ast.expr]]:
    """What a function's own code sets its variables to."""
    found: dict[str, list[ast.expr]] = {}
    for node in own_nodes(scope):
        if isinstance(node, ast.Assign):
            for name in {target.id for target in node.targets if isinstance(target, ast.Name)}:
                found.setdefault(name, []).append(node.value)
    return found


def free_name(definition: Definition, *wanted: str) -> str:
    """A name that the function does not use, the first of `wanted` or one made of it."""
    taken = _taken(definition)
    numbered = (f"{wanted[0]}_{number}" for number in range(2, 1000))
    return next(name for name in (*wanted, *numbered) if name not in taken)


@lru_cache(maxsize=512)
def _taken(definition: Definition) -> frozenset[str]:
    parameters = {node.arg for node in below(definition.args) if isinstance(node, ast.arg)}
    return frozenset(name for node in below(definition) for name in _named(node)) | parameters


def _named(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            yield name
        case ast.alias(name=name):
            yield name.partition(".")[0]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
