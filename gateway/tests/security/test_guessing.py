"""Who guesses passwords and addresses: is stopped, and learns of nobody whether they have an account."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gateway.tests.serving import PASSWORD, RunningGateway, StartGateway

from letgo_gateway.errors import TooMany
from letgo_gateway.identity.passwords import AT_ONCE, WAITING, Passwords

KNOWN, UNKNOWN, OFF = "ann@example.com", "nobody@example.com", "off@example.com"


def guess(gateway: RunningGateway, email: str, password: str = "a guess") -> Any:
    return gateway.anybody.raw("POST", "/auth/login", json={"email": email, "password": password})


def told(answer: Any) -> tuple[int, Any, list[str], str]:
    """All that tells one answer from another, but for its id and how many seconds are left."""
    after = answer.headers.get("retry-after", "")
    return answer.status_code, answer.json(), sorted(answer.headers), after[:3]


def addresses(gateway: RunningGateway) -> tuple[str, str, str]:
    """Of a user, of nobody, and of a user who was switched off."""
    gateway.user("ann")
    gateway.admin.patch(f"/auth/email/users/{gateway.user('off').id}", {"active": False})
    return KNOWN, UNKNOWN, OFF


def test_guesses_are_answered_and_locked_out_alike_whether_the_address_is_known_or_not(start: StartGateway) -> None:
    gateway = start(login_attempts=3, lockout_seconds=36_000)
    answers = [[told(guess(gateway, email)) for _ in range(5)] for email in addresses(gateway)]
    assert [status for status, *_ in answers[0]] == [401, 401, 401, 429, 429]
    assert answers[0] == answers[1] == answers[2]


def test_a_guess_is_as_much_work_for_an_address_that_nobody_has(
    start: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes time is counted, and not measured."""
    gateway = start(login_attempts=3)
    done: list[str] = []
    database = type(gateway.rooms.database)
    for owner, name in ((database, "read"), (database, "write"), (Passwords, "verify")):
        monkeypatch.setattr(owner, name, noting(done, getattr(owner, name)))
    work = {}
    for email in addresses(gateway):
        done.clear()
        for _ in range(4):
            guess(gateway, email)
        work[email] = list(done)
    assert work[KNOWN] == work[UNKNOWN] == work[OFF]
    assert work[KNOWN].count("Passwords.verify") == 3, "the fourth is refused unseen"


def noting(done: list[str], method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noted(owner: Any, *arguments: Any, **named: Any) -> Any:
        work = getattr(arguments[0], "__name__", "") if arguments else ""
        if work != "versions_now":  # asked for in the background
            done.append(work if method.__name__ != "verify" else "Passwords.verify")
        return await method(owner, *arguments, **named)

    return noted


def test_a_locked_account_does_not_open_for_the_right_password(start: StartGateway) -> None:
    gateway = start(login_attempts=3)
    gateway.user("ann")
    for _ in range(3):
        guess(gateway, KNOWN)
    assert guess(gateway, KNOWN, PASSWORD).status_code == 429


def test_many_guesses_at_once_are_counted_like_one_after_another(start: StartGateway) -> None:
    gateway = start(login_attempts=5, lockout_seconds=36_000)
    for email in addresses(gateway):
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda _, email=email: guess(gateway, email).status_code, range(16)))
        assert set(statuses) <= {401, 429}
        assert guess(gateway, email, PASSWORD).status_code == 429


def test_the_lock_ends_in_its_time_and_the_count_begins_anew(start: StartGateway) -> None:
    gateway = start(login_attempts=1, lockout_seconds=0.001)
    for email in addresses(gateway)[:2]:
        assert [guess(gateway, email).status_code for _ in range(3)] == [401, 401, 401]
    gateway.log_in(KNOWN)


def test_a_flood_of_logins_is_refused_at_once_and_takes_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, most, running, lock = threading.Event(), 0, 0, threading.Lock()
    passwords = Passwords(64)

    def slow(hashed: str, password: str) -> bool:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        let_go.wait()
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(passwords, "_is", slow)

    async def flood() -> list[Any]:
        tasks = [asyncio.create_task(passwords.verify("hash", "guess")) for _ in range(WAITING + 10)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert all(isinstance(one.exception(), TooMany) for one in done)
        let_go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(flood())
    assert sum(isinstance(one, TooMany) for one in found) == 10 and found.count(True) == WAITING
    assert most <= AT_ONCE


def test_nobody_learns_of_an_account_where_nobody_can_register(start: StartGateway) -> None:
    gateway = start()
    gateway.user("ann")
    asked = [{"email": email, "password": PASSWORD} for email in (KNOWN, UNKNOWN)]
    answers = [told(gateway.anybody.raw("POST", "/auth/email/register", json=one)) for one in asked]
    assert answers[0] == answers[1] and answers[0][0] == 403


def test_an_invitation_says_nothing_of_who_has_an_account(gateway: RunningGateway) -> None:
    team = gateway.team("books", "ann")
    gateway.user("bob")
    ann, eve = gateway.user("ann"), gateway.user("eve")
    made = [ann.post(f"/teams/{team}/invitations", {"email": email}) for email in ("bob@example.com", UNKNOWN)]
    assert made[0].keys() == made[1].keys() and made[0]["role"] == made[1]["role"]
    refused = [eve.post("/teams/invitations/accept", {"code": code}, 404) for code in (made[0]["code"], "a guess")]
    assert refused[0] == refused[1], "another's code is told as one that there is not"


def test_what_needs_no_credentials_is_known_and_there_is_no_way_to_reset_a_password_among_it(
    start: StartGateway,
) -> None:
    gateway = start(allowed_hosts=("testserver",))
    told = gateway.anybody.get("/openapi.json")["paths"]
    unguarded = {
        (method, path)
        for path, known in told.items()
        for method in known
        if gateway.anybody.raw(method.upper(), path.replace("{", "").replace("}", ""), json={}).status_code != 401
    }
    assert unguarded == {
        ("get", "/health"),
        ("get", "/ready"),
        ("get", "/version"),
        ("post", "/auth/login"),
        ("post", "/auth/email/register"),
    }
