"""Whatever is sent, by whomever: no 5xx, and nothing of another team."""

import json
import random
from typing import Any

from gateway.tests.registry.test_entries import ENTRIES
from gateway.tests.serving import RunningGateway, StartGateway

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    1e308,
    "",
    " ",
    "x" * 300,
    "\x00",
    "\ud800",
    "\u202e",
    "%00",
    "0" * 32,
    "team",
    "a@b",
    [],
    [[]],
    {},
    {"": None},
    [{"kind": "tool", "id": "0" * 32}],
)
SEED = 4444
SECRET = "a name that only its owner knows"


def operations(gateway: RunningGateway) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and the schema of the body, of all that the gateway says it can do; `mcp` has tests of its own."""
    told = gateway.anybody.get("/openapi.json")
    found = []
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            name = schema.get("$ref", "").rpartition("/")[2]
            found.append((method.upper(), path, told["components"]["schemas"].get(name, {})))
    return found


def odd_body(schema: dict[str, Any], chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return chance.choice(ODD)
    names = list(schema.get("properties", {}))
    return {name: chance.choice(ODD) for name in names if chance.random() < 0.7}


def test_no_request_is_answered_with_a_5xx_or_shows_what_is_anothers(start: StartGateway) -> None:
    gateway = start(anonymous=True, login_attempts=1000)
    chance = random.Random(SEED)
    team = gateway.team("books", "ann", vic="viewer")
    hidden = []
    for registry, given in ENTRIES.items():
        place = {"visibility": "team", "team_id": team} if registry == "tools" else {}
        hidden.append(gateway.user("ann").post(f"/{registry}", given | {"description": SECRET} | place)["id"])
    stranger = gateway.user("eve")
    asking = (gateway.anybody, stranger, stranger.with_token(scopes=["tools.read"]), gateway.user("vic"), gateway.admin)
    done = 0
    for method, path, schema in operations(gateway):
        if "logout" in path or "change-password" in path:
            continue  # they would end the sessions that are asked with
        for caller in asking:
            filled = path
            while "{" in filled:
                head, _, rest = filled.partition("{")
                odd = chance.choice(("0" * 32, "x", "%00", "%ED%A0%80", "..", chance.choice(hidden)))
                filled = head + odd + rest.partition("}")[2]
            if caller is gateway.admin and method in ("DELETE", "PATCH", "POST") and "users" in path:
                filled = path.replace("{user_id}", "0" * 32).replace("{grant_id}", "0" * 32)
            query = chance.choice(("", "?limit=-1", "?cursor=%00", "?limit=1&limit=2", "?q=%ED%A0%80", "?tag=a&tag=b"))
            content = json.dumps(odd_body(schema, chance)) if schema else None
            headers = {"Content-Type": "application/json"} if content else {}
            answer = caller.raw(method, filled + query, content=content, headers=headers)
            assert answer.status_code < 500 or filled == "/ready", f"{method} {filled}{query} {content}: {answer.text}"
            if caller in asking[:3]:
                assert SECRET not in answer.text, f"{method} {filled}"
            done += 1
    assert done > 200
