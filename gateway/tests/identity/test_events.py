"""What happens to accounts is written down, for their users and for administrators."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.tests.serving import PASSWORD, Caller, StartGateway

from letgo_gateway.identity.events import KEPT, forget

EVENTS = "/auth/email/events"
LOCKED = timedelta(days=200)


def actions(caller: Caller, query: str = "") -> list[str]:
    return [event["action"] for event in caller.get(EVENTS + query)["items"]]


def test_each_thing_that_happens_to_an_account_is_told_to_its_user_the_newest_first(start: StartGateway) -> None:
    gateway = start(login_attempts=2, lockout_seconds=0.001)
    ann = gateway.user("ann")
    for _ in range(2):
        gateway.anybody.post("/auth/login", {"email": ann.email, "password": "wrong"}, expect=401)
    token = ann.post("/tokens", {"name": "laptop"})["token"]
    ann.delete(f"/tokens/{token['id']}")
    ann.post("/auth/logout")
    ann = gateway.log_in(ann.email)
    happened = ["login", "logout", "token_revoked", "token_created", "locked", "login_failed", "login_failed"]
    assert actions(ann) == [*happened, "password_changed", "login"]
    event = ann.get(EVENTS)["items"][0]
    assert (event["user_id"], event["email"], event["address"]) == (ann.id, ann.email, "testclient")
    assert event["correlation_id"]
    gateway.admin.patch(f"/auth/email/users/{ann.id}", {"reset_password": True})
    assert actions(gateway.admin, f"?email={ann.email}")[0] == "password_reset"
    assert "password_reset" not in actions(gateway.admin)


def test_only_who_manages_users_is_told_of_others_and_of_addresses_that_nobody_has(start: StartGateway) -> None:
    gateway = start(registration=True)
    ann = gateway.user("ann")
    gateway.anybody.post("/auth/login", {"email": "nobody@example.com", "password": "wrong"}, expect=401)
    gateway.anybody.post("/auth/email/register", {"email": "new@example.com", "password": PASSWORD})
    for query in ("?everybody=true", "?email=nobody@example.com", f"?email={ann.email}"):
        ann.get(EVENTS + query, 403)
    ann.with_token(scopes=["tools.read"]).get(EVENTS, 403)
    gateway.anybody.get(EVENTS, 401)
    failed = gateway.admin.get(EVENTS + "?email=nobody@example.com")["items"]
    assert [(event["action"], event["user_id"]) for event in failed] == [("login_failed", None)]
    everybodys = actions(gateway.admin, "?everybody=true")
    assert {"registered", "login_failed", "login", "token_created"} <= set(everybodys)
    gateway.admin.delete(f"/auth/email/users/{ann.id}")
    gone = gateway.admin.get(EVENTS + f"?email={ann.email}")["items"]
    assert gone and all(event["user_id"] is None for event in gone)


def test_events_are_told_page_by_page(start: StartGateway) -> None:
    gateway = start(login_attempts=100)
    for _ in range(5):
        gateway.anybody.post("/auth/login", {"email": gateway.admin.email, "password": "wrong"}, expect=401)
    whole = [event["id"] for event in gateway.admin.get(EVENTS + "?limit=1000")["items"]]
    seen: list[str] = []
    path: Any = EVENTS + "?limit=2"
    while path:
        page = gateway.admin.get(path)
        seen += [event["id"] for event in page["items"]]
        path = page["next_cursor"] and f"{EVENTS}?limit=2&cursor={page['next_cursor']}"
    assert seen == whole and len(seen) >= 6
    for cursor in ("nonsense", "WyIwMDAxLTAxLTAxVDAwOjAwKzE0OjAwIiwgIngiXQ", "WyJ4IiwgIngiXQ"):
        gateway.admin.get(f"{EVENTS}?cursor={cursor}", 422)


def test_what_is_old_is_forgotten_and_what_is_locked_stays_so(start: StartGateway) -> None:
    gateway = start(login_attempts=1, lockout_seconds=LOCKED.total_seconds())
    gateway.anybody.post("/auth/login", {"email": "nobody@example.com", "password": "wrong"}, expect=401)
    portal: Any = gateway.client.portal
    write = gateway.rooms.database.write

    def forget_after(age: timedelta) -> None:
        portal.call(write, forget, datetime.now(UTC) + age)

    def guess(expect: int) -> None:
        gateway.anybody.post("/auth/login", {"email": "nobody@example.com", "password": "wrong"}, expect=expect)

    forget_after(KEPT - timedelta(hours=1))
    assert actions(gateway.admin) != []
    forget_after(KEPT + timedelta(hours=1))
    assert actions(gateway.admin) == []
    guess(429)
    forget_after(LOCKED + timedelta(hours=1))
    guess(401)
