"""What a token's scopes leave of its user's rights, and that nobody gives away rights that they don't have."""

from itertools import product
from typing import Any

import pytest
from gateway.tests.registry.test_entries import ENTRIES
from gateway.tests.serving import Caller, RunningGateway

from letgo_gateway.identity.permissions import PERMISSIONS

ACTIONS = ("create", "read", "update", "delete")
NEEDS_NOTHING = {"/auth/email/me", "/rbac/permissions", "/rbac/roles", "/health", "/ready", "/version"}
"""What any token may ask: who it is, and what there is to be permitted."""


@pytest.mark.parametrize("registry", ENTRIES)
def test_each_scope_allows_one_thing_and_nothing_else(gateway: RunningGateway, registry: str) -> None:
    ann = gateway.user("ann")
    for scope in ACTIONS:
        entry = ann.post(f"/{registry}", ENTRIES[registry] | {"name": scope})
        token = ann.with_token(scopes=[f"{registry}.{scope}", f"{registry}.read"])
        path, done = f"/{registry}/{entry['id']}", set()
        for action, ask in actions(token, registry, path).items():
            answer = token.raw(*ask[:2], json=ask[2])
            assert answer.status_code < 300 or answer.status_code == 403, (scope, action, answer.text)
            done |= {action} if answer.status_code < 300 else set()
        assert done == {"read", scope}


def actions(token: Caller, registry: str, path: str) -> dict[str, tuple[str, str, Any]]:
    return {
        "read": ("GET", path, None),
        "create": ("POST", f"/{registry}", ENTRIES[registry] | {"name": "made by a token"}),
        "update": ("PATCH", path, {"version": 1, "description": "changed"}),
        "delete": ("DELETE", path, None),
    }


def test_a_token_without_scopes_may_do_nothing(gateway: RunningGateway) -> None:
    team = gateway.team("books", "ann")
    ann = gateway.user("ann")
    entry = {registry: ann.post(f"/{registry}", given)["id"] for registry, given in ENTRIES.items()}
    own = {"team_id": team, "user_id": ann.id, "tag": "one"}
    nothing = ann.with_token(scopes=[])
    told = gateway.anybody.get("/openapi.json")["paths"]
    allowed = set()
    for path, method in ((path, method) for path, known in told.items() for method in known):
        ids = {"entry_id": entry.get(path.split("/")[1], "0" * 32)} | own
        filled = path.format_map({"token_id": "0" * 32, **ids, **dict.fromkeys(OTHERS, "0" * 32)})
        if nothing.raw(method.upper(), filled, json=body_of(path, method)).status_code < 300:
            allowed.add(path)
    # Empty lists of what may not be read, one's own roles, and what everybody may ask.
    assert allowed == NEEDS_NOTHING | {"/tags", "/tags/{tag}", "/export", "/import", "/rbac/users/{user_id}/roles"}
    assert all(entries == [] for entries in nothing.get("/export")["entries"].values())
    assert nothing.get("/tags") == [] == nothing.get("/tags/one")


OTHERS = ("server_id", "role_id", "grant_id", "invitation_id", "request_id")


def body_of(path: str, method: str) -> Any:
    """A body that is right, so that it is the rights that are asked for."""
    registry = path.split("/")[1]
    bodies: dict[str, Any] = {
        "/import": {"document": {"entries": {}}},
        "/teams": {"name": "mine"},
        "/teams/{team_id}/invitations": {"email": "bob@example.com"},
        "/teams/{team_id}/members/{user_id}": {"role": "owner"},
        "/teams/invitations/accept": {"code": "x"},
        "/tokens": {"name": "another"},
        "/rbac/roles": {"name": "mine", "permissions": []},
        "/rbac/roles/{role_id}": {},
        "/rbac/users/{user_id}/roles": {"role_id": "0" * 32},
        "/auth/email/users": {"email": "bob@example.com"},
        "/auth/email/change-password": {"old": "x", "new": "y"},
    }
    if method in ("get", "delete"):
        return None
    if registry in ENTRIES:
        return {"post": ENTRIES[registry] | {"name": "another"}, "patch": {"version": 1}}[method] | (
            {"enabled": True} if path.endswith("toggle") else {}
        )
    return {"version": 1} if path == "/teams/{team_id}" else bodies.get(path, {})


def test_a_token_for_a_server_reaches_no_other_and_nothing_beside_it(start: Any) -> None:
    gateway: RunningGateway = start(allowed_hosts=("testserver",))
    ann = gateway.user("ann")
    one, other = (ann.post("/servers", {"name": name})["id"] for name in ("one", "other"))
    token = ann.with_token(server_id=one)
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    capabilities = "io.modelcontextprotocol/clientCapabilities"
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", capabilities: {}}
    modern = asked | {"params": {"_meta": meta}}
    assert token.raw("POST", f"/servers/{one}/mcp", json=modern, headers=headers).json()["result"]["tools"] == []
    for path, body in product(("/mcp", "/rpc", f"/servers/{other}/mcp"), (asked, modern)):
        answer = token.raw("POST", path, json=body, headers=headers if body is modern else {})
        assert answer.status_code in (400, 401, 403, 404) or "error" in answer.json(), (path, answer.text)
        assert "tools" not in answer.text, path


def test_nobody_gives_or_takes_over_rights_that_they_do_not_have(gateway: RunningGateway) -> None:
    admin, ann, bob = gateway.admin, gateway.user("ann"), gateway.user("bob")
    managing = {"name": "managing", "permissions": ["users.manage", "roles.manage"]}
    role = admin.post("/rbac/roles", managing)["id"]
    admin.post(f"/rbac/users/{ann.id}/roles", {"role_id": role})
    everything = next(one["id"] for one in ann.get("/rbac/roles") if one["name"] == "administrator")
    users = "/auth/email/users"
    for method, path, body in (
        ("POST", users, {"email": "eve@example.com", "admin": True}),
        ("PATCH", f"{users}/{ann.id}", {"admin": True}),
        ("PATCH", f"{users}/{admin.id}", {"reset_password": True}),
        ("PATCH", f"{users}/{admin.id}", {"active": False}),
        ("DELETE", f"{users}/{admin.id}", None),
        ("POST", f"/rbac/users/{ann.id}/roles", {"role_id": everything}),
        ("POST", "/rbac/roles", {"name": "mine", "permissions": ["gateways.stdio"]}),
        ("PATCH", f"/rbac/roles/{role}", {"permissions": sorted(PERMISSIONS)}),
    ):
        answer = ann.raw(method, path, json=body)
        assert answer.status_code == 403, (method, path, body, answer.text)
    assert ann.patch(f"{users}/{bob.id}", {"reset_password": True})["password"]
    # An administrator's token is an administrator's no more once it has scopes.
    token = admin.with_token(scopes=["users.manage", "roles.manage"])
    token.patch(f"{users}/{ann.id}", {"admin": True}, expect=403)
    token.post(f"/rbac/users/{ann.id}/roles", {"role_id": everything}, expect=403)


def test_a_team_that_one_can_not_know_is_not_named_by_an_import_or_an_export(gateway: RunningGateway) -> None:
    team = gateway.team("a secret name", "ann")
    gateway.user("ann").post("/tools", ENTRIES["tools"] | {"visibility": "public", "team_id": team})
    bob = gateway.user("bob")
    exported = bob.get("/export")
    assert [tool["name"] for tool in exported["entries"]["tools"]] == ["forecast"]
    assert "a secret name" not in str(exported)
    told = []
    for name in ("a secret name", "no such name"):
        given = {"name": "t", "url": "https://api.example", "method": "GET", "team": name}
        outcome = bob.post("/import", {"document": {"entries": {"tools": [given]}}})["outcomes"][0]
        told.append(outcome["note"].replace(name, ""))
    assert told[0] == told[1]
