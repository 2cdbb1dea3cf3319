"""What upstreams told becomes entries, and what is published to whom."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from gateway.tests.serving import Caller, RunningGateway

from letgo_gateway.errors import NotFound
from letgo_gateway.registry.catalogue import Catalogue, RestEndpoint, Upstream

Definitions = tuple[Mapping[str, Any], ...]
URL = "http://127.0.0.1:9/mcp"


@dataclass(frozen=True)
class Offer:
    protocol: str = "2025-11-25"
    capabilities: Mapping[str, Any] = field(default_factory=lambda: {"tools": {"listChanged": True}})
    server_info: Mapping[str, Any] = field(default_factory=lambda: {"name": "weather"})
    instructions: str | None = None
    tools: tuple[Mapping[str, Any], ...] = (
        {"name": "b", "inputSchema": {}, "x-odd": [1]},
        {"name": "a", "inputSchema": {}},
    )
    resources: Definitions = ({"uri": "note://1", "name": "one"},)
    templates: Definitions = ({"uriTemplate": "note://{id}", "name": "any"},)
    prompts: Definitions = ({"name": "greet"},)


def told(gateway: RunningGateway, gateway_id: str, offer: Offer) -> None:
    upstream = next(one for one in inside(gateway, gateway.rooms.catalogues.upstreams) if one.id == gateway_id)
    inside(gateway, gateway.rooms.ledger.found, upstream, offer)


def inside(gateway: RunningGateway, work: Any, *arguments: Any) -> Any:
    assert gateway.client.portal is not None
    return gateway.client.portal.call(work, *arguments)


def published(gateway: RunningGateway, caller: Caller, server: str | None = None) -> Catalogue:
    async def ask() -> Catalogue:
        principal = await gateway.rooms.authenticate({"authorization": f"Bearer {caller.token}"})
        return await gateway.rooms.catalogues.published(server, principal)

    found: Catalogue = inside(gateway, ask)
    return found


def test_what_an_upstream_told_is_published_untouched_in_the_order_of_names(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    upstream = ann.post("/gateways", {"name": "weather", "url": URL, "tags": ["x"]})
    told(gateway, upstream["id"], Offer())
    catalogue = published(gateway, ann)
    assert [tool.definition for tool in catalogue.tools] == [Offer().tools[1], Offer().tools[0]]
    assert [(one.uri, one.template) for one in catalogue.resources] == [("note://{id}", True), ("note://1", False)]
    assert [prompt.name for prompt in catalogue.prompts] == ["greet"]
    assert all(isinstance(tool.source, Upstream) and tool.source.id == upstream["id"] for tool in catalogue.tools)
    assert [one.name for one in catalogue.upstreams] == ["weather"]
    assert published(gateway, ann) is catalogue, "it is made once"
    assert published(gateway, gateway.user("bob")).tools == ()
    seen = ann.get(f"/gateways/{upstream['id']}")
    assert (seen["protocol"], seen["server_info"]) == ("2025-11-25", {"name": "weather"})


def test_definitions_keep_the_order_of_their_keys_and_the_digits_of_their_numbers(gateway: RunningGateway) -> None:
    properties = {"zone": {"type": "number", "maximum": 1.0}, "at": {"type": "integer", "default": 10**30}, "b": {}}
    tool = {"title": "T", "name": "t", "inputSchema": {"type": "object", "properties": properties, "$defs": {}}}
    prompt = {"title": "P", "name": "p", "arguments": [{"required": True, "name": "x"}]}
    ann = gateway.user("ann")
    upstream = ann.post("/gateways", {"name": "weather", "url": URL})["id"]

    def listed() -> list[str]:
        catalogue = published(gateway, ann)
        return [json.dumps(one.definition) for one in (*catalogue.tools, *catalogue.prompts)]

    told(gateway, upstream, replace(Offer(), tools=(tool,), prompts=(prompt,)))
    assert listed() == [json.dumps(tool), json.dumps(prompt)]
    turned = dict(reversed(tool.items()))
    told(gateway, upstream, replace(Offer(), tools=(turned,), prompts=(prompt,)))
    assert listed() == [json.dumps(turned), json.dumps(prompt)]
    ann.post("/prompts", {"name": "q", "messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}]})
    messages = published(gateway, ann).prompts[1].messages
    assert json.dumps(messages[0]) == '{"role": "user", "content": {"type": "text", "text": "hi"}}'


def test_the_same_told_again_changes_nothing_and_a_difference_only_what_differs(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    upstream = ann.post("/gateways", {"name": "weather", "url": URL})["id"]
    told(gateway, upstream, Offer())
    before = dict(gateway.rooms.changes.versions)
    tools = {tool["name"]: tool for tool in ann.get("/tools")["items"]}
    ann.patch(f"/tools/{tools['a']['id']}", {"version": 1, "tags": ["kept"]})
    told(gateway, upstream, Offer())
    assert gateway.rooms.changes.versions["resources"] == before["resources"]
    changed = ({"name": "a", "description": "better", "inputSchema": {}}, {"name": "c", "inputSchema": {}})
    told(gateway, upstream, replace(Offer(), tools=changed))
    now = {tool["name"]: tool for tool in ann.get("/tools")["items"]}
    assert set(now) == {"a", "c"}
    assert (now["a"]["id"], now["a"]["tags"], now["a"]["description"]) == (tools["a"]["id"], ["kept"], "better")
    assert gateway.rooms.changes.versions["resources"] == before["resources"]
    assert gateway.rooms.changes.versions["tools"] > before["tools"]


def test_an_entry_of_an_upstream_is_the_upstreams_but_for_who_sees_it(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    upstream = ann.post("/gateways", {"name": "weather", "url": URL})["id"]
    told(gateway, upstream, Offer())
    tool = ann.get("/tools")["items"][0]
    refused = ann.patch(f"/tools/{tool['id']}", {"version": 1, "name": "mine", "url": "https://x.example"}, expect=422)
    assert refused["detail"] == "its upstream says what these are: name, url"
    assert ann.patch(f"/tools/{tool['id']}", {"version": 1, "visibility": "public"})["visibility"] == "public"
    assert len(published(gateway, gateway.user("bob")).tools) == 1
    version = ann.get(f"/gateways/{upstream}")["version"]
    ann.patch(f"/gateways/{upstream}", {"version": version, "visibility": "public"})
    assert len(published(gateway, gateway.user("bob")).tools) == 2, "what it offers is seen by who sees the upstream"
    ann.post(f"/gateways/{upstream}/toggle", {"enabled": False})
    assert published(gateway, ann).tools == ()
    ann.delete(f"/gateways/{upstream}")
    assert ann.get("/tools")["items"] == []


def test_a_virtual_server_publishes_what_was_chosen_to_who_may_see_both(gateway: RunningGateway) -> None:
    ann, bob = gateway.user("ann"), gateway.user("bob")
    public = {"url": "https://api.example", "method": "GET", "visibility": "public"}
    chosen = ann.post("/tools", public | {"name": "chosen", "timeout": 5})
    ann.post("/tools", public | {"name": "other"})
    hidden = ann.post("/tools", public | {"name": "hidden", "visibility": "private"})
    items = [{"kind": "tool", "id": one["id"]} for one in (chosen, hidden)]
    server = ann.post("/servers", {"name": "s", "instructions": "Be brief.", "items": items, "visibility": "public"})[
        "id"
    ]
    catalogue = published(gateway, ann, server)
    assert [tool.name for tool in catalogue.tools] == ["chosen", "hidden"]
    assert catalogue.instructions == "Be brief."
    assert catalogue.tools[0].source == RestEndpoint("https://api.example", "GET", None, 5)
    assert [tool.name for tool in published(gateway, bob, server).tools] == ["chosen"]
    token = bob.with_token(server_id=server)
    assert [tool.name for tool in published(gateway, token, server).tools] == ["chosen"]
    for wrong in (None, "0" * 32):
        with pytest.raises(NotFound):
            published(gateway, token, wrong)
    ann.post(f"/servers/{server}/toggle", {"enabled": False})
    with pytest.raises(NotFound):
        published(gateway, bob, server)


def test_an_upstream_that_failed_says_why_and_keeps_what_it_offered(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    upstream = ann.post("/gateways", {"name": "weather", "url": URL})["id"]
    told(gateway, upstream, Offer())
    (registered,) = inside(gateway, gateway.rooms.catalogues.upstreams)
    ann.post(f"/gateways/{upstream}/toggle", {"enabled": False})  # so that nobody else asks it meanwhile
    inside(gateway, gateway.rooms.ledger.failed, registered, "no route to host")
    seen = ann.get(f"/gateways/{upstream}")
    assert (seen["reachable"], seen["problem"]) == (False, "no route to host")
    before = gateway.rooms.changes.versions["gateways"]
    inside(gateway, gateway.rooms.ledger.failed, registered, "no route to host")
    assert gateway.rooms.changes.versions["gateways"] == before, "it is no news the second time"
    ann.post(f"/gateways/{upstream}/toggle", {"enabled": True})
    assert len(published(gateway, ann).tools) == 2
