"""Tests of `if`, `while` and `assert`, taken apart into branches."""

import ast
from typing import Literal

from letgo.source.expressions import lower_expression
from letgo.source.program import Assign, Assume, Attr, Await, Bind, Call, Const, Evaluate, Expr, Group, Item, Name
from letgo.source.scope import Scope

ANSWER = Name(".answer")
"""The variable that holds what a call gave whose answer decides where to go on."""


def branch(test: ast.expr, scope: Scope) -> tuple[list[int], list[int]]:
    """Lower `test`; the open blocks where it came out true, and those where it came out false.

    The caller goes on with `Graph.join` of either.
    """
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            when_true, when_false = _short_circuit(values, True, scope)
            return when_true, when_false
        case ast.BoolOp(values=values):
            when_false, when_true = _short_circuit(values, False, scope)
            return when_true, when_false
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            when_true, when_false = branch(operand, scope)
            return when_false, when_true
        case ast.Constant(value=value):
            return ([scope.graph.current], []) if value else ([], [scope.graph.current])
        case ast.Compare(left=left, ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=None)]):
            return _leaf("none", left, scope)
        case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]):
            is_none, is_not = _leaf("none", left, scope)
            return is_not, is_none
        case ast.Compare(left=ast.Name() as left, ops=[operator], comparators=[other]):
            constants = _constants(operator, other)
            if constants:
                others = tuple([lower_expression(constant, scope) for constant in constants])
                is_one, is_none = _leaf("equals", left, scope, others)
                negated = isinstance(operator, ast.IsNot | ast.NotEq | ast.NotIn)
                return (is_none, is_one) if negated else (is_one, is_none)
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name() as subject, kinds]):
            classes = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
            return _leaf("instance", subject, scope, tuple([lower_expression(cls, scope) for cls in classes]))
    return _leaf("truth", test, scope)


def _constants(operator: ast.cmpop, other: ast.expr) -> list[ast.expr]:
    """What a variable is compared with, if it is as good as a constant: a string, or a member of an enumeration."""
    match operator, other:
        case ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq(), _:
            options = [other]
        case ast.In() | ast.NotIn(), ast.Tuple(elts=options) | ast.List(elts=options) | ast.Set(elts=options):
            pass
        case _:
            return []
    return options if all(map(_is_constant, options)) else []


def _is_constant(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name[:1].isupper()  # a class
    return False


def _short_circuit(values: list[ast.expr], go_on: bool, scope: Scope) -> tuple[list[int], list[int]]:
    """Where all `values` came out as `go_on`, and where one did not."""
    ended: list[int] = []
    for value in values[:-1]:
        when_true, when_false = branch(value, scope)
        ended += when_false if go_on else when_true
        scope.graph.join(when_true if go_on else when_false)
    when_true, when_false = branch(values[-1], scope)
    if go_on:
        return when_true, ended + when_false
    return when_false, ended + when_true


def _leaf(
    kind: Literal["truth", "none", "equals", "instance"], test: ast.expr, scope: Scope, others: tuple[Expr, ...] = ()
) -> tuple[list[int], list[int]]:
    graph = scope.graph
    value = lower_expression(test, scope)
    if isinstance(value, Call | Await):
        graph.steps.append(Assign(ANSWER, value, None, test.lineno))
        value = ANSWER
    elif not _is_inert(value):
        graph.steps.append(Evaluate(value, test.lineno))
    start = graph.current
    ends = graph.new(), graph.new()
    graph.successors[start] += ends
    if start in graph.dead:
        graph.dead.update(ends)
    subject = _subject(value)
    if subject is not None:
        for end, holds in zip(ends, (True, False), strict=True):
            graph.blocks[end].append(Assume(kind, subject, holds, others))
    return [ends[0]], [ends[1]]


def _is_inert(value: Expr) -> bool:
    """Whether it does nothing to evaluate `value`."""
    if type(value) is Group:
        return all(type(part) is Name for part in value.parts)
    return type(value) is Name or type(value) is Const


def _subject(value: Expr) -> Expr | None:
    """What a test of `value` says something about: a variable, or what is reached from one."""
    if type(value) is Bind:
        return Name(value.name)
    root = value
    while isinstance(root, (Attr, Item)):
        root = root.value
    return value if type(root) is Name else None
