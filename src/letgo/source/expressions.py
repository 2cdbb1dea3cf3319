"""From `ast` expressions to those of `letgo.source.program`, in Python's order of evaluation."""

import ast
from collections.abc import Callable, Iterable
from typing import Any

from letgo.source.program import (
    EXIT,
    Attr,
    Await,
    Bind,
    Call,
    Comprehension,
    Const,
    Dict,
    Either,
    Expr,
    Group,
    Item,
    Lambda,
    Loop,
    Name,
    Param,
    Return,
    Sequence,
    Star,
    Yield,
)
from letgo.source.scope import Scope, nested

NOTHING = Group(())
"""A value of which nothing is known, and which takes nothing to evaluate."""


def lower_expression(node: ast.expr, scope: Scope) -> Expr:
    return EXPRESSIONS[type(node)](node, scope)


def lower_optional(node: ast.expr | None, scope: Scope) -> Expr | None:
    return None if node is None else EXPRESSIONS[type(node)](node, scope)


def lower_target(node: ast.expr, scope: Scope) -> Expr:
    """The target of an assignment; the names in it become names of the function."""
    match node:
        case ast.Name():
            scope.names.add(node.id)
        case ast.Tuple() | ast.List():
            return Sequence(tuple([lower_target(item, scope) for item in node.elts]))
        case ast.Starred():
            return Star(lower_target(node.value, scope))
        case ast.Subscript():
            return _item(node, scope)
    return EXPRESSIONS[type(node)](node, scope)


def group(parts: Iterable[Expr]) -> Group:
    """A group of `parts`, without those that can't matter, and without groups in groups."""
    kept: list[Expr] = []
    for part in parts:
        kind = type(part)
        if kind is Group:
            kept.extend(part.parts)  # type: ignore[union-attr]
        elif kind is not Const:
            kept.append(part)
    return Group(tuple(kept)) if kept else NOTHING


def _lower_all(nodes: list[ast.expr], scope: Scope) -> tuple[Expr, ...]:
    return tuple([EXPRESSIONS[type(node)](node, scope) for node in nodes])


# --- values ----------------------------------------------------------------------------------------------------------


def _name(node: ast.Name, scope: Scope) -> Expr:
    identifier = node.id
    scope.mentions.add(identifier)
    return scope.shared[identifier]


def _constant(node: ast.Constant, scope: Scope) -> Expr:
    value = node.value
    if type(value) is str:
        return scope.strings[value]
    if value is None or isinstance(value, (int, float)):
        return Const(value)
    return NOTHING


def _attribute(node: ast.Attribute, scope: Scope) -> Expr:
    value = node.value
    name = node.attr
    scope.mentions.add(name)
    return Attr(EXPRESSIONS[type(value)](value, scope), name, node.lineno)


def _subscript(node: ast.Subscript, scope: Scope) -> Expr:
    if type(node.slice) is ast.Slice:
        return group(_lower_all([node.value, node.slice], scope))
    return _item(node, scope)


def _item(node: ast.Subscript, scope: Scope) -> Item:
    value, key = node.value, node.slice
    return Item(EXPRESSIONS[type(value)](value, scope), EXPRESSIONS[type(key)](key, scope), node.lineno)


def _starred(node: ast.Starred, scope: Scope) -> Expr:
    return Star(lower_expression(node.value, scope))


def _sequence(node: ast.Tuple | ast.List | ast.Set, scope: Scope) -> Expr:
    return Sequence(_lower_all(node.elts, scope))


def _dict(node: ast.Dict, scope: Scope) -> Expr:
    keys: list[Expr | None] = []
    values: list[Expr] = []
    for key, value in zip(node.keys, node.values, strict=True):
        keys.append(None if key is None else EXPRESSIONS[type(key)](key, scope))
        values.append(EXPRESSIONS[type(value)](value, scope))
    return Dict(tuple(keys), tuple(values))


# --- calls -----------------------------------------------------------------------------------------------------------


def _call(node: ast.Call, scope: Scope) -> Expr:
    table = EXPRESSIONS
    func, args, keywords = node.func, node.args, node.keywords
    return Call(
        table[type(func)](func, scope),
        tuple([table[type(arg)](arg, scope) for arg in args]) if args else (),
        lower_keywords(keywords, scope) if keywords else (),
        node.lineno,
    )


def lower_keywords(keywords: list[ast.keyword], scope: Scope) -> tuple[tuple[str | None, Expr], ...]:
    lowered = []
    for keyword in keywords:
        name, value = keyword.arg, keyword.value
        if name is not None:
            scope.mentions.add(name)
        lowered.append((name, EXPRESSIONS[type(value)](value, scope)))
    return tuple(lowered)


def _await(node: ast.Await, scope: Scope) -> Expr:
    return Await(lower_expression(node.value, scope), node.lineno)


def _yield(node: ast.Yield, scope: Scope) -> Expr:
    return _suspend(node, lower_optional(node.value, scope), False, scope)


def _yield_from(node: ast.YieldFrom, scope: Scope) -> Expr:
    return _suspend(node, lower_expression(node.value, scope), True, scope)


def _suspend(node: ast.Yield | ast.YieldFrom, value: Expr | None, delegates: bool, scope: Scope) -> Name:
    scope.is_generator = True
    sent = scope.make_name("yield")
    scope.graph.steps.append(Yield(value, sent.id, delegates, node.lineno))
    return sent


# --- choices and operators -------------------------------------------------------------------------------------------


def _bool_op(node: ast.BoolOp, scope: Scope) -> Expr:
    return Either((), _lower_all(node.values, scope))


def _if_exp(node: ast.IfExp, scope: Scope) -> Expr:
    test = lower_expression(node.test, scope)
    return Either(() if type(test) is Const else (test,), _lower_all([node.body, node.orelse], scope))


def _bin_op(node: ast.BinOp, scope: Scope) -> Expr:
    operands: list[ast.expr] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp):  # a long sum is deep on its left
        operands.append(left.right)
        left = left.left
    operands.append(left)
    operands.reverse()
    return group(_lower_all(operands, scope))


def _unary_op(node: ast.UnaryOp, scope: Scope) -> Expr:
    operand = lower_expression(node.operand, scope)
    if type(node.op) is ast.USub and type(operand) is Const and type(operand.value) in (int, float):
        return Const(-operand.value)  # type: ignore[operator]
    return group((operand,))


def _compare(node: ast.Compare, scope: Scope) -> Expr:
    match node:  # `owned = session is None` is a flag: the choice of False where there is a session
        case ast.Compare(ast.Name(id=name), [ast.Is() | ast.IsNot() as operator], [ast.Constant(value=None)]):
            found = type(operator) is ast.IsNot
            return Either((Name(name),), (Const(found), Const(not found)))
    return group(_lower_all([node.left, *node.comparators], scope))


def _slice(node: ast.Slice, scope: Scope) -> Expr:
    return group(_lower_all([part for part in (node.lower, node.upper, node.step) if part is not None], scope))


def _joined_str(node: ast.JoinedStr, scope: Scope) -> Expr:
    return group([EXPRESSIONS[type(part)](part, scope) for part in node.values if type(part) is not ast.Constant])


def _formatted_value(node: ast.FormattedValue, scope: Scope) -> Expr:
    value = EXPRESSIONS[type(node.value)](node.value, scope)
    return value if node.format_spec is None else group((value, lower_expression(node.format_spec, scope)))


def _named_expr(node: ast.NamedExpr, scope: Scope) -> Expr:
    value = lower_expression(node.value, scope)
    lower_target(node.target, scope)
    return Bind(node.target.id, value)


# --- loops and functions in expressions ------------------------------------------------------------------------------


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Expr:
    loops = _loops(node.generators, scope)
    return Comprehension(lower_expression(node.elt, scope), loops, type(node) is ast.GeneratorExp, node.lineno)


def _dict_comprehension(node: ast.DictComp, scope: Scope) -> Expr:
    loops = _loops(node.generators, scope)
    return Comprehension(Sequence(_lower_all([node.key, node.value], scope)), loops, False, node.lineno)


def _loops(nodes: list[ast.comprehension], scope: Scope) -> tuple[Loop, ...]:
    loops = []
    for node in nodes:
        iterable = lower_expression(node.iter, scope)
        target = lower_expression(node.target, scope)
        loops.append(Loop(target, iterable, _lower_all(node.ifs, scope), bool(node.is_async)))
    return tuple(loops)


def _lambda(node: ast.Lambda, scope: Scope) -> Expr:
    index = scope.indices.get(node)
    if index is None:
        params = lower_parameters(node.args, scope)
        inner = scope.inner(nested(scope.qualname, "<lambda>"), False)
        value = lower_expression(node.body, inner)
        inner.graph.steps.append(Return(value, node.body.lineno))
        inner.graph.link(inner.graph.current, EXIT)
        index = scope.indices[node] = len(scope.functions)
        scope.functions.append(inner.function(node, params, (), None))
        scope.mentions |= inner.mentions
    return Lambda(index)


def _other(node: ast.expr, scope: Scope) -> Expr:
    children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return group(_lower_all(children, scope))


class Expressions(dict[type[ast.expr], Callable[[Any, Scope], Expr]]):
    """What lowers each type of node. A type that a later Python adds is lowered to a `Group` of what is in it."""

    def __missing__(self, kind: type[ast.expr]) -> Callable[[Any, Scope], Expr]:
        return _other


EXPRESSIONS = Expressions(
    {
        ast.Name: _name,
        ast.Constant: _constant,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.Starred: _starred,
        ast.Tuple: _sequence,
        ast.List: _sequence,
        ast.Set: _sequence,
        ast.Dict: _dict,
        ast.Call: _call,
        ast.Await: _await,
        ast.Yield: _yield,
        ast.YieldFrom: _yield_from,
        ast.BoolOp: _bool_op,
        ast.IfExp: _if_exp,
        ast.BinOp: _bin_op,
        ast.UnaryOp: _unary_op,
        ast.Compare: _compare,
        ast.Slice: _slice,
        ast.JoinedStr: _joined_str,
        ast.FormattedValue: _formatted_value,
        ast.NamedExpr: _named_expr,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _dict_comprehension,
        ast.Lambda: _lambda,
    }
)

# --- signatures ------------------------------------------------------------------------------------------------------


def lower_parameters(arguments: ast.arguments, scope: Scope) -> tuple[Param, ...]:
    params: list[Param] = []
    positional = arguments.posonlyargs + arguments.args
    required = [None] * (len(positional) - len(arguments.defaults))
    for arg, default in zip(positional, [*required, *arguments.defaults], strict=True):
        params.append(Param(arg.arg, _annotation_of(arg, scope), lower_optional(default, scope), "positional"))
    if arguments.vararg is not None:
        params.append(Param(arguments.vararg.arg, _annotation_of(arguments.vararg, scope), None, "star"))
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        params.append(Param(arg.arg, _annotation_of(arg, scope), lower_optional(default, scope), "keyword"))
    if arguments.kwarg is not None:
        params.append(Param(arguments.kwarg.arg, _annotation_of(arguments.kwarg, scope), None, "double_star"))
    return tuple(params)


def _annotation_of(arg: ast.arg, scope: Scope) -> Expr | None:
    return None if arg.annotation is None else lower_annotation(arg.annotation, scope)


def lower_annotation(node: ast.expr, scope: Scope) -> Expr:
    """An annotation, with the strings in it read as the types they name, except where they are values, and `X | None`
    as `Optional[X]`."""
    match node:
        case ast.Name():
            return _name(node, scope)
        case ast.Constant(value=str(text)):
            parsed = _parse(text, node.lineno)
            return _constant(node, scope) if parsed is None else lower_annotation(parsed, scope)
        case ast.Subscript():
            value = lower_expression(node.value, scope)
            return Item(value, _type_arguments(node, scope), node.lineno)
        case (
            ast.BinOp(left=given, op=ast.BitOr(), right=ast.Constant(value=None))
            | ast.BinOp(left=ast.Constant(value=None), op=ast.BitOr(), right=given)
        ):
            return Item(Name("Optional"), lower_annotation(given, scope), node.lineno)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return group((lower_annotation(left, scope), lower_annotation(right, scope)))
    return lower_expression(node, scope)


def _type_arguments(node: ast.Subscript, scope: Scope) -> Expr:
    name = getattr(node.value, "attr", getattr(node.value, "id", None))
    match node.slice:
        case key if name == "Literal":
            return lower_expression(key, scope)
        case ast.Tuple(elts=[first, *metadata]) if name == "Annotated":
            return Sequence((lower_annotation(first, scope), *_lower_all(metadata, scope)))
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return Sequence(tuple([lower_annotation(item, scope) for item in items]))
        case key:
            return lower_annotation(key, scope)


def _parse(text: str, line: int) -> ast.expr | None:
    if "\\" in text:  # no type has one, and the parser would warn of it
        return None
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):  # the last is how the parser reports that text is nested too deeply
        return None
    for node in ast.walk(parsed):
        if isinstance(node, ast.expr):
            node.lineno = line
    return parsed
