"""Passwords, sessions, lockout, and passwords that must be changed."""

import time

import pytest
from gateway.tests.serving import PASSWORD, Caller, RunningGateway, StartGateway

from letgo_gateway.identity import sessions


def test_a_one_time_password_allows_nothing_but_to_choose_another(gateway: RunningGateway) -> None:
    given = gateway.admin.post("/auth/email/users", {"email": "ann@example.com"})
    begun = gateway.anybody.post("/auth/login", {"email": "ann@example.com", "password": given["password"]})
    assert begun["must_change"]
    ann = Caller(gateway.client, begun["access_token"])
    for path in ("/tools", "/teams", "/tokens", "/auth/email/me"):
        assert "choose a password" in ann.get(path, 403)["detail"]
    ann.post("/tokens", {"name": "mine"}, expect=403)
    new = ann.post("/auth/email/change-password", {"old": given["password"], "new": PASSWORD})
    assert not new["must_change"]
    assert Caller(gateway.client, new["access_token"]).get("/tools")["items"] == []


def test_a_new_password_ends_all_sessions_and_the_old_one(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    other = gateway.log_in("ann@example.com")
    ann.post("/auth/email/change-password", {"old": PASSWORD, "new": "another long password"})
    ann.get("/auth/email/me", 401)
    other.get("/auth/email/me", 401)
    gateway.anybody.post("/auth/login", {"email": "ann@example.com", "password": PASSWORD}, expect=401)
    gateway.log_in("ann@example.com", "another long password")


def test_logging_out_ends_all_sessions(gateway: RunningGateway) -> None:
    ann, other = gateway.user("ann"), gateway.log_in("admin@example.com")
    ann.post("/auth/logout")
    ann.get("/auth/email/me", 401)
    other.get("/auth/email/me")


def test_too_many_wrong_passwords_lock_an_account_for_a_while(start: StartGateway) -> None:
    gateway = start(login_attempts=3, lockout_seconds=3600)
    gateway.user("ann")
    wrong = {"email": "ann@example.com", "password": "wrong"}
    for _ in range(3):
        assert gateway.anybody.post("/auth/login", wrong, expect=401)["detail"] == "wrong e-mail address or password"
    locked = gateway.anybody.raw("POST", "/auth/login", json=wrong | {"password": PASSWORD})
    assert locked.status_code == 429
    assert 3500 < int(locked.headers["Retry-After"]) <= 3600
    user = gateway.admin.get("/auth/email/users?email=ann@example.com")["items"][0]
    password = gateway.admin.patch(f"/auth/email/users/{user['id']}", {"reset_password": True})["password"]
    assert gateway.anybody.post("/auth/login", wrong | {"password": password})["must_change"]


def test_right_passwords_forget_the_wrong_ones(start: StartGateway) -> None:
    gateway = start(login_attempts=2)
    gateway.user("ann")
    for _ in range(3):
        gateway.anybody.post("/auth/login", {"email": "ann@example.com", "password": "wrong"}, expect=401)
        gateway.log_in("ann@example.com")


def test_an_unknown_address_is_told_the_same_as_a_wrong_password(gateway: RunningGateway) -> None:
    gateway.user("ann")
    answers = [
        gateway.anybody.post("/auth/login", {"email": email, "password": "wrong"}, expect=401)
        for email in ("ann@example.com", "nobody@example.com")
    ]
    assert answers[0] == answers[1]


def test_a_session_ends_in_its_time(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = gateway.user("ann")
    for hours, status in ((7, 200), (9, 401)):
        later = time.time() + hours * 3600
        monkeypatch.setattr("letgo_gateway.identity.authenticating.time", lambda later=later: later)
        assert ann.raw("GET", "/auth/email/me").status_code == status


def test_what_another_key_has_signed_is_no_session_and_neither_is_one_that_is_over(start: StartGateway) -> None:
    one, other = start(), start(secret_key="another key, which is long enough as well")
    Caller(other.client, one.admin.token).get("/auth/email/me", 401)
    over = sessions.issue(one.rooms.keys.sessions, one.admin.id, 1, seconds=-1)
    for token in (over, "not.a.token", "lgw_nobody", "x" * 5000):
        Caller(one.client, token).get("/auth/email/me", 401)
    assert one.anybody.raw("GET", "/auth/email/me").headers["WWW-Authenticate"] == "Bearer"


def test_short_passwords_are_refused(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    refused = ann.post("/auth/email/change-password", {"old": PASSWORD, "new": "short"}, expect=422)
    assert refused["detail"] == "a password has at least 12 characters"


def test_nobody_registers_unless_the_settings_allow_it(start: StartGateway) -> None:
    asked = {"email": "Ann@Example.com", "password": PASSWORD}
    start().anybody.post("/auth/email/register", asked, expect=403)
    open_to_all = start(registration=True)
    user = open_to_all.anybody.post("/auth/email/register", asked)
    assert (user["email"], user["admin"]) == ("ann@example.com", False)
    open_to_all.log_in("ann@example.com")
    open_to_all.anybody.post("/auth/email/register", asked, expect=409)


def test_only_administrators_manage_users_and_the_last_one_stays(gateway: RunningGateway) -> None:
    ann = gateway.user("ann")
    for method, path in (("GET", ""), ("GET", f"/{ann.id}"), ("DELETE", f"/{ann.id}")):
        ann.ask(method, f"/auth/email/users{path}", 403)
    ann.post("/auth/email/users", {"email": "x@example.com"}, expect=403)
    ann.patch(f"/auth/email/users/{ann.id}", {"admin": True}, expect=403)
    admin = gateway.admin
    for change in ({"admin": False}, {"active": False}):
        assert (
            admin.patch(f"/auth/email/users/{admin.id}", change, expect=409)["detail"]
            == "this is the last administrator"
        )
    admin.delete(f"/auth/email/users/{admin.id}", expect=409)
    admin.patch(f"/auth/email/users/{ann.id}", {"admin": True})
    assert ann.get("/auth/email/me")["admin"]
    admin.patch(f"/auth/email/users/{ann.id}", {"active": False})
    ann.get("/auth/email/me", 401)
    admin.delete(f"/auth/email/users/{ann.id}")
    admin.get(f"/auth/email/users/{ann.id}", 404)


def test_users_are_listed_page_by_page(gateway: RunningGateway) -> None:
    for name in ("ann", "bob", "eve"):
        gateway.user(name)
    seen, path = [], "/auth/email/users?limit=2"
    while path:
        page = gateway.admin.get(path)
        seen += [user["email"] for user in page["items"]]
        path = page["next_cursor"] and f"/auth/email/users?limit=2&cursor={page['next_cursor']}"
    assert seen == [f"{name}@example.com" for name in ("admin", "ann", "bob", "eve")]
    gateway.admin.get("/auth/email/users?cursor=nonsense", 422)
