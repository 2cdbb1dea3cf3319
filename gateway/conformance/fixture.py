"""The MCP server that the conformance suite is run against, directly and through the gateway.

What the suite asks for is there under the names that the suite gives it; the rest is the `mcp` SDK's business.
"""

import argparse
import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    INVALID_REQUEST,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    UNSUPPORTED_PROTOCOL_VERSION,
    AudioContent,
    Completion,
    CompletionArgument,
    CompletionContext,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    JSONRPCMessage,
    ListRootsRequest,
    ListRootsResult,
    PromptReference,
    ResourceTemplateReference,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(
    b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    b"data\x02\x00\x00\x00\x00\x00"
).decode()
STEP = 0.02
MODERN = "2026-07-28"

server = MCPServer(
    name="conformance-fixture",
    version="1.0.0",
    request_state_security=RequestStateSecurity(keys=[b"a key that is as long as it must be, and no secret"]),
)
lowlevel = server._lowlevel_server


def text(said: str) -> TextContent:
    return TextContent(type="text", text=said)


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def form_of(message: str, schema: type[BaseModel]) -> ElicitRequestFormParams:
    return ElicitRequestFormParams(message=message, requested_schema=schema.model_json_schema())


def form(message: str, **properties: dict[str, Any]) -> ElicitRequest:
    schema = object_schema(**properties)
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def question(said: str, tokens: int) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=text(said))]
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=messages, max_tokens=tokens))


NAME: dict[str, Any] = {"name": {"type": "string"}}


# What a tool may answer with.


@server.tool()
def test_simple_text() -> str:
    """Answers with text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> list[ImageContent]:
    """Answers with an image."""
    return [ImageContent(type="image", data=PIXEL, mime_type="image/png")]


@server.tool()
def test_audio_content() -> list[AudioContent]:
    """Answers with sound."""
    return [AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]


def embedded(uri: str, mime_type: str, said: str) -> EmbeddedResource:
    resource = TextResourceContents(uri=uri, mime_type=mime_type, text=said)
    return EmbeddedResource(type="resource", resource=resource)


@server.tool()
def test_embedded_resource() -> list[EmbeddedResource]:
    """Answers with a resource in the answer itself."""
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@server.tool()
def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Answers with several kinds of content."""
    return [
        text("Multiple content types test:"),
        ImageContent(type="image", data=PIXEL, mime_type="image/png"),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]


@server.tool()
def test_error_handling() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


class Reading(BaseModel):
    celsius: float
    place: str


@server.tool()
def structured(place: str) -> Reading:
    """Answers with an object, and says its schema."""
    return Reading(celsius=21.5, place=place)


@server.tool()
async def slow(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "done"


# What a tool may say before it answers.


async def tell_steps(ctx: Context, *steps: str) -> None:
    for step in steps:
        await ctx.info(step)
        await asyncio.sleep(STEP)


@server.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs three times."""
    await tell_steps(ctx, "Tool execution started", "Tool processing data", "Tool execution completed")
    return "Tool with logging executed successfully"


@server.tool()
async def test_logging_tool(ctx: Context) -> str:
    """Logs, for who wants to see it."""
    await tell_steps(ctx, "one", "two")
    return "logged"


@server.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Reports its progress three times."""
    for done in (0, 50, 100):
        await ctx.report_progress(progress=done, total=100, message=f"Completed step {done} of 100")
        await asyncio.sleep(STEP)
    return "Progress was reported"


@server.tool()
async def test_reconnection(ctx: Context) -> str:
    """Closes its stream in the middle of a call, to be asked for the rest."""
    await ctx.info("Before disconnect")
    await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    await ctx.info("After reconnect")
    return "Reconnection test completed"


# What a tool may ask of the client: in the way of the revision that is spoken.

Answers = Mapping[str, ElicitResult | CreateMessageResult | ListRootsResult]
Asked = ElicitRequest | CreateMessageRequest | ListRootsRequest


async def answers(ctx: Context, state: str | None = None, **requests: Asked) -> Answers | InputRequiredResult:
    """The client's answers: those that have come with the request, or that it gives now, or it is told to bring."""
    if ctx.protocol_version != MODERN:
        return {key: await answer(ctx, request) for key, request in requests.items()}
    if requests.keys() <= (ctx.input_responses or {}).keys():
        return dict(ctx.input_responses or {})
    return InputRequiredResult(input_requests=requests, request_state=state)


async def answer(ctx: Context, request: Asked) -> ElicitResult | CreateMessageResult | ListRootsResult:
    """Ask in the stream of the request; for roots, in that of what comes unasked."""
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    match request:
        case ElicitRequest():
            return await ctx.session.send_request(request, ElicitResult, metadata=related)
        case CreateMessageRequest():
            return await ctx.session.send_request(request, CreateMessageResult, metadata=related)
    return await ctx.session.list_roots()


def said_in(found: Answers, key: str) -> str:
    """The text of an answer of the client's model."""
    result = found[key]
    assert isinstance(result, CreateMessageResult)
    return result.content.text if result.content.type == "text" else "?"


def entered(found: Answers, key: str) -> dict[str, Any]:
    """What a user has entered."""
    result = found[key]
    assert isinstance(result, ElicitResult)
    return dict(result.content or {})


@server.tool()
async def test_sampling(prompt: str, ctx: Context) -> str | InputRequiredResult:
    """Asks the client's model."""
    found = await answers(ctx, said=question(prompt, 100))
    return found if isinstance(found, InputRequiredResult) else f"LLM response: {said_in(found, 'said')}"


async def elicited(ctx: Context, prefix: str, message: str, schema: type[BaseModel]) -> str | InputRequiredResult:
    found = await answers(ctx, form=ElicitRequest(params=form_of(message, schema)))
    if isinstance(found, InputRequiredResult):
        return found
    result = found["form"]
    assert isinstance(result, ElicitResult)
    return f"{prefix}: action={result.action}, content={json.dumps(result.content or {})}"


class Said(BaseModel):
    response: str = Field(description="What the user says")


@server.tool()
async def test_elicitation(message: str, ctx: Context) -> str | InputRequiredResult:
    """Asks the user."""
    return await elicited(ctx, "User response", message, Said)


@server.tool()
async def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Asks the user."""
    return await elicited(ctx, "User response", "What do you say?", Said)


class Defaults(BaseModel):
    name: str = Field(default="John Doe")
    age: int = Field(default=30)
    score: float = Field(default=95.5)
    status: str = Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = Field(default=True)


@server.tool()
async def test_elicitation_sep1034_defaults(ctx: Context) -> str | InputRequiredResult:
    """Asks the user, with answers to begin with."""
    return await elicited(ctx, "Elicitation completed", "Who are you?", Defaults)


def titled(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


class Choices(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": titled(value1="First", value2="Second", value3="Third")})
    legacyEnum: str = Field(
        json_schema_extra={"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
    )
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": titled(value1="First", value2="Second")}})


@server.tool()
async def test_elicitation_sep1330_enums(ctx: Context) -> str | InputRequiredResult:
    """Asks the user to choose."""
    return await elicited(ctx, "Elicitation completed", "Choose", Choices)


@server.tool()
async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Asks for a name."""
    found = await answers(ctx, user_name=form("What is your name?", **NAME))
    return found if isinstance(found, InputRequiredResult) else f"Hello, {entered(found, 'user_name').get('name')}!"


@server.tool()
async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
    """Asks the client's model."""
    found = await answers(ctx, capital_question=question("What is the capital of France?", 100))
    return found if isinstance(found, InputRequiredResult) else f"Model said: {said_in(found, 'capital_question')}"


@server.tool()
async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
    """Asks for the client's roots."""
    found = await answers(ctx, client_roots=ListRootsRequest())
    if isinstance(found, InputRequiredResult):
        return found
    result = found["client_roots"]
    assert isinstance(result, ListRootsResult)
    return f"Roots: {', '.join(str(root.uri) for root in result.roots)}"


CONFIRM = {"ok": {"type": "boolean"}}


@server.tool()
async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    """Asks, and wants its state back."""
    found = await answers(ctx, "asked once", confirm=form("Go on?", **CONFIRM))
    return found if isinstance(found, InputRequiredResult) else "state-ok"


@server.tool()
async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
    """Asks, and wants its state back unchanged: the SDK sees to it."""
    found = await answers(ctx, "asked once", confirm=form("Go on?", **CONFIRM))
    return found if isinstance(found, InputRequiredResult) else "state-ok"


@server.tool()
async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
    """Asks for three things at once."""
    name, greeting = form("What is your name?", **NAME), question("Write a greeting", 50)
    found = await answers(ctx, "asked", user_name=name, greeting=greeting, client_roots=ListRootsRequest())
    return found if isinstance(found, InputRequiredResult) else "All inputs received"


@server.tool()
async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    """Asks twice, one after the other."""
    state = json.loads(ctx.request_state) if ctx.request_state else {}
    name = state.get("name")
    if name is None:
        found = await answers(ctx, json.dumps({"round": 1}), step1=form("What is your name?", **NAME))
        if isinstance(found, InputRequiredResult):
            return found
        name = entered(found, "step1").get("name")
    color = form("Which color do you like?", color={"type": "string"})
    found = await answers(ctx, json.dumps({"round": 2, "name": name}), step2=color)
    return found if isinstance(found, InputRequiredResult) else f"{name} likes {entered(found, 'step2').get('color')}"


@server.tool()
async def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
    """Asks for what the client has said it can do."""
    able = ctx.client_capabilities
    requests: dict[str, Asked] = {}
    if able is not None and able.sampling is not None:
        requests["greeting"] = question("Write a greeting", 50)
    if able is not None and able.elicitation is not None:
        requests["name"] = form("What is your name?", **NAME)
    found = await answers(ctx, "asked", **requests)
    return found if isinstance(found, InputRequiredResult) else f"{len(found)} answers"


@server.tool()
async def test_missing_capability(ctx: Context) -> str:
    """Needs a client that can be asked for samples."""
    able = ctx.session.client_capabilities
    if able is None or able.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "the client must be able to sample", needed)
    return "The client can sample"


# Schemas, headers, and lists that change.

SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@server.tool()
def json_schema_2020_12_tool() -> str:
    """Has a schema with much of what JSON Schema 2020-12 has."""
    return "called"


# The SDK makes schemas of signatures, and has no public way to give one.
server._tool_manager._tools["json_schema_2020_12_tool"].parameters = SCHEMA_2020_12


@server.tool()
def test_x_mcp_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none") -> str:
    """Has an argument that goes into a header too."""
    return f"region={region}"


def passing() -> str:
    """There for a moment."""
    return "passing"


@server.tool()
async def test_trigger_tool_change(ctx: Context) -> str:
    """Changes the list of tools, and says so."""
    server.add_tool(passing, name="test_passing_tool")
    server.remove_tool("test_passing_tool")
    await ctx.notify_tools_changed()
    if ctx.protocol_version != MODERN:
        await ctx.session.send_tool_list_changed()
    return "changed"


@server.tool()
async def test_trigger_prompt_change(ctx: Context) -> str:
    """Changes the list of prompts, and says so."""
    server.add_prompt(Prompt.from_function(passing, name="test_passing_prompt", description="passing"))
    server.remove_prompt("test_passing_prompt")
    await ctx.notify_prompts_changed()
    if ctx.protocol_version != MODERN:
        await ctx.session.send_prompt_list_changed()
    return "changed"


@server.tool()
async def touch(ctx: Context) -> str:
    """Says that the watched resource has changed."""
    await ctx.notify_resource_updated("test://watched-resource")
    if watchers:
        await ctx.session.send_resource_updated("test://watched-resource")
    return "touched"


# Resources, prompts, completion, and the requests of old revisions.


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """Always the same text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """Always the same bytes."""
    return base64.b64decode(PIXEL)


@server.resource("test://template/{id}/data", mime_type="application/json")
def from_template(id: str) -> str:
    """One for each id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """One to be watched."""
    return "watched"


def message(content: TextContent | EmbeddedResource | ImageContent) -> UserMessage:
    return UserMessage(role="user", content=content)


@server.prompt()
def test_simple_prompt() -> list[UserMessage]:
    """Takes no arguments."""
    return [message(text("This is a simple prompt for testing."))]


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """Takes two arguments."""
    return [message(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    """Has a resource in it."""
    return [message(embedded(resourceUri, "text/plain", "Embedded.")), message(text("Please process the resource."))]


@server.prompt()
def test_prompt_with_image() -> list[UserMessage]:
    """Has an image in it."""
    image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
    return [message(image), message(text("Please analyze the image."))]


@server.prompt()
async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | InputRequiredResult:
    """Asks before it answers."""
    found = await answers(ctx, user_context=form("In what context?", context={"type": "string"}))
    if isinstance(found, InputRequiredResult):
        return found
    return [message(text(f"Context: {entered(found, 'user_context').get('context')}"))]


@server.completion()
async def complete(
    ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, context: CompletionContext | None
) -> Completion:
    """Completes whatever begins like one of a few words."""
    words = [word for word in ("paris", "park", "party") if word.startswith(argument.value)]
    return Completion(values=words, total=len(words), has_more=False)


watchers: set[str] = set()


async def set_level(ctx: object, params: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()


async def subscribe(ctx: object, params: SubscribeRequestParams) -> EmptyResult:
    watchers.add(str(params.uri))
    return EmptyResult()


async def unsubscribe(ctx: object, params: UnsubscribeRequestParams) -> EmptyResult:
    watchers.discard(str(params.uri))
    return EmptyResult()


lowlevel.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)


class Events(EventStore):
    """What was sent on each stream, for who comes back for the rest."""

    def __init__(self) -> None:
        self._sent: list[tuple[StreamId, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        self._sent.append((stream_id, message))
        return str(len(self._sent))

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        last = int(last_event_id)
        stream = self._sent[last - 1][0]
        for number, (of, sent) in enumerate(self._sent[last:], last + 1):
            if of == stream and sent is not None:
                await send_callback(EventMessage(sent, str(number)))
        return stream


def with_eras(app: ASGIApp) -> ASGIApp:
    """The server at `/mcp`; at `/legacy/mcp` and `/modern/mcp` it refuses what the other era says."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        era, _, rest = scope.get("path", "").removeprefix("/").partition("/")
        if era not in ("legacy", "modern"):
            await app(scope, receive, send)
            return
        version = dict(scope["headers"]).get(b"mcp-protocol-version", b"").decode()
        if (version == MODERN) == (era == "modern"):
            await app({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)
            return
        code = UNSUPPORTED_PROTOCOL_VERSION if era == "modern" else INVALID_REQUEST
        error: dict[str, Any] = {"code": code, "message": f"Bad Request: Unsupported protocol version: {version}"}
        if era == "modern":
            error["data"] = {"supported": [MODERN], "requested": version}
        await JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)(scope, receive, send)

    return served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output instead")
    options = parser.parse_args()
    if options.stdio:
        server.run(transport="stdio")
    else:
        app = server.streamable_http_app(event_store=Events(), retry_interval=100)
        uvicorn.run(with_eras(app), port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
