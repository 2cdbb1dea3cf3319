"""Creating, reading, changing, switching and deleting entries, the same in all registries."""

from typing import Any

from gateway.tests.serving import RunningGateway

ENTRIES: dict[str, dict[str, Any]] = {
    "gateways": {
        "name": "weather",
        "url": "https://weather.example/mcp",
        "secrets": {"Authorization": "Bearer s3cret"},
    },
    "a2a": {"name": "planner", "url": "https://planner.example", "card": {"skills": []}},
    "tools": {
        "name": "forecast",
        "url": "https://api.example/{city}",
        "method": "GET",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        "secrets": {"X-Key": "s3cret"},
    },
    "resources": {"name": "motd", "uri": "note://motd", "text": "hello"},
    "prompts": {"name": "greet", "messages": [{"role": "user", "content": {"type": "text", "text": "Hi {name}"}}]},
    "servers": {"name": "travel", "instructions": "Ask for the city first."},
    "roots": {"name": "home", "uri": "file:///home"},
}


def test_an_entry_lives_from_create_to_delete(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    for registry, given in ENTRIES.items():
        entry = ann.post(f"/{registry}", given | {"tags": ["one"]})
        path = f"/{registry}/{entry['id']}"
        assert ann.get(path)["created_at"] == entry["created_at"]
        assert (entry["version"], entry["owner_id"], entry["visibility"]) == (1, ann.id, "private")
        assert all(entry[name] == value for name, value in given.items() if name in entry)
        assert "s3cret" not in str(entry)
        changed = ann.patch(path, {"version": 1, "description": "better", "tags": ["two"]})
        assert (changed["version"], changed["description"], changed["tags"]) == (2, "better", ["two"])
        assert all(changed[name] == value for name, value in given.items() if name in changed)
        assert "somebody else" in ann.patch(path, {"version": 1, "name": "late"}, expect=409)["detail"]
        assert ann.post(f"{path}/toggle", {"enabled": False})["enabled"] is False
        assert [one["id"] for one in ann.get(f"/{registry}?enabled=false")["items"]] == [entry["id"]]
        ann.delete(path)
        ann.get(path, 404)
        assert ann.get(f"/{registry}")["items"] == []


def test_wrong_bodies_are_told_and_change_nothing(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    for registry, given in ENTRIES.items():
        for wrong in (
            given | {"nonsense": 1},
            given | {"\ud800": 1},
            given | {"name": ""},
            given | {"name": "nul \x00"},
            given | {"description": "half \ud800"},
            given | {"visibility": "everybody"},
            given | {"visibility": "team"},
            {},
        ):
            ann.post(f"/{registry}", wrong, expect=422)
        assert ann.get(f"/{registry}")["items"] == []
        entry = ann.post(f"/{registry}", given)
        for wrong in ({"version": 1, "name": None}, {"name": "no version"}, {"version": 1, "enabled": None}):
            ann.patch(f"/{registry}/{entry['id']}", wrong, expect=422)
        assert ann.get(f"/{registry}/{entry['id']}")["version"] == 1


def test_secrets_are_sealed_in_the_database_and_survive_a_change(gateway: RunningGateway) -> None:
    import asyncio

    from sqlalchemy import text

    from letgo_gateway.database.engine import make_engine
    from letgo_gateway.keys import keys

    ann = gateway.user("ann")
    entry = ann.post("/gateways", ENTRIES["gateways"])
    assert entry["has_secrets"]
    ann.patch(f"/gateways/{entry['id']}", {"version": 1, "description": "better"})

    async def stored() -> str:
        engine = make_engine(gateway.settings)
        async with engine.connect() as connection:
            found: str = (await connection.execute(text("select secrets from gateway"))).scalar_one()
        await engine.dispose()
        return found

    sealed = asyncio.run(stored())
    assert "s3cret" not in sealed
    assert keys(gateway.settings).unseal(sealed) == {"Authorization": "Bearer s3cret"}


def test_headers_that_would_break_out_of_their_line_are_refused(gateway: RunningGateway) -> None:
    for secrets in ({"X": "a\r\nY: b"}, {"X: y": "a"}, {"": "a"}, {"X\n": "a"}):
        gateway.admin.post("/gateways", ENTRIES["gateways"] | {"secrets": secrets}, expect=422)


def test_only_administrators_let_an_upstream_be_a_program(gateway: RunningGateway) -> None:
    given = {"name": "local", "transport": "stdio", "command": ["server"]}
    assert "gateways.stdio" in gateway.user("ann").post("/gateways", given, expect=403)["detail"]
    entry = gateway.admin.post("/gateways", given)
    assert entry["command"] == ["server"]
    ann = gateway.user("ann")
    web = ann.post("/gateways", ENTRIES["gateways"])
    program = {"version": 1, "transport": "stdio", "url": None, "command": ["sh"]}
    ann.patch(f"/gateways/{web['id']}", program, expect=403)


def test_a_server_names_what_its_maker_sees(gateway: RunningGateway) -> None:
    ann, bob = gateway.user("ann"), gateway.user("bob")
    tool = ann.post("/tools", ENTRIES["tools"])
    item = {"kind": "tool", "id": tool["id"]}
    bob.post("/servers", {"name": "s", "items": [item]}, expect=404)
    server = ann.post("/servers", {"name": "s", "items": [item, item]})
    assert server["items"] == [item]
    kept = ann.patch(f"/servers/{server['id']}", {"version": 1, "description": "d"})
    assert kept["items"] == [item]
    ann.delete(f"/tools/{tool['id']}")
    assert ann.get(f"/servers/{server['id']}")["items"] == []


def test_two_who_change_the_same_version_do_not_overwrite_each_other(gateway: RunningGateway) -> None:
    from concurrent.futures import ThreadPoolExecutor

    ann = gateway.user("ann")
    tool = ann.post("/tools", ENTRIES["tools"])

    def change(number: int) -> int:
        body = {"version": 1, "description": str(number)}
        status: int = ann.raw("PATCH", f"/tools/{tool['id']}", json=body).status_code
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, range(8)))
    assert statuses == [200] + [409] * 7
    assert ann.get(f"/tools/{tool['id']}")["version"] == 2
