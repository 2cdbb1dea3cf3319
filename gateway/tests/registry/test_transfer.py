"""Export and import: into another installation, with conflicts told, all or nothing."""

from typing import Any

from gateway.tests.registry.test_entries import ENTRIES
from gateway.tests.serving import Caller, RunningGateway


def fill(ann: Caller) -> None:
    made = {registry: ann.post(f"/{registry}", given) for registry, given in ENTRIES.items() if registry != "servers"}
    ann.post("/tools", {"name": "ask", "kind": "a2a", "agent_id": made["a2a"]["id"]})
    items = [{"kind": kind, "id": made[f"{kind}s"]["id"]} for kind in ("tool", "resource", "prompt", "gateway")]
    ann.post("/servers", ENTRIES["servers"] | {"items": items})


def actions(report: Any) -> dict[str, str]:
    return {f"{one['registry']} {one['name']}": one["action"] for one in report["outcomes"]}


def test_an_export_read_into_another_account_is_the_same_again(gateway: RunningGateway) -> None:
    ann, bob = gateway.user("ann"), gateway.user("bob")
    fill(ann)
    document = ann.get("/export")
    assert "s3cret" not in str(document)
    report = bob.post("/import", {"document": document})
    assert report["kept"]
    assert set(actions(report).values()) == {"created"}
    notes = {one["name"] for one in report["outcomes"] if one["note"]}
    assert notes == {"weather", "forecast"}, "those had secrets"
    again = bob.get("/export")
    for registry, entries in document["entries"].items():
        without = [{name: value for name, value in one.items() if name != "has_secrets"} for one in entries]
        assert again["entries"][registry] == without
    assert len(bob.get("/servers")["items"][0]["items"]) == 4


def test_a_dry_run_tells_and_keeps_nothing(gateway: RunningGateway) -> None:
    ann, bob = gateway.user("ann"), gateway.user("bob")
    fill(ann)
    report = bob.post("/import", {"document": ann.get("/export"), "dry_run": True})
    assert not report["kept"]
    assert set(actions(report).values()) == {"created"}
    assert not any(entries for entries in bob.get("/export")["entries"].values())


def test_conflicts_fail_are_skipped_or_updated_as_was_asked(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    fill(ann)
    document = ann.get("/export")
    document["entries"]["roots"].append({"name": "new", "uri": "file:///new"})
    document["entries"]["tools"][-1]["description"] = "imported"
    failed = ann.post("/import", {"document": document})
    assert not failed["kept"]
    assert actions(failed)["roots home"] == "failed"
    assert actions(failed)["roots new"] == "created"
    assert len(ann.get("/roots")["items"]) == 1
    skipped = ann.post("/import", {"document": document, "conflicts": "skip"})
    assert (skipped["kept"], actions(skipped)["roots home"], actions(skipped)["roots new"]) == (
        True,
        "skipped",
        "created",
    )
    updated = ann.post("/import", {"document": document, "conflicts": "update"})
    assert (updated["kept"], actions(updated)["tools forecast"]) == (True, "updated")
    tool = next(tool for tool in ann.get("/tools")["items"] if tool["name"] == "forecast")
    assert tool["description"] == "imported"
    assert tool["has_secrets"], "an import knows no secrets, so it leaves those that are there"


def test_one_wrong_entry_is_told_by_name_and_nothing_is_kept(gateway: RunningGateway) -> None:
    entries = {
        "tools": [{"name": "good", "url": "https://a.example", "method": "GET"}, {"name": "bad", "url": "ftp://a"}],
        "servers": [
            {"name": "s", "items": [{"kind": "tool", "entry": [None, "nowhere"]}]},
            {"name": "t", "items": [1]},
        ],
        "roots": [{"name": "r", "uri": "file:///r", "team": "nobody's", "visibility": "team"}],
    }
    report = gateway.admin.post("/import", {"document": {"entries": entries}})
    assert not report["kept"]
    notes = {one["name"]: one["note"] for one in report["outcomes"]}
    assert notes["good"] is None
    assert "url" in notes["bad"]
    assert "nowhere" in notes["s"]
    assert "items" in notes["t"]
    assert "nobody's" in notes["r"]
    assert gateway.admin.get("/tools")["items"] == []
    gateway.admin.post("/import", {"document": {"entries": {"planets": []}}}, expect=422)


def test_nobody_imports_what_they_could_not_make(gateway: RunningGateway) -> None:
    program = {"gateways": [{"name": "g", "transport": "stdio", "command": ["sh"]}]}
    report = gateway.user("ann").post("/import", {"document": {"entries": program}})
    assert (report["kept"], actions(report)) == (False, {"gateways g": "failed"})
    team = gateway.team("books", "bob")
    shared = {
        "tools": [{"name": "t", "url": "https://a.example", "method": "GET", "team": "books", "visibility": "team"}]
    }
    assert not gateway.user("ann").post("/import", {"document": {"entries": shared}})["kept"]
    assert gateway.user("bob").post("/import", {"document": {"entries": shared}})["kept"]
    assert gateway.user("bob").get("/tools")["items"][0]["team_id"] == team
