"""Statements that do not branch: what they do is added to the current block."""

import ast
from collections.abc import Callable
from typing import Any

from letgo.source.conditions import branch
from letgo.source.expressions import group, lower_annotation, lower_expression, lower_optional, lower_target
from letgo.source.program import Assign, Call, Const, Delete, Evaluate, Expr, Import, Name, Raise, Return
from letgo.source.scope import Scope


def _expression(node: ast.Expr, scope: Scope) -> None:
    if type(node.value) is ast.Constant:
        return
    value = lower_expression(node.value, scope)
    if type(value) is not Name:
        scope.graph.steps.append(Evaluate(value, node.lineno))


def _assign(node: ast.Assign, scope: Scope) -> None:
    value = lower_expression(node.value, scope)
    if len(node.targets) > 1 and not isinstance(value, (Name, Const)):
        once = scope.make_name("value")
        scope.graph.steps.append(Assign(once, value, None, node.lineno))
        value = once
    for target in node.targets:
        lowered = lower_target(target, scope)
        scope.graph.steps.append(Assign(lowered, value, None, node.lineno))


def _annotated_assign(node: ast.AnnAssign, scope: Scope) -> None:
    value = lower_optional(node.value, scope)
    annotation = lower_annotation(node.annotation, scope)
    target = lower_target(node.target, scope)
    scope.graph.steps.append(Assign(target, value, annotation, node.lineno))


def _augmented_assign(node: ast.AugAssign, scope: Scope) -> None:
    target = lower_target(node.target, scope)
    value = group((target, lower_expression(node.value, scope)))
    scope.graph.steps.append(Assign(target, value, None, node.lineno))


def _type_alias(node: Any, scope: Scope) -> None:
    value = lower_annotation(node.value, scope)
    scope.graph.steps.append(Assign(lower_target(node.name, scope), value, None, node.lineno))


def _delete(node: ast.Delete, scope: Scope) -> None:
    for target in node.targets:
        scope.graph.steps.append(Delete(lower_target(target, scope), node.lineno))


def _return(node: ast.Return, scope: Scope) -> None:
    value = lower_optional(node.value, scope)
    scope.graph.steps.append(Return(value, node.lineno))
    scope.graph.leave("return")


def _raise(node: ast.Raise, scope: Scope) -> None:
    value = lower_optional(node.exc, scope)
    if node.cause is not None:
        cause = lower_expression(node.cause, scope)
        if not isinstance(cause, (Name, Const)):
            scope.graph.steps.append(Evaluate(cause, node.lineno))
    scope.graph.steps.append(Raise(value, node.lineno))
    scope.graph.stop()


def _assert(node: ast.Assert, scope: Scope) -> None:
    graph = scope.graph
    holds, fails = branch(node.test, scope)
    graph.join(fails)
    error: Expr = scope.shared["AssertionError"]
    if node.msg is not None:
        error = Call(error, (lower_expression(node.msg, scope),), (), node.lineno)
    graph.steps.append(Raise(error, node.lineno))
    graph.join(holds)


def _break(node: ast.Break, scope: Scope) -> None:
    scope.graph.leave("break")


def _continue(node: ast.Continue, scope: Scope) -> None:
    scope.graph.leave("continue")


def _pass(node: ast.Pass, scope: Scope) -> None:
    pass


def _global(node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    scope.globals.update(node.names)


def _import(node: ast.Import, scope: Scope) -> None:
    for alias in node.names:
        if alias.asname is None:
            top = alias.name.partition(".")[0]
            made = Import(top, top, None, 0)
        else:
            made = Import(alias.asname, alias.name, None, 0)
        scope.names.add(made.name)
        scope.imports.append(made)


def _import_from(node: ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        made = Import(alias.asname or alias.name, node.module or "", alias.name, node.level)
        scope.names.add(made.name)
        scope.imports.append(made)


STRAIGHT: dict[type[ast.stmt], Callable[[Any, Scope], None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated_assign,
    ast.AugAssign: _augmented_assign,
    ast.Delete: _delete,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Pass: _pass,
    ast.Global: _global,
    ast.Nonlocal: _global,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
}
if hasattr(ast, "TypeAlias"):  # Python 3.12
    STRAIGHT[ast.TypeAlias] = _type_alias
