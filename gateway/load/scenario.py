"""Who uses the gateway in `make prove-gateway`.

Each visit is drawn from `MIX`, whose shares are of requests: 37 % calls of tools, 30 % lists, 18 % other reads, 10 %
writes and what administrators read, 5 % health.
"""

import json
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from letgo.prove import Request, Response, User, Visit, delete, get, patch, post
from load import world

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
CLIENT = {"name": "load", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": CLIENT,
}
ACCEPT = {"Accept": "application/json, text/event-stream"}
TEXT = "What is said to a tool, and what it says back: some hundred characters, as tools are told a little at a time."
EVENT = (b":", b"event:", b"id:", b"data:")
SAID = {"text": TEXT}
ECHO = {"url": f"{world.ADDRESS}/echo", "method": "POST"}


class Person(User):
    """Somebody with an API token, who thinks before each request."""

    think = (1.0, 3.0)

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.headers = {"Authorization": f"Bearer {world.token(number % world.USERS)}"}
        self.session: str | None = None
        self.asked = 0

    def visit(self) -> Visit:
        [visit] = self.random.choices(VISITS, cum_weights=WEIGHTS)
        yield from visit(self)

    @property
    def any(self) -> int:
        """A number to choose something by."""
        return self.random.randrange(1_000_000)

    def get(self, path: str, name: str = "", token: str | None = None) -> Request:
        headers = self.headers if token is None else {"Authorization": f"Bearer {token}"}
        return get(path, name=name, headers=headers)

    def rpc(self, method: str, label: str = "", **params: Any) -> Request:
        name = f"/rpc {method}{label}"
        return post("/rpc", json=self.message(method, params), name=name, headers=self.headers)

    def message(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        return {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}


# Calls of tools.


def rest_by_rpc(person: Person) -> Visit:
    answer = yield person.rpc("tools/call", " (REST)", name=world.rest_tool(person.any), arguments=SAID)
    check(answer)


def mcp_by_rpc(person: Person) -> Visit:
    answer = yield person.rpc("tools/call", " (MCP)", name=world.mcp_tool(person.any), arguments=SAID)
    check(answer)


def modern_call(person: Person) -> Visit:
    name = world.mcp_tool(person.any)
    headers = {"Mcp-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": name}
    message = person.message("tools/call", {"name": name, "arguments": SAID, "_meta": META})
    answer = yield post(
        f"/servers/{world.server_id(person.any % world.SERVERS)}/mcp",
        json=message,
        name=f"/servers/{{id}}/mcp tools/call, {MODERN}",
        headers=person.headers | ACCEPT | headers,
    )
    check(answer)


def legacy_call(person: Person) -> Visit:
    """In a session, which is begun with the first call."""
    path = f"/servers/{world.server_id(person.number % world.SERVERS)}/mcp"
    headers = person.headers | ACCEPT
    if person.session is None:
        hello = person.message("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT})
        answer = yield post(path, json=hello, name="/servers/{id}/mcp initialize", headers=headers)
        result_of(answer)
        person.session = answer.headers["mcp-session-id"]
    message = person.message("tools/call", {"name": world.mcp_tool(person.any), "arguments": SAID})
    answer = yield post(
        path,
        json=message,
        name=f"/servers/{{id}}/mcp tools/call, {LEGACY}",
        headers=headers | {"Mcp-Session-Id": person.session, "Mcp-Protocol-Version": LEGACY},
    )
    check(answer)


def result_of(answer: Response) -> dict[str, Any]:
    assert answer.status == 200, "no answer"
    # The answer to a client that waits for long is a stream: its last event is the message.
    message = json.loads(answer.body.rpartition(b"data: ")[2] if answer.body.startswith(EVENT) else answer.body)
    result: dict[str, Any] | None = message.get("result")
    assert result is not None, "an error of JSON-RPC"
    return result


def check(answer: Response) -> None:
    assert result_of(answer).get("structuredContent") == SAID, "not what the tool was told"


# Reading.


def of_rpc(method: str, **params: Any) -> Callable[[Person], Visit]:
    def visit(person: Person) -> Visit:
        answer = yield person.rpc(method, **params)
        result_of(answer)

    return visit


def of(path: str) -> Callable[[Person], Visit]:
    def visit(person: Person) -> Visit:
        yield person.get(path)

    return visit


def one_tool(person: Person) -> Visit:
    yield person.get(f"/tools/{world.tool_id(person.any % world.REST_TOOLS)}", "/tools/{id}")


def one_server(person: Person) -> Visit:
    yield person.get(f"/servers/{world.server_id(person.any % world.SERVERS)}", "/servers/{id}")


def a_resource(person: Person) -> Visit:
    answer = yield person.rpc("resources/read", uri=world.resource_uri(person.any))
    assert result_of(answer)["contents"], "a resource without contents"


def a_prompt(person: Person) -> Visit:
    answer = yield person.rpc("prompts/get", name=world.prompt(person.any), arguments={"subject": "tea"})
    assert "tea" in result_of(answer)["messages"][0]["content"]["text"], "a prompt without its argument"


# Writing, and what administrators read.


def the_life_of_a_tool(person: Person) -> Visit:
    """Four requests."""
    new = {"name": f"mine {person.any}", **ECHO}
    answer = yield post("/tools", json=new, headers=person.headers, expect=201)
    assert answer.status == 201, "no tool"
    path, version = f"/tools/{answer.json()['id']}", answer.json()["version"]
    change = {"version": version, "description": "changed"}
    yield patch(path, json=change, name="/tools/{id}", headers=person.headers)
    yield post(f"{path}/toggle", json={"enabled": False}, name="/tools/{id}/toggle", headers=person.headers)
    yield delete(path, name="/tools/{id}", headers=person.headers, expect=204)


def the_life_of_a_resource(person: Person) -> Visit:
    """Two requests."""
    new = {"name": f"mine {person.any}", "uri": f"mine://{person.number}/{person.any}", "text": TEXT}
    answer = yield post("/resources", json=new, headers=person.headers, expect=201)
    assert answer.status == 201, "no resource"
    path = f"/resources/{answer.json()['id']}"
    yield delete(path, name="/resources/{id}", headers=person.headers, expect=204)


def of_administrator(path: str) -> Callable[[Person], Visit]:
    def what_administrators_read(person: Person) -> Visit:
        yield person.get(path, f"{path.partition('?')[0]} (administrator)", world.ADMINISTRATORS_TOKEN)

    return what_administrators_read


health = of("/health")


MIX: list[tuple[float, Callable[[Person], Visit], int]] = [
    # Percent of all requests; a visit; how many requests it has.
    (13, rest_by_rpc, 1),
    (12, mcp_by_rpc, 1),
    (8, modern_call, 1),
    (4, legacy_call, 1),
    #
    (8, of_rpc("tools/list"), 1),
    (4, of_rpc("resources/list"), 1),
    (4, of_rpc("prompts/list"), 1),
    (5, of("/tools"), 1),
    (3, of("/servers"), 1),
    (2, of("/resources"), 1),
    (2, of("/prompts"), 1),
    (2, of("/gateways"), 1),
    #
    (4, one_tool, 1),
    (3, one_server, 1),
    (3, a_resource, 1),
    (3, a_prompt, 1),
    (2, of("/auth/email/me"), 1),
    (1, of("/tags"), 1),
    (1, of("/teams"), 1),
    (1, of_rpc("ping"), 1),
    #
    (4, the_life_of_a_tool, 4),
    (2, the_life_of_a_resource, 2),
    (2, of_administrator("/auth/email/users?limit=50"), 1),
    (1, of_administrator("/rbac/roles"), 1),
    (1, of_administrator("/tools?limit=100"), 1),
    #
    (5, health, 1),
]
VISITS = [visit for _, visit, _ in MIX]
WEIGHTS = list(accumulate(share / requests for share, _, requests in MIX))
