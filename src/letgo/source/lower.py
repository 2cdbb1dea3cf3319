"""From a file's `ast` to its `Module`: definitions, and a control-flow graph for each function."""

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import Any

from letgo.source.conditions import branch
from letgo.source.expressions import (
    group,
    lower_annotation,
    lower_expression,
    lower_keywords,
    lower_optional,
    lower_parameters,
    lower_target,
)
from letgo.source.flow import Frame, Way
from letgo.source.program import (
    EXIT,
    Assign,
    Attr,
    Call,
    Catch,
    Class,
    Define,
    Enter,
    Expr,
    Field,
    Function,
    Ignore,
    Leave,
    Module,
    Name,
    Next,
)
from letgo.source.scope import Names, Scope, Strings, nested
from letgo.source.statements import STRAIGHT

_BUILTINS = frozenset(dir(builtins))


def lower(tree: ast.Module, path: str, ignores: tuple[Ignore, ...]) -> Module:
    """Raises `RecursionError` for code that is nested too deeply."""
    scope = Scope("<module>", False, Names(), Strings())
    lower_body(tree.body, scope)
    scope.graph.link(scope.graph.current, EXIT)
    end = max((node.end_lineno or 1 for node in tree.body[-1:]), default=1)
    return Module(path, scope.record(1, end, (), (), None), ignores)


def lower_body(body: Sequence[ast.stmt], scope: Scope) -> None:
    for node in body:
        STATEMENTS[type(node)](node, scope)


# --- branches and loops ----------------------------------------------------------------------------------------------


def _if(node: ast.If, scope: Scope) -> None:
    graph = scope.graph
    ends = []
    while True:  # a long `elif` chain is deep on its `orelse`
        when_true, when_false = branch(node.test, scope)
        graph.join(when_true)
        lower_body(node.body, scope)
        ends.append(graph.current)
        graph.join(when_false)
        match node.orelse:
            case [ast.If() as node]:
                continue
        lower_body(node.orelse, scope)
        graph.join([*ends, graph.current])
        return


def _while(node: ast.While, scope: Scope) -> None:
    graph = scope.graph
    head, after = graph.begin_loop(), graph.new()
    when_true, when_false = branch(node.test, scope)
    graph.join(when_true)
    _loop(node.body, head, after, scope)
    graph.join(when_false)
    lower_body(node.orelse, scope)
    graph.link(graph.current, after)
    graph.go_on_in(after)


def _for(node: ast.For | ast.AsyncFor, scope: Scope) -> None:
    graph = scope.graph
    iterable = scope.make_name("iter")
    graph.steps.append(Assign(iterable, lower_expression(node.iter, scope), None, node.iter.lineno))
    head, after = graph.begin_loop(), graph.new()
    target = lower_target(node.target, scope)
    key = scope.make_key() if _may_hand_out_a_session(node) else 0
    graph.steps.append(Next(target, iterable, type(node) is ast.AsyncFor, node.lineno, key))
    body, ended = graph.new(), graph.new()
    graph.successors[head] += (body, ended)
    graph.go_on_in(body)

    def give_up(way: Way) -> None:
        graph.steps.append(Leave(key, True, node.lineno))  # GeneratorExit is raised at the `yield`

    _loop(node.body, head, after, scope, give_up if key else None)
    graph.go_on_in(ended)
    if key:
        graph.steps.append(Leave(key, False, node.lineno))
    lower_body(node.orelse, scope)
    graph.link(graph.current, after)
    graph.go_on_in(after)


def _may_hand_out_a_session(node: ast.For | ast.AsyncFor) -> bool:
    """Whether a loop has one thing at a time of what a call gives, and that is not a part of the language."""
    match node.iter, node.target:
        case ast.Call(ast.Name(name)), ast.Name():
            return name not in _BUILTINS
        case ast.Call(ast.Attribute(attr=name)), ast.Name():
            return name not in ("items", "keys", "values")
    return False


def _loop(
    body: list[ast.stmt], head: int, after: int, scope: Scope, give_up: Callable[[Way], None] | None = None
) -> None:
    graph = scope.graph
    outer = graph.frame
    graph.within(Frame(Frame(outer, {"break": after}), {"continue": head}, give_up))
    lower_body(body, scope)
    graph.link(graph.current, head)
    graph.within(outer)


def _match(node: ast.Match, scope: Scope) -> None:
    graph = scope.graph
    subject = scope.make_name("subject")
    graph.steps.append(Assign(subject, lower_expression(node.subject, scope), None, node.lineno))
    ends = []
    for case in node.cases:
        start = graph.current
        unmatched = [] if _is_irrefutable(case.pattern) else [start]
        matched = graph.new()
        graph.link(start, matched)
        graph.go_on_in(matched)
        _capture(case.pattern, subject, scope)
        if case.guard is not None:
            when_true, when_false = branch(case.guard, scope)
            graph.join(when_true)
            unmatched += when_false
        lower_body(case.body, scope)
        ends.append(graph.current)
        graph.join(unmatched)
    graph.join([*ends, graph.current])


def _is_irrefutable(pattern: ast.pattern) -> bool:
    match pattern:
        case ast.MatchAs(pattern=None):
            return True
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return _is_irrefutable(inner)
        case ast.MatchOr(patterns=patterns):
            return any(_is_irrefutable(inner) for inner in patterns)
    return False


def _capture(pattern: ast.pattern, subject: Name, scope: Scope) -> None:
    """Assign the names that `pattern` captures; the values and classes in it are mentioned only."""
    for node in ast.walk(pattern):
        match node:
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                scope.names.add(name)
                scope.graph.steps.append(Assign(scope.shared[name], group((subject,)), None, node.lineno))
            case ast.MatchClass(kwd_attrs=names):
                scope.mentions.update(names)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                scope.mentions.add(name)


# --- try and with ----------------------------------------------------------------------------------------------------


def _try(node: ast.Try | ast.TryStar, scope: Scope) -> None:
    graph = scope.graph
    outer = graph.frame
    if not node.finalbody:
        _try_except(node, scope)
        return
    after = graph.new()

    def clean_up(way: Way) -> None:
        lower_body(node.finalbody, scope)

    graph.within(Frame(Frame(outer, {"normal": after}), cleanup=clean_up))
    _try_except(node, scope)
    graph.link(graph.current, graph.way_out(graph.frame, "normal"))
    graph.go_on_in(after)
    graph.within(outer)


def _try_except(node: ast.Try | ast.TryStar, scope: Scope) -> None:
    graph = scope.graph
    outer = graph.frame
    if not node.handlers:
        lower_body(node.body, scope)
        lower_body(node.orelse, scope)
        return
    starts, frame = _handlers(node.handlers, scope)
    graph.within(frame)
    lower_body(node.body, scope)
    graph.within(outer)
    lower_body(node.orelse, scope)
    ends = [graph.current]
    for handler, start in zip(node.handlers, starts, strict=True):
        graph.go_on_in(start)
        lower_body(handler.body, scope)
        ends.append(graph.current)
    graph.join(ends)


def _handlers(handlers: list[ast.ExceptHandler], scope: Scope) -> tuple[list[int], Frame]:
    """The first block of each handler, and the frame of the `try` body before them.

    An exception arrives in a block that leads to each handler, and outwards unless one of them catches everything.
    `asyncio.CancelledError` is a `BaseException`: `except Exception` lets it pass.
    https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.CancelledError
    """
    graph = scope.graph
    outer = graph.frame
    starts = []
    ways: dict[Way, int] = {}
    caught = set()
    for handler in handlers:
        types = _caught_types(handler.type, scope)
        if handler.name is not None:
            scope.names.add(handler.name)
        start = graph.new()
        graph.blocks[start].append(Catch(types, handler.name, handler.lineno))
        starts.append(start)
        caught.update([name.rpartition(".")[2] for name in types] or ["BaseException"])
        if not caught.isdisjoint(("BaseException", "CancelledError")):
            ways.setdefault("cancelled", start)
    dispatch = graph.new()
    graph.successors[dispatch] += starts
    if "Exception" not in caught and "BaseException" not in caught:
        graph.link(dispatch, graph.way_out(outer, "error"))
    elif scope.is_async and "cancelled" not in ways:
        graph.link(dispatch, graph.way_out(outer, "cancelled"))
    ways["error"] = dispatch
    return starts, Frame(outer, ways)


def _caught_types(node: ast.expr | None, scope: Scope) -> tuple[str, ...]:
    if node is None:
        return ()
    if isinstance(node, ast.Tuple):
        return tuple([name for item in node.elts for name in _caught_types(item, scope)])
    return (_dotted(lower_expression(node, scope)) or ast.unparse(node),)


def _dotted(value: Expr) -> str:
    """`a.b.c`, or nothing if `value` is not of that form."""
    if type(value) is Name:
        return value.id
    if type(value) is Attr:
        outer = _dotted(value.value)
        return outer and f"{outer}.{value.name}"
    return ""


def _with(node: ast.With | ast.AsyncWith, scope: Scope) -> None:
    graph = scope.graph
    frames = [_enter(item, type(node) is ast.AsyncWith, scope) for item in node.items]
    lower_body(node.body, scope)
    for frame, swallows in reversed(frames):
        assert frame.outer is not None and frame.cleanup is not None
        graph.within(frame.outer)
        frame.cleanup("normal")
        if swallows:
            after = graph.new()
            graph.link(graph.current, after)
            graph.link(frame.ways["error"], after)
            graph.go_on_in(after)


def _enter(item: ast.withitem, is_async: bool, scope: Scope) -> tuple[Frame, bool]:
    graph = scope.graph
    line = item.context_expr.lineno
    value = lower_expression(item.context_expr, scope)
    target = None if item.optional_vars is None else lower_target(item.optional_vars, scope)
    key = scope.make_key()
    graph.steps.append(Enter(value, target, is_async, key, line))

    def leave(way: Way) -> None:
        graph.steps.append(Leave(key, way in ("error", "cancelled"), line))

    frame = Frame(graph.frame, cleanup=leave, varies=True)
    graph.within(frame)
    return frame, _swallows(value)


def _swallows(value: Expr) -> bool:
    """Whether a context manager is known to swallow exceptions: `contextlib.suppress` and `pytest.raises`."""
    if type(value) is not Call:
        return False
    name = _dotted(value.func).rpartition(".")[2]
    return name == "suppress" or name.endswith("raises")


# --- functions and classes -------------------------------------------------------------------------------------------


def _define_function(node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    index = scope.indices.get(node)
    if index is None:
        function = _function(node, scope.qualname, scope)
        index = scope.indices[node] = len(scope.functions)
        scope.functions.append(function)
    scope.names.add(node.name)
    scope.graph.steps.append(Define(node.name, index, False, node.lineno))


def _define_class(node: ast.ClassDef, scope: Scope) -> None:
    index = scope.indices.get(node)
    if index is None:
        lowered = _class(node, scope.qualname, scope)
        index = scope.indices[node] = len(scope.classes)
        scope.classes.append(lowered)
    scope.names.add(node.name)
    scope.graph.steps.append(Define(node.name, index, True, node.lineno))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str, scope: Scope) -> Function:
    """The function `owner.name`. Its decorators, defaults and annotations are evaluated in `scope`, around it."""
    inner = scope.inner(nested(owner, node.name), type(node) is ast.AsyncFunctionDef)
    around, scope.mentions = scope.mentions, inner.mentions
    decorators = tuple([lower_expression(decorator, scope) for decorator in node.decorator_list])
    params = lower_parameters(node.args, scope)
    returns = None if node.returns is None else lower_annotation(node.returns, scope)
    scope.mentions = around
    lower_body(node.body, inner)
    inner.graph.link(inner.graph.current, EXIT)
    scope.mentions |= inner.mentions
    return inner.function(node, params, decorators, returns)


def _class(node: ast.ClassDef, owner: str, scope: Scope) -> Class:
    """A class. The lambdas in its body are among the functions of `scope`, around it."""
    qualname = nested(owner, node.name)
    fields: list[Field] = []
    methods: list[Function] = []
    classes: list[Class] = []
    decorators = tuple([lower_expression(decorator, scope) for decorator in node.decorator_list])
    bases = tuple([lower_expression(base, scope) for base in node.bases])
    keywords = tuple([(name, value) for name, value in lower_keywords(node.keywords, scope) if name is not None])
    for member in _members(node.body):
        match member:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                methods.append(_function(member, qualname, scope))
            case ast.ClassDef():
                classes.append(_class(member, qualname, scope))
            case ast.AnnAssign(target=ast.Name(id=name)):
                value = lower_optional(member.value, scope)
                fields.append(Field(name, lower_annotation(member.annotation, scope), value, member.lineno))
            case ast.Assign():
                value = lower_expression(member.value, scope)
                names = [target.id for target in member.targets if isinstance(target, ast.Name)]
                fields.extend([Field(name, None, value, member.lineno) for name in names])
    end_line = node.end_lineno or node.lineno
    return Class(
        node.name, qualname, node.lineno, end_line, bases, keywords, decorators, tuple(fields), tuple(methods),
        tuple(classes),
    )  # fmt: skip


def _members(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a class body, and those under an `if` or the like."""
    members = []
    for node in body:
        match node:
            case ast.If() | ast.For() | ast.While():
                members += _members(node.body + node.orelse)
            case ast.Try() | ast.TryStar():
                handled = [inner for handler in node.handlers for inner in handler.body]
                members += _members(node.body + handled + node.orelse + node.finalbody)
            case ast.With():
                members += _members(node.body)
            case _:
                members.append(node)
    return members


STATEMENTS: dict[type[ast.stmt], Callable[[Any, Scope], None]] = {
    **STRAIGHT,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.Match: _match,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.FunctionDef: _define_function,
    ast.AsyncFunctionDef: _define_function,
    ast.ClassDef: _define_class,
}
