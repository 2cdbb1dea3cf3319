"""API tokens: scopes, expiry, revocation, last use."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.serving import Caller, RunningGateway, StartGateway

TOOL = {"name": "echo", "url": "https://api.example/echo", "method": "GET"}


def eventually(true: Callable[[], Any], seconds: float = 20) -> Any:
    """Generous for busy machines; what must be quick is asserted where it is measured."""
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_a_token_may_no_more_than_its_scopes(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    reader = ann.with_token(scopes=["tools.read"])
    assert reader.get("/tools")["items"] == []
    assert "tools.create" in reader.post("/tools", TOOL, expect=403)["detail"]
    reader.get("/servers", 403)
    tool = ann.with_token().post("/tools", TOOL)
    assert [one["id"] for one in reader.get("/tools")["items"]] == [tool["id"]]
    reader.delete(f"/tools/{tool['id']}", 403)


def test_the_scopes_of_an_administrator_bound_what_the_token_may_and_not_whose(gateway: RunningGateway) -> None:
    tool = gateway.user("ann").post("/tools", TOOL)
    token = gateway.admin.with_token(scopes=["tools.read"])
    assert token.get(f"/tools/{tool['id']}")["name"] == "echo"
    token.delete(f"/tools/{tool['id']}", 403)
    token.get("/auth/email/users", 403)


def test_a_token_can_not_make_another_token_or_change_the_password(gateway: RunningGateway) -> None:
    token = gateway.user("ann").with_token()
    token.post("/tokens", {"name": "another"}, expect=403)
    token.post("/auth/email/change-password", {"old": "x", "new": "y"}, expect=403)
    token.post("/auth/logout", expect=403)


def test_unknown_scopes_names_in_use_and_servers_of_others_are_refused(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    assert "tools.fly" in ann.post("/tokens", {"name": "t", "scopes": ["tools.fly"]}, expect=422)["detail"]
    ann.post("/tokens", {"name": "t"})
    ann.post("/tokens", {"name": "t"}, expect=409)
    server = gateway.user("bob").post("/servers", {"name": "private"})
    ann.post("/tokens", {"name": "u", "server_id": server["id"]}, expect=404)


def test_a_token_expires(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = gateway.user("ann")
    week, forever = ann.with_token(expires_in_days=7), ann.with_token(expires_in_days=None)
    for days, status in ((0, 200), (6, 200), (8, 401)):
        later = time.time() + days * 86_400
        monkeypatch.setattr("letgo_gateway.identity.authenticating.time", lambda later=later: later)
        assert week.raw("GET", "/tools").status_code == status
        assert forever.raw("GET", "/tools").status_code == 200


def test_a_revoked_token_is_refused_at_once_and_its_name_is_free(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    given = ann.post("/tokens", {"name": "laptop"})
    token = Caller(gateway.client, given["secret"])
    token.get("/tools")
    gateway.user("bob").delete(f"/tokens/{given['token']['id']}", 404)
    ann.delete(f"/tokens/{given['token']['id']}")
    token.get("/tools", 401)
    ann.delete(f"/tokens/{given['token']['id']}", 404)
    ann.post("/tokens", {"name": "laptop"})
    other = ann.post("/tokens", {"name": "phone"})
    gateway.admin.delete(f"/tokens/{other['token']['id']}")
    Caller(gateway.client, other["secret"]).get("/tools", 401)


def test_the_secret_is_told_once_and_the_last_use_is_written(
    start: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("letgo_gateway.identity.authenticating.USES_SECONDS", 0.1)
    gateway = start()
    ann = gateway.user("ann")
    given = ann.post("/tokens", {"name": "laptop"})
    assert set(given) == {"token", "secret"}
    assert "secret" not in ann.get("/tokens")["items"][0]
    assert ann.get("/tokens")["items"][0]["last_used_at"] is None
    Caller(gateway.client, given["secret"]).get("/tools")
    assert eventually(lambda: ann.get("/tokens")["items"][0]["last_used_at"])


def test_a_token_for_a_server_is_good_for_nothing_else(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    server = ann.post("/servers", {"name": "mine"})
    token = ann.with_token(server_id=server["id"])
    token.get("/tools", 403)
    token.get("/auth/email/me", 403)
