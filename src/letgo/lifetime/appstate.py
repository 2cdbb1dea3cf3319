"""What code keeps on `request.state` and `app.state`: a session that a middleware opened, a factory made at start-up.

https://www.starlette.io/applications/#storing-state-on-the-app-instance
"""

from letgo.holds import Origin, Site, Source
from letgo.lifetime import sessiontypes
from letgo.lifetime.analysis import Analysis
from letgo.lifetime.values import Factory, Session, Value
from letgo.lifetime.world import Traits
from letgo.source.program import Assign, Attr
from letgo.source.walk import Place, places


def is_state(dotted: str) -> bool:
    """Whether it is the `state` of a request, a WebSocket or an application."""
    return dotted.endswith(".state") and dotted.startswith(("fastapi.", "starlette."))


def kept(analysis: Analysis, name: str) -> Value | None:
    """The session or factory that some function puts on a `state` under this name."""
    if analysis.states is None:
        analysis.states = {}
        for place in places(analysis.names, mentioning={"state"}):
            for block in place.function.blocks:
                for step in block.steps:
                    match step:
                        case Assign(Attr(Attr(_, "state", _), attribute, _)) if attribute not in analysis.states:
                            analysis.keepers.append(place)
                            value = _assigned(analysis, place, attribute, step)
                            if value is not None:
                                analysis.states[attribute] = value
    for keeper in analysis.keepers:
        analysis.consult(keeper.module, keeper.function)
    return analysis.states.get(name)


def _assigned(analysis: Analysis, place: Place, name: str, step: Assign) -> Value | None:
    names, module, function = analysis.names, place.module, place.function
    if sessiontypes.is_session(names, module, function, step.value, set()):
        key = f"g:state.{name}"
        source = Source(Origin.ATTRIBUTE, f"request.state.{name}", Site(module.path, step.line, function.qualname))
        analysis.shared[key] = Traits(source, False, None, False, False, True, True)
        return Session(key)
    if sessiontypes.makes_sessions(names, module, function, step.value, set()):
        return Factory(name, False, None, False, False)
    return None
