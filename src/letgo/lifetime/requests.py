"""One request, from its dependencies to the last byte: the order in which FastAPI runs things around an endpoint."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace

from letgo.holds import Event, MisuseKind, Origin, Site, Source, Step, Wait, WaitKind
from letgo.lifetime import callers, calls, construction, effects, finishing, functions, interpret, objects
from letgo.lifetime.analysis import Analysis, Frame
from letgo.lifetime.background import scheduled
from letgo.lifetime.callers import Activation
from letgo.lifetime.dependencies import Dependency, dependencies_of
from letgo.lifetime.endpoints import Endpoint
from letgo.lifetime.external import sessions_within
from letgo.lifetime.facts import Ending, Followed, Streamed
from letgo.lifetime.fastapiusers import UserLookup, user_lookup
from letgo.lifetime.framework import ExitMoment
from letgo.lifetime.sqlalchemy import is_async
from letgo.lifetime.stalls import Stall, stalls
from letgo.lifetime.values import (
    ClassValue,
    FunctionValue,
    Instance,
    Key,
    Lazy,
    Object,
    Partial,
    Response,
    Session,
    Value,
    options,
    sessions_of,
)
from letgo.lifetime.world import CLOSED, OPEN, UNTOUCHED, Chain, State, Traits, World
from letgo.picture import steps
from letgo.source import program as ir
from letgo.source.names import FunctionSymbol

Ends = Callable[[str | None], ExitMoment]
"""When a yield dependency of a scope ends, in the FastAPI version at hand."""


@dataclass(slots=True)
class _Request:
    """A request on its way: what was injected, and what must be taken down again."""

    analysis: Analysis
    endpoint: Endpoint
    frame: Frame
    world: World
    ends: Ends
    solved: dict[Hashable, Value | None] = field(default_factory=dict)
    teardown: list[tuple[Activation | Key, ExitMoment]] = field(default_factory=list)
    solving: set[Hashable] = field(default_factory=set)


def follow_endpoint(analysis: Analysis, endpoint: Endpoint, ends: Ends, pool: int | None) -> None:
    """Follows a request through its endpoint; what is held on the way is noted in the analysis."""
    symbol = endpoint.function
    frame = Frame(analysis, FunctionValue(symbol, None, (), False))
    request = _Request(analysis, endpoint, frame, World({}, {}), ends)
    analysis.memo.note(Followed(frame.site))
    asked = Site(symbol.module.path, symbol.function.line, symbol.function.qualname)
    for dependency in endpoint.dependencies:
        solve(request, dependency, asked, "")
    _bind_parameters(request, asked)
    if symbol.function.is_generator:
        analysis.memo.note(Streamed(frame.site))
    entered = {key for key, state in request.world.sessions.items() if state.is_open}
    for key, state in request.world.sessions.items():
        request.world.sessions[key] = state._replace(committed=False)  # what follows is to tell of the endpoint alone
    interpret.run(frame, [(ir.ENTRY, 0, request.world.copy())])
    exits = list(frame.exits)
    for world in exits:
        _respond(request, world, entered, pool)
    finishing.finish(frame, called=False)
    _note_unused(request)


# --- before the endpoint ---------------------------------------------------------------------------------------------


def _bind_parameters(request: _Request, asked: Site) -> None:
    endpoint, world = request.endpoint, request.world
    symbol = endpoint.function
    injected = dict(dependencies_of(request.analysis.names, symbol.module, symbol.function))
    for param, dependency in injected.items():
        world.bind(param.name, solve(request, dependency, asked, param.name))
    params = list(symbol.function.params)
    if symbol.owner is not None and params:
        attributes = [
            (field.name, solve(request, dependency, asked, field.name)) for field, dependency in endpoint.fields
        ]
        known = tuple(sorted((name, value) for name, value in attributes if value is not None))
        world.bind(params[0].name, Instance(symbol.owner, known))
        params = params[1:]
    for param in params:
        if param not in injected and param.name not in world.env:
            declared = objects.annotation_value(request.analysis, symbol.module, symbol.function, param.annotation)
            if objects.is_session_type(request.analysis, declared) is None:
                world.bind(param.name, objects.injected(declared))


def solve(request: _Request, dependency: Dependency, asked: Site, name: str) -> Value | None:
    """Runs a dependency, unless it ran before with the same scope: FastAPI keeps its value for the request."""
    if dependency.function is not None:
        request.analysis.consult(dependency.module, dependency.function)
    key = _key(dependency)
    if dependency.use_cache and key in request.solved:
        _share(request, request.solved[key], asked)
        return request.solved[key]
    if key in request.solving or len(request.solving) > 20:
        return None
    request.solving.add(key)
    try:
        value = _solve(request, dependency, asked, name)
    finally:
        request.solving.discard(key)
    request.solved[key] = value
    return value


def _key(dependency: Dependency) -> Hashable:
    target = dependency.callable if dependency.callable is not None else dependency.expr
    return id(target), dependency.scope


def _share(request: _Request, value: Value | None, asked: Site) -> None:
    """The endpoint asks for a session that a dependency has asked for before: now it can answer for it, too."""
    if asked == request.frame.site:
        for key in sessions_of(value):
            traits = request.frame.traits.get(key)
            if traits is not None:
                request.frame.traits[key] = traits._replace(source=replace(traits.source, site=asked))


def _solve(request: _Request, dependency: Dependency, asked: Site, name: str) -> Value | None:
    if lookup := user_lookup(request.analysis.names, dependency, _name(dependency)):
        _look_up_user(request, lookup, asked)
        return _by_annotation(request, dependency, asked, name)
    target = _target(request, dependency)
    for option in options(target):
        match option:
            case FunctionValue():
                given = _run_dependency(request, option, dependency, asked)
                if next(iter(sessions_of(given)), None) is None:
                    declared = _by_annotation(request, dependency, asked, name, option)
                    if given is None or isinstance(given, Object) or isinstance(declared, Session):
                        return declared or given
                return given
            case Partial(FunctionValue() as function, arguments, keywords):
                bound = calls.bind(request.analysis, function, calls.Arguments(arguments, dict(keywords), True))
                return _run_dependency(request, function, dependency, asked, bound)
            case Instance(cls, _):
                method = request.analysis.names.find_method(cls, "__call__")
                if method is not None:
                    return _run_dependency(request, FunctionValue(method, option, (), False), dependency, asked)
            case ClassValue():
                return _construct(request, option, dependency, asked)
            case _:
                before = set(request.frame.traits)
                given = calls.apply(request.frame, request.world, option, calls.NO_ARGUMENTS, asked.line)
                if given is not None:
                    _adopt(request, before, _name(dependency), asked)
                    return given
    return _by_annotation(request, dependency, asked, name)


def _look_up_user(request: _Request, lookup: UserLookup, asked: Site) -> None:
    solve(request, lookup.manager, asked, "user_manager")
    began = Chain(lookup.site, (asked,), True, "current_user")
    for key in dict.fromkeys(_sessions_under(request, lookup.manager)):
        effects.arm(request.frame, request.world, key, began)
        state = request.world.sessions[key]
        if state.opened is None or not state.opened.certain:  # the adapter that is given a session may query, too
            request.world.sessions[key] = state._replace(opened=began)


def _sessions_under(request: _Request, dependency: Dependency) -> Iterator[Key]:
    """The sessions that the dependency and those below it have given."""
    yield from sessions_of(request.solved.get(_key(dependency)))
    if isinstance(dependency.callable, FunctionSymbol):
        symbol = dependency.callable
        for _, inner in dependencies_of(request.analysis.names, symbol.module, symbol.function):
            yield from _sessions_under(request, inner)


def _target(request: _Request, dependency: Dependency) -> Value | None:
    analysis = request.analysis
    if isinstance(dependency.expr, ir.Call) and not _is_depends(dependency.expr):
        made = construction.evaluate_around(analysis, dependency.module, None, dependency.expr)
        if isinstance(made, FunctionValue | Partial | Instance):
            return made
    if dependency.callable is not None:
        return objects.symbol_value(analysis, dependency.callable)
    expr = dependency.expr
    if isinstance(expr, ir.Call) and _is_depends(expr):
        given = dict(expr.keywords)
        expr = expr.args[0] if expr.args else given.get("dependency", ir.Const(None))
    return construction.evaluate_around(analysis, dependency.module, None, expr)


def _is_depends(expr: ir.Call) -> bool:
    return isinstance(expr.func, ir.Name | ir.Attr) and (
        getattr(expr.func, "id", "") in ("Depends", "Security")
        or getattr(expr.func, "name", "") in ("Depends", "Security")
    )


def _run_dependency(
    request: _Request,
    value: FunctionValue,
    dependency: Dependency,
    asked: Site,
    given: dict[str, Value] | None = None,
) -> Value | None:
    frame, world, analysis = request.frame, request.world, request.analysis
    symbol = value.symbol
    here = Site(symbol.module.path, symbol.function.line, symbol.function.qualname)
    analysis.definitions[(here.path, here.function)] = here
    bound = dict(given or {})
    for param, inner in dependencies_of(analysis.names, symbol.module, symbol.function):
        solved = solve(request, inner, here, param.name)
        if solved is not None:
            bound[param.name] = solved
    before = set(frame.traits)
    mark = f"{len(request.solved)}."
    yields = symbol.function.is_generator
    activation = functions.execute(frame, world, value, bound, frame.function.line, entering=yields, mark=mark)
    if yields:
        callers.at_yields(frame, world, activation, frame.function.line)
        request.teardown.append((activation, request.ends(dependency.scope)))
        given_value = callers.yields_of(activation)
    else:
        given_value = callers.outward(activation, activation.summary.returns)
    _adopt(request, before, symbol.function.name, asked)
    if isinstance(given_value, Lazy) and given_value.kind == "coroutine":
        given_value = calls.await_value(frame, world, given_value, frame.function.line)
    return given_value


def _construct(request: _Request, value: ClassValue, dependency: Dependency, asked: Site) -> Value | None:
    analysis = request.analysis
    init = analysis.names.find_method(value.symbol, "__init__")
    bound: dict[str, Value | None] = {}
    if init is not None:
        here = Site(init.module.path, init.function.line, init.function.qualname)
        for param, inner in dependencies_of(analysis.names, init.module, init.function):
            bound[param.name] = solve(request, inner, here, param.name)
    before = set(request.frame.traits)
    arguments = calls.Arguments((), bound, False)
    made = calls.apply(request.frame, request.world, value, arguments, request.frame.function.line)
    _adopt(request, before, value.symbol.cls.name, asked)
    return made


def _by_annotation(
    request: _Request, dependency: Dependency, asked: Site, name: str, function: FunctionValue | None = None
) -> Value | None:
    """A dependency that can't be followed gives what the parameter, or the function, is declared as; a session is taken
    to be one of a yield dependency."""
    analysis = request.analysis
    declared = objects.annotation_value(
        analysis, dependency.module, dependency.function or dependency.module.body, dependency.annotation
    )
    if declared is None and function is not None:
        symbol = function.symbol
        declared = objects.annotation_value(analysis, symbol.module, symbol.function, symbol.function.returns)
    dotted = objects.is_session_type(analysis, declared)
    if dotted is None:
        return declared
    key = f"d.{_name(dependency)}.{name}"
    source = Source(Origin.DEPENDENCY, _name(dependency), asked)
    request.frame.traits[key] = Traits(source, is_async(dotted), None, False, True, False, True)
    request.world.sessions[key] = UNTOUCHED
    request.teardown.append((key, request.ends(dependency.scope)))
    return Session(key)


def _name(dependency: Dependency) -> str:
    match dependency.expr:
        case ir.Call(_, (ir.Name(name) | ir.Attr(_, name, _), *_), _, _) | ir.Name(name) | ir.Attr(_, name, _):
            return name
    return "a dependency"


def _adopt(request: _Request, before: set[Key], name: str, asked: Site) -> None:
    """The sessions that a dependency made are the request's."""
    for key, traits in request.frame.traits.items():
        if key not in before and traits.source.origin in (Origin.FACTORY, Origin.CONTEXT):
            request.frame.traits[key] = traits._replace(source=Source(Origin.DEPENDENCY, name, asked), owned=True)


# --- after the endpoint ----------------------------------------------------------------------------------------------


def _respond(request: _Request, world: World, entered: set[Key], pool: int | None) -> None:
    """What happens to a returned value: it is serialised or sent, and the dependencies end before or after that."""
    frame, endpoint = request.frame, request.endpoint
    line = world.return_line or frame.function.end_line
    responses = [option for option in options(world.returned) if isinstance(option, Response)]
    serialised = (
        not responses and not endpoint.sends_as_is and endpoint.kind == "http" and not frame.function.is_generator
    )
    found = list(stalls(frame, world, pool, serialised and bool(endpoint.response_model), entered))
    if serialised:
        _held(request, world, Wait(WaitKind.SERIALISE, "return", frame.at(line)))
    _note_convention(request, world, line)
    _tear_down(request, world, ExitMoment.BEFORE_RESPONSE, line)
    _note_escaped_tasks(request)
    for response in responses:
        if response.kind == "stream":
            _held(request, world, Wait(WaitKind.STREAM, "StreamingResponse", frame.at(line)))
            _stream(request, world, response, line)
        elif response.kind != "template":
            _held(request, world, Wait(WaitKind.BRANCH, "return", frame.at(line)))
    if not responses and endpoint.sends_as_is:
        _held(request, world, Wait(WaitKind.BRANCH, "return", frame.at(line)))
    if endpoint.kind == "http":
        _hold_by_tasks(request, world)
    _tear_down(request, world, ExitMoment.AFTER_RESPONSE, line)
    _note_never_closed(request, world)
    _note_stalls(request, world, found)


def _held(request: _Request, world: World, wait: Wait) -> None:
    """Each session that is still open is held; one that was committed and touched again is a finding of its own."""
    frame = request.frame
    for key, state in world.sessions.items():
        traits = frame.traits.get(key) or request.analysis.shared.get(key)
        if not state.is_open or traits is None or (traits.shared and traits.source.origin is not Origin.ATTRIBUTE):
            continue
        certain = (state.opened is None or state.opened.certain) and effects.DOUBTFUL not in world.env
        if state.committed and wait.kind in (WaitKind.SERIALISE, WaitKind.BRANCH):
            site = state.opened.first if state.opened else wait.site
            certain = certain and state.phases == OPEN
            detail = state.opened.seen_as if state.opened else ""
            request.analysis.misuse(
                MisuseKind.REARMED, frame.site, traits.source, site, certain and traits.certain,
                _opened_again(state), detail,
            )  # fmt: skip
        else:
            effects.hold(frame, key, state.opened, wait, certain)


def _hold_by_tasks(request: _Request, world: World) -> None:
    """Dependencies that have not ended yet end after the background tasks."""
    for key, state in world.sessions.items():
        traits = request.frame.traits.get(key)
        if state.is_open and traits is not None and traits.source.origin is Origin.DEPENDENCY:
            sure = (state.opened is None or state.opened.certain) and effects.DOUBTFUL not in world.env
            for wait, certain in scheduled(world):
                effects.hold(request.frame, key, state.opened, wait, certain and sure)


def _opened_again(state: State) -> tuple[Step, ...]:
    """The commit, the calls down to what begins a new transaction, and that."""
    found = [Step(Event.RELEASED, state.released, "the transaction ends")] if state.released else []
    if state.opened:
        found += steps.calls(state.opened.via, state.opened.site)
        found.append(Step(Event.OPENED, state.opened.site, "a new transaction begins"))
    return tuple(found)


def _stream(request: _Request, world: World, response: Response, line: int) -> None:
    """The body of a stream runs now, after what has ended before the response."""
    frame = request.frame
    for body in options(response.body):
        if isinstance(body, FunctionValue):
            continue
        gone = [
            key
            for key in sessions_within([body])
            if key in frame.traits and world.sessions.get(key, UNTOUCHED).phases == CLOSED
        ]
        for key in gone:
            _escaped(request, key, line, body.function.symbol.function.name if isinstance(body, Lazy) else "")
        if isinstance(body, Lazy) and body.kind == "generator" and not gone:
            symbol = body.function.symbol
            request.analysis.memo.note(Streamed(request.analysis.fixed(symbol.module, symbol.function).site))
            calls.drain(frame, world, body, line, streaming=True)


def _note_escaped_tasks(request: _Request) -> None:
    """A task that was given a session runs after the response: too late for one that has ended before it."""
    frame = request.frame
    ended: set[Key] = set()
    for what, when in request.teardown:
        if when is ExitMoment.BEFORE_RESPONSE:
            ended.update(what.names.values() if isinstance(what, Activation) else (what,))
    for place, part in list(frame.parts.items()):
        if part.wait.kind is WaitKind.TASK and part.key in ended:
            del frame.parts[place]
            via, site = part.wait.via, part.wait.site
            trail = (*steps.calls(via, site), Step(Event.NOTE, site, steps.describe_misuse(MisuseKind.ESCAPES_SCOPE)))
            _escaped(request, part.key, (*via, site)[0].line, part.wait.what, trail)


def _escaped(request: _Request, key: Key, line: int, user: str, trail: tuple[Step, ...] = ()) -> None:
    traits, frame = request.frame.traits[key], request.frame
    request.analysis.misuse(
        MisuseKind.ESCAPES_SCOPE, frame.site, traits.source, frame.at(line), traits.certain, trail, user
    )


def _tear_down(request: _Request, world: World, moment: ExitMoment, line: int) -> None:
    for what, when in reversed(request.teardown):
        if when is not moment:
            continue
        if isinstance(what, Activation):
            functions.resume(request.frame, world, what, line, False)
        else:
            effects.close(request.frame, world, what, line)


def _note_never_closed(request: _Request, world: World) -> None:
    """A dependency gave a session, and neither it nor the endpoint closes it."""
    for key, state in world.sessions.items():
        traits = request.frame.traits.get(key)
        if traits is None or not state.is_open or traits.source.origin is not Origin.DEPENDENCY:
            continue
        if traits.owned and traits.certain:
            request.analysis.misuse(
                MisuseKind.NEVER_CLOSED, request.frame.site, traits.source, traits.source.site, True
            )


def _note_stalls(request: _Request, world: World, found: list[Stall]) -> None:
    """`world` is that after the response: it knows where each session was let go at last."""
    frame = request.frame
    for stall in found:
        end = world.sessions[stall.key].released if stall.key in world.sessions else None
        trail = (*_opening(stall.opened, frame.site),)
        if end:
            trail += (Step(Event.RELEASED, end, f"only `{end.function}` lets go, afterwards"),)
        traits = frame.traits[stall.key]
        request.analysis.misuse(
            stall.kind, frame.site, traits.source, frame.site, stall.certain, trail, str(stall.users or "")
        )


def _opening(opened: Chain | None, function: Site) -> Iterator[Step]:
    if opened is not None:
        yield from steps.calls(opened.via, opened.site, function)
        yield Step(Event.OPENED, opened.site, "the transaction begins")


def _note_unused(request: _Request) -> None:
    """A session that the endpoint asks for and never names."""
    function = request.frame.function
    for param in function.params:
        value = request.world.env.get(param.name)
        if isinstance(value, Session) and param.name not in function.mentions and not param.name.startswith("_"):
            traits = request.frame.traits_of(value.key)
            request.analysis.misuse(
                MisuseKind.UNUSED, request.frame.site, traits.source, request.frame.site, True, detail=param.name
            )


def _note_convention(request: _Request, world: World, line: int) -> None:
    """The convention: a handler commits and closes the session that it asked for on every path before it returns. A
    path that has rolled back has nothing to commit."""
    frame = request.frame
    for param in frame.function.params:
        value = request.world.env.get(param.name)
        if not isinstance(value, Session) or param.name not in frame.function.mentions or param.name.startswith("_"):
            continue
        state = world.sessions.get(value.key, UNTOUCHED)
        traits = frame.traits_of(value.key)
        ended, closed = state.committed or (state.expired and not state.is_open), state.phases == CLOSED
        request.analysis.memo.note(
            Ending(
                frame.site, param.name, traits.source, line, state.is_open, ended, closed, state.dirty,
                traits.is_async, traits.expire_on_commit,
            )
        )  # fmt: skip
        if missing := [name for name, done in (("commit", ended), ("close", closed)) if not done]:
            request.analysis.misuse(
                MisuseKind.CONVENTION, frame.site, traits.source, frame.at(line), True, detail=" and ".join(missing)
            )
