"""From what a client asks for to where it is: an upstream, or the gateway itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from letgo_gateway.mcp.protocol import LEGACY_NOT_FOUND
from letgo_gateway.mcp.view import View
from letgo_gateway.registry.catalogue import Agent, PublishedPrompt, PublishedResource, RestEndpoint, Upstream
from letgo_gateway.upstreams.calls import Era
from letgo_gateway.upstreams.messages import INVALID_PARAMS, METHOD_NOT_FOUND, Failure, Member, Members, Message, dumps
from letgo_gateway.upstreams.modern import param_headers


@dataclass(frozen=True, slots=True)
class OnUpstream:
    """A request for an upstream, with the names that it knows."""

    upstream: Upstream
    params: Members
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OnEndpoint:
    """A tool that is a REST endpoint or an agent."""

    source: RestEndpoint | Agent
    definition: Mapping[str, Any]
    arguments: Mapping[str, Any]


Place = OnUpstream | OnEndpoint | PublishedPrompt | PublishedResource
"""The last two are the gateway's own."""

NO_HEADERS: Mapping[str, str] = {}


def place(view: View, message: Message, era: Era) -> Place:
    """Where a request leads. Raises `Failure` if nothing of that name is in view."""
    params = message.params or {}
    match message.method:
        case "tools/call":
            return _tool(view, params)
        case "prompts/get":
            return _prompt(view, params)
        case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
            return _resource(view, params, era)
        case "completion/complete":
            return _completion(view, params, era)
    raise Failure(METHOD_NOT_FOUND, f"Method not found: {message.method}")


def _tool(view: View, params: Members) -> Place:
    name = _text(params, "name")
    if (found := view.tools.get(name)) is None:
        raise Failure(INVALID_PARAMS, f"Unknown tool: {name}")
    route, definition = found
    arguments = params["arguments"].value if "arguments" in params else {}
    if not isinstance(arguments, dict):
        raise Failure(INVALID_PARAMS, "arguments must be an object")
    if not isinstance(route.source, Upstream):
        return OnEndpoint(route.source, definition, arguments)
    headers = param_headers(route.mirrored, arguments) if route.mirrored else NO_HEADERS
    return OnUpstream(route.source, _renamed(params, name, route.name), headers)


def _prompt(view: View, params: Members) -> Place:
    name = _text(params, "name")
    if (found := view.prompts.get(name)) is None:
        raise Failure(INVALID_PARAMS, f"Unknown prompt: {name}")
    prompt = found[0]
    if prompt.source is None:
        return prompt
    return OnUpstream(prompt.source, _renamed(params, name, prompt.name), NO_HEADERS)


def _resource(view: View, params: Members, era: Era) -> Place:
    uri = _text(params, "uri")
    if (found := view.resource(uri)) is None:
        code = LEGACY_NOT_FOUND if era == "legacy" else INVALID_PARAMS
        raise Failure(code, "Resource not found", {"uri": uri})
    return found.resource if found.source is None else OnUpstream(found.source, params, NO_HEADERS)


def _completion(view: View, params: Members, era: Era) -> Place:
    """The upstream of the prompt or template whose argument is to be completed."""
    ref = params["ref"].value if "ref" in params else None
    if not isinstance(ref, dict):
        raise Failure(INVALID_PARAMS, "ref must be an object")
    if ref.get("type") == "ref/prompt":
        name = str(ref.get("name"))
        found = _prompt(view, {"name": Member(name, dumps(name))})
        if isinstance(found, PublishedPrompt):
            return found
        assert isinstance(found, OnUpstream)
        own = found.params["name"].value
        return OnUpstream(found.upstream, {**params, "ref": _member({**ref, "name": own})}, NO_HEADERS)
    uri = str(ref.get("uri"))
    if (template := view.templates.get(uri)) is not None:
        return template if template.source is None else OnUpstream(template.source, params, NO_HEADERS)
    found = _resource(view, {"uri": _member(uri)}, era)
    return OnUpstream(found.upstream, params, NO_HEADERS) if isinstance(found, OnUpstream) else found


def _text(params: Members, name: str) -> str:
    found = params[name].value if name in params else None
    if not isinstance(found, str):
        raise Failure(INVALID_PARAMS, f"{name} must be a string")
    return found


def _renamed(params: Members, listed: str, own: str) -> Members:
    return params if listed == own else {**params, "name": _member(own)}


def _member(value: object) -> Member:
    return Member(value, dumps(value))
