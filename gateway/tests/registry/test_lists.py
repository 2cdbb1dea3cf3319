"""Lists: pages, filters, and bytes that are made once and never stale."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.tests.serving import RunningGateway
from sqlalchemy import event

TOOL = {"url": "https://api.example/echo", "method": "GET"}


def test_pages_hold_every_entry_once_in_the_order_of_names(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    names = [f"tool {number:02}" for number in range(7)]
    for name in reversed(names):
        ann.post("/tools", TOOL | {"name": name, "tags": ["x"]})
    ann.post("/tools", TOOL | {"name": "untagged"})
    seen: list[str] = []
    path = "/tools?limit=3&tag=x"
    while path:
        page = ann.get(path)
        seen += [tool["name"] for tool in page["items"]]
        path = page["next_cursor"] and f"/tools?limit=3&tag=x&cursor={page['next_cursor']}"
    assert seen == names


def test_filters_narrow_a_list(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    ann.post("/tools", TOOL | {"name": "Alpha_1", "tags": ["a", "b"], "visibility": "public"})
    ann.post("/tools", TOOL | {"name": "beta%", "tags": ["b"], "enabled": False})

    def names(query: str) -> list[str]:
        return [tool["name"] for tool in ann.get(f"/tools?{query}")["items"]]

    assert names("") == ["Alpha_1", "beta%"]
    assert names("q=alpha") == names("tag=a") == names("visibility=public") == names("enabled=true") == ["Alpha_1"]
    assert names("q=%25") == ["beta%"]
    assert names("q=_") == ["Alpha_1"]
    assert names("tag=c") == names("gateway_id=" + "0" * 32) == []


def test_wrong_questions_are_told(gateway: RunningGateway) -> None:
    for query in ("limit=0", "limit=many", "cursor=x", "nonsense=1", "tag=%00", "team_id=1", "cursor=WyJhIl0"):
        gateway.admin.get(f"/tools?{query}", 422)
    gateway.admin.get("/servers?gateway_id=" + "0" * 32, 422)


def test_a_list_that_is_kept_costs_no_query_and_a_change_makes_it_anew(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    ann.get("/tools")
    with lists_of_tools_made(gateway) as made:
        for _ in range(5):
            assert ann.get("/tools")["items"] == []
    assert made == []
    tool = ann.post("/tools", TOOL | {"name": "new"})
    assert [one["name"] for one in ann.get("/tools")["items"]] == ["new"]
    ann.delete(f"/tools/{tool['id']}")
    assert ann.get("/tools")["items"] == []


def test_who_sees_the_same_shares_the_same_bytes(gateway: RunningGateway) -> None:
    ann, bob, eve = (gateway.user(name) for name in ("ann", "bob", "eve"))
    ann.post("/tools", TOOL | {"name": "public", "visibility": "public"})
    ann.post("/tools", TOOL | {"name": "private"})
    with lists_of_tools_made(gateway) as made:
        assert len(ann.get("/tools")["items"]) == 2
        assert bob.get("/tools") == eve.get("/tools")
        assert [tool["name"] for tool in bob.get("/tools")["items"]] == ["public"]
    assert len(made) == 2


def test_what_only_its_owner_sees_makes_no_list_of_others_anew(gateway: RunningGateway) -> None:
    ann, bob = gateway.user("ann"), gateway.user("bob")
    bob.get("/tools")
    with lists_of_tools_made(gateway) as made:
        tool = ann.post("/tools", TOOL | {"name": "mine"})
        assert bob.get("/tools")["items"] == []
        assert made == []
        assert [one["name"] for one in ann.get("/tools")["items"]] == ["mine"]
        ann.patch(f"/tools/{tool['id']}", {"version": 1, "visibility": "public"})
        assert [one["name"] for one in bob.get("/tools")["items"]] == ["mine"]
        ann.patch(f"/tools/{tool['id']}", {"version": 2, "visibility": "private"})
        assert bob.get("/tools")["items"] == []
        ann.post(f"/tools/{tool['id']}/toggle", {"enabled": False})
        assert [one["enabled"] for one in ann.get("/tools")["items"]] == [False]
        assert [one["enabled"] for one in gateway.admin.get("/tools")["items"]] == [False]


def test_a_private_tool_that_is_deleted_leaves_public_servers(gateway: RunningGateway) -> None:
    ann, bob = gateway.user("ann"), gateway.user("bob")
    tool = ann.post("/tools", TOOL | {"name": "mine"})
    items = [{"kind": "tool", "id": tool["id"]}]
    server = ann.post("/servers", {"name": "all", "visibility": "public", "items": items})
    assert bob.get(f"/servers/{server['id']}")["items"] == items
    ann.delete(f"/tools/{tool['id']}")
    assert bob.get(f"/servers/{server['id']}")["items"] == []


@contextmanager
def lists_of_tools_made(gateway: RunningGateway) -> Iterator[list[str]]:
    """The statements meanwhile that read a list of tools."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT tool.kind") and "LIMIT" in statement:
            found.append(statement)

    engine = gateway.rooms.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
