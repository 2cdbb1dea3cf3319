"""Who may see and do what: the whole matrix, over the API, against the rule said in words."""

from itertools import product
from typing import Any

from gateway.tests.serving import Caller, RunningGateway

TOOL = {"url": "https://api.example/echo", "method": "GET"}
ASKING = ("maker", "owner", "member", "viewer", "stranger", "former", "administrator", "reader", "nobody")
ENTRIES = [*product(("private", "public"), (False, True)), ("team", True)]


def may(who: str, action: str, visibility: str, in_team: bool) -> bool:
    """The rule. `maker` has made the entry as a member of its team; `former` has made it, and left the team."""
    if who == "nobody":
        return False
    if who == "administrator":
        return True
    if who == "reader":  # the maker, by a token that may only read
        return action == "read"
    if who == "maker":
        return True
    if action == "read" and visibility == "public":
        return True
    if who == "former":
        return not in_team
    if not in_team or visibility == "private":
        return False
    return who == "owner" or (action == "read" and who in ("member", "viewer"))


def people(gateway: RunningGateway) -> tuple[str, dict[str, Caller]]:
    team = gateway.team("books", "owner", maker="member", member="member", viewer="viewer", former="member")
    asking = {who: gateway.user(who) for who in ASKING if who not in ("administrator", "reader", "nobody")}
    reader = asking["maker"].with_token(scopes=["tools.read"])
    return team, asking | {"administrator": gateway.admin, "reader": reader, "nobody": gateway.anybody}


def make(caller: Caller, team: str, visibility: str, in_team: bool) -> dict[str, Any]:
    entry: dict[str, Any] = caller.post(
        "/tools",
        TOOL | {"name": f"{visibility} {in_team}", "visibility": visibility, "team_id": team if in_team else None},
    )
    return entry


def test_each_entry_is_seen_and_changed_by_whom_the_rule_says(gateway: RunningGateway) -> None:
    team, asking = people(gateway)
    made = {entry: make(asking["maker"], team, *entry) for entry in ENTRIES}
    left = {entry: make(asking["former"], team, *entry) for entry in ENTRIES}
    asking["former"].delete(f"/teams/{team}/members/{asking['former'].id}")
    wrong = []
    for (visibility, in_team), who in product(ENTRIES, ASKING):
        tool = (left if who == "former" else made)[visibility, in_team]
        caller, path = asking[who], f"/tools/{tool['id']}"
        listed = caller.raw("GET", "/tools?limit=1000")
        seen = listed.status_code == 200 and tool["id"] in [one["id"] for one in listed.json()["items"]]
        read = caller.raw("GET", path).status_code == 200
        version = gateway.admin.get(path)["version"]
        changed = caller.raw("PATCH", path, json={"version": version, "description": who}).status_code == 200
        toggled = caller.raw("POST", f"{path}/toggle", json={"enabled": True}).status_code == 200
        found = {"list": seen, "read": read, "update": changed, "toggle": toggled}
        for action, done in found.items():
            verb = "read" if action in ("list", "read") else "update"
            if done != may(who, verb, visibility, in_team):
                wrong.append((who, action, visibility, in_team, done))
    assert wrong == []


def test_what_can_not_be_seen_is_not_there_and_what_can_but_not_changed_is_forbidden(gateway: RunningGateway) -> None:
    team, asking = people(gateway)
    private = make(asking["maker"], team, "private", False)
    shared = make(asking["maker"], team, "team", True)
    change = {"version": 1, "name": "mine now"}
    for who, tool, status in (
        ("stranger", private, 404),
        ("viewer", private, 404),
        ("viewer", shared, 403),
        ("stranger", shared, 404),
    ):
        asking[who].patch(f"/tools/{tool['id']}", change, expect=status)
        asking[who].delete(f"/tools/{tool['id']}", status)
        asking[who].post(f"/tools/{tool['id']}/toggle", {"enabled": False}, expect=status)
    assert asking["maker"].get(f"/tools/{shared['id']}")["version"] == 1


def test_nobody_puts_an_entry_into_a_team_where_they_may_not_create(gateway: RunningGateway) -> None:
    team, asking = people(gateway)
    for who in ("viewer", "stranger", "former"):
        if who == "former":
            asking[who].delete(f"/teams/{team}/members/{asking[who].id}")
        given = TOOL | {"name": "smuggled", "visibility": "team", "team_id": team}
        asking[who].post("/tools", given, expect=403)
        own = asking[who].post("/tools", TOOL | {"name": "own"})
        asking[who].patch(f"/tools/{own['id']}", {"version": 1, "team_id": team, "visibility": "team"}, expect=403)


def test_a_role_given_in_a_team_widens_what_its_holder_may_there_and_nowhere_else(gateway: RunningGateway) -> None:
    team, asking = people(gateway)
    shared = make(asking["maker"], team, "team", True)
    viewer, path = asking["viewer"], f"/tools/{shared['id']}"
    role = gateway.admin.post("/rbac/roles", {"name": "editor", "permissions": ["tools.update"]})
    granted = gateway.admin.post(f"/rbac/users/{viewer.id}/roles", {"role_id": role["id"], "team_id": team})
    assert viewer.patch(path, {"version": 1, "description": "edited"})["version"] == 2
    viewer.delete(path, 403)
    gateway.admin.patch(f"/rbac/roles/{role['id']}", {"permissions": ["tools.delete"]})
    viewer.patch(path, {"version": 2, "description": "again"}, expect=403)
    gateway.admin.delete(f"/rbac/users/{viewer.id}/roles/{granted['id']}")
    viewer.delete(path, 403)


def test_without_credentials_one_sees_and_changes_nothing_unless_the_settings_show_what_is_public(start: Any) -> None:
    gateway: RunningGateway = start(anonymous=True)
    public = gateway.admin.post("/tools", TOOL | {"name": "public", "visibility": "public"})
    gateway.admin.post("/tools", TOOL | {"name": "private"})
    assert [one["id"] for one in gateway.anybody.get("/tools")["items"]] == [public["id"]]
    gateway.anybody.post("/tools", TOOL | {"name": "mine"}, expect=401)
    gateway.anybody.get("/gateways", 403)
    gateway.anybody.get("/teams", 401)
    start().anybody.get("/tools", 401)
