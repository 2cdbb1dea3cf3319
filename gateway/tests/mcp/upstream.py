"""The fixture of the conformance suite, and what the suite does not ask for: run with `python -m`, like that."""

import asyncio
import json
from typing import Any

from gateway.conformance.fixture import MODERN, Asked, answers, lowlevel, main, server, text
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    Annotations,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestURLParams,
    Icon,
    InputRequiredResult,
    ListRootsRequest,
    ModelHint,
    ModelPreferences,
    NotificationParams,
    ResourceLink,
    SamplingMessage,
    TextContent,
    ToolAnnotations,
)

ICONS = [Icon(src="https://example.com/icon.png", mime_type="image/png", sizes=["48x48"])]
ANNOTATIONS = Annotations(audience=["user"], priority=0.25, last_modified="2026-01-02T03:04:05Z")
META = {"example.com/kept": {"deep": [1, 1.5, None, "é"]}}
happened: dict[str, int] = {"cancelled": 0, "roots changed": 0}


@server.tool(
    title="Annotated",
    annotations=ToolAnnotations(title="A", read_only_hint=True, open_world_hint=False),
    icons=ICONS,
    meta=META,
)
def annotated(place: str = "Oslo") -> CallToolResult:
    """Says all that can be said beside an answer."""
    link = ResourceLink(uri="test://annotated", name="annotated", size=7, annotations=ANNOTATIONS, _meta=META)
    said = TextContent(type="text", text="ünïcode \u2028 line", annotations=ANNOTATIONS, _meta=META)
    kept = {"place": place, "much": 10**20, "exact": 0.1, "list": [None, True, {"b": 1, "a": 2}]}
    return CallToolResult(content=[said, link], structured_content=kept, _meta=META)


@server.resource("test://annotated", title="T", annotations=ANNOTATIONS, icons=ICONS, meta=META, mime_type="text/plain")
def annotated_resource() -> str:
    """Has all that a resource can have."""
    return "annotated"


@server.prompt(title="T", icons=ICONS)
def annotated_prompt(name: str, tone: str = "kind") -> list[UserMessage]:
    """Has all that a prompt can have."""
    return [UserMessage(role="user", content=TextContent(type="text", text=f"{name}, {tone}", annotations=ANNOTATIONS))]


@server.tool()
def told_beside(ctx: Context) -> str:
    """What has come in `_meta`, but for what each request has."""
    meta: dict[str, Any] = dict(ctx.request_context.meta or {})
    return json.dumps({name: value for name, value in meta.items() if not name.startswith("io.model")}, sort_keys=True)


@server.tool()
async def logs_each_level(ctx: Context) -> str:
    """Logs an object at three levels."""
    for level in ("debug", "warning", "critical"):
        await ctx.log(level, {"at": level}, logger_name="fixture")  # type: ignore[arg-type]
    return "logged"


@server.tool()
async def works_until_cancelled(ctx: Context) -> str:
    """Says that it works, and then works until nobody wants it to any more."""
    try:
        await ctx.report_progress(1, 2, "working")
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        happened["cancelled"] += 1
        raise
    return "never"


@server.tool()
def what_happened() -> str:
    """What has happened so far."""
    return json.dumps(happened)


@server.tool()
async def speaks_unasked(ctx: Context) -> str:
    """Says two things outside of this call, as far as its revision lets it."""
    if ctx.protocol_version != MODERN:
        await ctx.session.send_elicit_complete("e1")
    return "spoken"


@server.tool()
async def waits_for_someone(ctx: Context) -> str:
    """Says something, waits until someone lets it go on, and says more."""
    await ctx.report_progress(1, 3)
    async with asyncio.timeout(120):
        await let_go_on.wait()
    await ctx.report_progress(2, 3)
    await ctx.report_progress(3, 3)
    return "waited"


@server.tool()
async def go_on() -> str:
    """Lets who waits go on."""
    let_go_on.set()
    await asyncio.sleep(0)
    let_go_on.clear()
    return "gone on"


let_go_on = asyncio.Event()

SAMPLING = CreateMessageRequest(
    params=CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=text("hi"))],
        max_tokens=7,
        system_prompt="Be brief",
        temperature=0.25,
        stop_sequences=["."],
        model_preferences=ModelPreferences(hints=[ModelHint(name="small")], cost_priority=0.5),
        metadata={"a": {"b": 1}},
    )
)
VISIT = ElicitRequest(
    params=ElicitRequestURLParams(message="Go there", url="https://example.com/go?a=1", elicitation_id="e1")
)
QUESTIONS: dict[str, Asked] = {"sampling": SAMPLING, "visit": VISIT, "roots": ListRootsRequest()}


@server.tool()
async def asks(question: str, ctx: Context) -> str | InputRequiredResult:
    """Asks the client, and says what it answered."""
    found = await answers(ctx, **{question: QUESTIONS[question]})
    if isinstance(found, InputRequiredResult):
        return found
    return found[question].model_dump_json(by_alias=True, exclude_none=True)


async def roots_changed(ctx: object, params: NotificationParams) -> None:
    happened["roots changed"] += 1


lowlevel.add_notification_handler("notifications/roots/list_changed", NotificationParams, roots_changed)


if __name__ == "__main__":
    main()
