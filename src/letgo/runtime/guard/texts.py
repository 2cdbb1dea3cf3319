"""What the source of a running function says: its returns, its yields, and where its sessions come from.

Read only when there is something to report, and at most once for each function.
"""

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import NamedTuple, TypeAlias

from letgo.holds import Origin

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Return(NamedTuple):
    """A `return`: its line, and the name that is called in it, as written, if it calls one."""

    line: int
    calls: str


class Given(NamedTuple):
    """How a function came by something: by which construct, from whom, in which line."""

    origin: Origin
    giver: str
    line: int


@lru_cache(1_000)
def function_of(code: CodeType) -> Function | None:
    """The syntax tree of a function, None when its source can't be had."""
    text = "".join(linecache.getlines(code.co_filename))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name == code.co_name:
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            if code.co_firstlineno in (first, node.lineno):
                return node
    return None


@lru_cache(1_000)
def returns_of(code: CodeType) -> tuple[Return, ...]:
    found = []
    for node in _own(function_of(code)):
        if isinstance(node, ast.Return) and node.value is not None:
            called = node.value.func if isinstance(node.value, ast.Call) else None
            found.append(Return(node.lineno, ast.unparse(called) if called else ""))
    return tuple(sorted(found))


def yield_after(code: CodeType, line: int) -> int | None:
    """The line of the first `yield` at or after a line."""
    yields = sorted(n.lineno for n in _own(function_of(code)) if isinstance(n, ast.Yield | ast.YieldFrom))
    return next((number for number in yields if number >= line), yields[-1] if yields else None)


@lru_cache(1_000)
def given(code: CodeType, line: int) -> tuple[Given, ...]:
    """Where what is used in a line came from: the names there that the function was given or got by a call."""
    function = function_of(code)
    if function is None:
        return ()
    bound = {name: given for node in (function, *_own(function)) for name, given in _bindings(node)}
    return tuple(bound[name] for name in _names_in(function, line) if name in bound)


def _names_in(function: Function, line: int) -> Iterator[str]:
    for node in _own(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _covers(node, line):
            text = ast.unparse(node.value)
            if isinstance(node.value, ast.Name) or text.startswith("self."):
                yield text


def _covers(node: ast.expr, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _bindings(node: ast.AST) -> Iterator[tuple[str, Given]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                yield argument.arg, Given(Origin.PARAMETER, argument.arg, argument.lineno)
        case ast.With() | ast.AsyncWith():
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and isinstance(item.context_expr, ast.Call):
                    giver = ast.unparse(item.context_expr.func)
                    yield item.optional_vars.id, Given(Origin.CONTEXT, giver, node.lineno)
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
            giver = ast.unparse(call.func)
            if giver == "next" and call.args:
                inner = call.args[0].func if isinstance(call.args[0], ast.Call) else call.args[0]
                yield name, Given(Origin.GENERATOR, ast.unparse(inner), node.lineno)
            else:
                yield name, Given(Origin.FACTORY, giver, node.lineno)


def _own(function: Function | None) -> Iterator[ast.AST]:
    """The nodes of a function's body without those of the functions in it."""
    todo: list[ast.AST] = list(function.body) if function is not None else []
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(node))
