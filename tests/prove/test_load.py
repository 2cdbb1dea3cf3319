"""The load itself: how many users, how many requests, and how long they took."""

import asyncio
from typing import Any

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st
from tests.prove.conftest import TIMED

from letgo.prove import histogram
from letgo.prove.models import Schedule, arrivals
from letgo.prove.scenario import get

pytestmark = TIMED


def test_each_user_keeps_one_connection_alive(server, load) -> None:
    recording, bugs = load(Schedule(200, 0.2, 1.3, 0))
    assert bugs == []
    assert server.accepted == server.most_connections == 200
    assert recording.requests == server.requests > 400
    assert recording.errors == 0
    assert max(sum(step.users.values()) for step in recording.steps) == 200


def test_users_come_one_after_the_other_and_leave_so(server, load) -> None:
    scenario = "class Slow(User):\n    think = 0.02\n    def visit(self):\n        yield get('/')\n"
    recording, _ = load(Schedule(40, 2, 0.5, 2), scenario=scenario)
    users = [sum(step.users.values()) for step in recording.steps]
    top = users.index(max(users))
    assert 35 < users[top] <= 40  # on a busy machine the last comes when the first has left
    assert users[: top + 1] == sorted(users[: top + 1])
    assert users[top:] == sorted(users[top:], reverse=True)
    assert 0 < users[0] < 35
    assert users[7] < 35


def test_users_think_between_an_answer_and_the_next_request(server, load) -> None:
    scenario = "class Thinker(User):\n    think = (0.05, 0.15)\n    def visit(self):\n        yield get('/')\n"
    recording, _ = load(Schedule(20, 0, 1, 0), scenario=scenario)
    assert recording.requests == pytest.approx(20 * 10, rel=0.25)


def test_an_answer_with_another_status_than_expected_is_an_error(server, load) -> None:
    server.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    recording, _ = load(Schedule(5, 0, 0.5, 0), get("/a"), get("/b", expect=404), get("/c/1?x=2", name="/c/{id}"))
    errors = {name: dict(route.errors) for name, route in recording.routes.items()}
    assert errors["GET /a"] == {"status 404": recording.routes["GET /a"].requests}
    assert errors["GET /b"] == {}
    assert errors["GET /c/{id}"] == {"status 404": recording.routes["GET /c/{id}"].requests}


def test_a_failed_check_is_one_error_of_its_request(server, load) -> None:
    scenario = (
        "class Strict(User):\n    think = 0.01\n    def visit(self):\n        answer = yield get('/book')\n"
        "        assert answer.json().get('title'), 'no title'\n        yield get('/never')\n"
    )
    recording, _ = load(Schedule(3, 0, 0.5, 0), scenario=scenario)
    assert set(recording.routes) == {"GET /book"}
    assert dict(recording.routes["GET /book"].errors) == {"check failed: no title": recording.requests}


def test_a_user_arrives_once_and_visits_again_and_again(server, load) -> None:
    scenario = (
        "class Buyer(User):\n    think = 0.01\n"
        "    def arrive(self):\n        self.answer = yield post('/login', json={'user': self.number})\n"
        "    def visit(self):\n        assert self.answer.status == 200\n        yield get('/')\n"
    )
    recording, _ = load(Schedule(4, 0, 0.5, 0), scenario=scenario)
    assert recording.routes["POST /login"].requests == 4
    assert recording.routes["GET /"].requests > 20


def test_kinds_of_users_come_by_their_weight(server, load) -> None:
    scenario = (
        "class Reader(User):\n    weight = 9\n    def arrive(self):\n        yield get('/reader')\n"
        "    def visit(self):\n        yield get('/')\n    think = 0.1\n"
        "class Writer(Reader):\n    weight = 1\n    def arrive(self):\n        yield get('/writer')\n"
    )
    recording, _ = load(Schedule(50, 0, 0.3, 0), scenario=scenario)
    assert recording.routes["GET /reader"].requests == 45
    assert recording.routes["GET /writer"].requests == 5


def test_a_server_that_does_not_answer_is_given_up_after_the_timeout(server, load) -> None:
    server.answer = b""
    recording, _ = load(Schedule(3, 0, 0.9, 0), timeout=0.3)
    assert set(recording.routes["GET /"].errors) == {"no answer in 0.3 s"}
    assert histogram.percentile(recording.latencies(), 50) == pytest.approx(0.35, abs=0.1)


def test_what_is_under_way_when_the_run_ends_is_waited_for_as_long_as_all_else(server, load) -> None:
    server.stall(1.5, after=0.3)
    recording, _ = load(Schedule(3, 0, 0.5, 0))
    assert recording.errors == 0
    assert histogram.maximum(recording.latencies()) > 1.4


def test_what_is_under_way_when_the_run_ends_and_never_answered_is_an_error(server, load) -> None:
    server.answer = b""
    recording, _ = load(Schedule(3, 0, 0.5, 0), timeout=1.0)
    assert recording.requests == recording.errors == 3
    assert histogram.maximum(recording.latencies()) > 0.9


class FarAway(uvloop.Loop):
    """A loop that takes half a second to connect."""

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(0.5)
        return await super().create_connection(*arguments, **options)


def test_the_time_to_connect_is_told_by_itself(server, load) -> None:
    recording, _ = load(Schedule(5, 0, 1, 0), new_loop=FarAway)
    assert histogram.count_of(recording.connecting) == server.accepted == 5
    assert histogram.percentile(recording.connecting, 1) > 0.45
    assert histogram.percentile(recording.latencies(), 50) < 0.1
    assert histogram.maximum(recording.latencies()) < 0.45


def test_a_visit_that_is_due_waits_for_its_connection_too(server, load) -> None:
    recording, _ = load(Schedule(50, 0, 0.3, 0, rate=20), new_loop=FarAway)
    assert recording.requests == 6
    assert histogram.percentile(recording.latencies(), 1) > 0.45


def test_nobody_at_home_is_an_error_and_no_flood(load) -> None:
    recording, _ = load(Schedule(3, 0, 1.2, 0), url="http://127.0.0.1:1")
    assert recording.errors == recording.requests
    assert recording.requests <= 9
    assert all("no connection" in cause for cause in recording.routes["GET /"].errors)
    assert not recording.latencies()


def test_a_server_that_closes_after_each_answer_is_connected_to_again(server, load) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"
    recording, _ = load(Schedule(5, 0, 0.5, 0))
    assert recording.errors == 0
    assert server.accepted == recording.requests > 20


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (
            "class Bad(User):\n    def visit(self):\n        yield get('/')\n        1 / 0\n",
            "scenario.py:5: the scenario failed: ZeroDivisionError",
        ),
        ("class Bad(User):\n    def visit(self):\n        yield 'http://x'\n", "yielded 'http://x', not a request"),
        ("class Bad(User):\n    pass\n", "NotImplementedError: Bad has no visit()"),
        ("class Bad(User):\n    def visit(self):\n        get('/')\n", "Bad.visit() yields no requests"),
        ("class Bad(User):\n    def __init__(self, n):\n        1 / 0\n", "scenario.py:4: the scenario failed"),
        ("class Bad(User):\n    def visit(self):\n        yield from ()\n", "Bad.visit() made no request"),
    ],
)
def test_a_bug_in_a_scenario_ends_the_load_and_is_named(server, load, scenario: str, message: str) -> None:
    _, bugs = load(Schedule(10, 0, 20, 0), scenario=scenario)
    assert len(bugs) == 1
    assert message in bugs[0]


# --- the open model --------------------------------------------------------------------------------------------------


@given(st.floats(1, 200), st.floats(0, 3), st.floats(0, 3), st.floats(0, 3))
@example(191.0, 0.0, 0.0, 1.603996056304751)
def test_as_many_visits_are_due_as_the_rate_and_its_ramps_say(rate: float, up: float, hold: float, down: float) -> None:
    due = list(arrivals(Schedule(1, up, hold, down, rate)))
    assert len(due) == pytest.approx(rate * (up / 2 + hold + down / 2), abs=1)
    assert due == sorted(due)
    assert all(0 <= at <= up + hold + down + 1e-6 for at in due)
    if hold > 0.1:
        held = [at for at in due if up <= at < up + hold]
        assert len(held) == pytest.approx(rate * hold, abs=2)


def test_visits_come_at_their_rate_whatever_the_answers(server, load) -> None:
    recording, _ = load(Schedule(50, 0, 2, 0, rate=200))
    assert recording.requests == 400
    assert server.most_connections < 50


def test_a_stall_is_seen_by_all_the_visits_that_were_due_in_it(server, load) -> None:
    """Coordinated omission: from the sending, only the requests under way see a stall; by the clock, all do."""
    server.stall(1.0, after=0.5)
    recording, _ = load(Schedule(5, 0, 2, 0, rate=100))
    route = recording.routes["GET /"]
    assert recording.requests == 200
    # 100 of 200 visits were due in the second of the stall, and waited half a second on the average.
    assert histogram.percentile(route.latencies, 70) > 0.3
    assert histogram.percentile(route.latencies, 95) == pytest.approx(0.9, abs=0.15)
    assert histogram.percentile(route.service, 95) < 0.1


def test_a_closed_load_hardly_sees_the_same_stall(server, load) -> None:
    server.stall(1.0, after=0.5)
    scenario = "class Steady(User):\n    think = 0.05\n    def visit(self):\n        yield get('/')\n"
    recording, _ = load(Schedule(5, 0, 2, 0), scenario=scenario)
    assert histogram.percentile(recording.latencies(), 90) < 0.1
    assert histogram.maximum(recording.latencies()) > 0.8


def test_visits_that_nobody_could_begin_are_not_forgotten(server, load) -> None:
    server.answer = b""
    recording, _ = load(Schedule(2, 0, 1, 0, rate=200), timeout=1.0)
    assert "all users were busy to the end" in recording.routes["(visits never begun)"].errors
    assert 198 <= recording.requests == recording.errors <= 200  # each of the two may be between two visits at the end
