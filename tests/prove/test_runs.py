"""Whole runs: an app, its database, users, and a verdict."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from tests.prove.conftest import APPS, TIMED, Server

from letgo.prove.application import App, free_port
from letgo.prove.models import Schedule
from letgo.prove.outcome import Outcome, Verdict
from letgo.prove.plan import Locust, Plan
from letgo.prove.processes import supervised
from letgo.prove.running import prove
from letgo.prove.thresholds import parse
from letgo.source.errors import UserError

pytestmark = TIMED

HELD = App("held:app", APPS)
SCENARIO = """
from letgo.prove import User, get

class Visitor(User):
    think = 0.02
    def visit(self):
        yield get("/fine")
        yield get("/held/300", name="/held/{milliseconds}")
"""


@pytest.fixture
def plan(database: URL, tmp_path: Path) -> Plan:
    scenario = tmp_path / "scenario.py"
    scenario.write_text(SCENARIO)
    return Plan(
        Schedule(5, 0.2, 2, 0.2),
        (parse("idle_in_transaction.age.max < 2s"), parse("errors < 0.1%")),
        app=HELD,
        dsn=database.render_as_string(hide_password=False),
        scenario=scenario,
        directory=tmp_path,
    )


def run(plan: Plan) -> Outcome:
    return prove(plan, lambda run: None)


def without_the_database(plan: Plan) -> Plan:
    """For runs that are about their load: on a busy machine too little may be seen of the database to pass."""
    return replace(plan, thresholds=(parse("errors < 0.1%"),))


def test_a_run_measures_holds_by_their_route_and_passes(plan: Plan) -> None:
    outcome = run(plan)
    assert outcome.verdict is Verdict.PASSED
    assert outcome.incomplete == ()
    held = next(holder for holder in outcome.holders if holder.statement == "select 42")
    assert held.route == "GET /held/{milliseconds}"
    assert held.age_max == pytest.approx(0.3, abs=0.12)
    assert outcome.metrics["idle_in_transaction.max"] == pytest.approx(5, abs=1)
    counts = {route.name: route.requests for route in outcome.routes}
    assert counts["GET /held/{milliseconds}"] == pytest.approx(5 * 2.3 / 0.36, rel=0.3)
    assert outcome.cost.cpu_share < 0.2
    assert outcome.machine.versions["postgres"]
    assert any(value for value in outcome.timeline.app_cpu) or sys.platform != "linux"


def test_a_missed_threshold_fails_the_run_and_ends_it_early_if_that_is_asked_for(plan: Plan) -> None:
    schedule = Schedule(5, 0.2, 60, 0)
    thresholds = (parse("idle_in_transaction.age.max < 100ms"), parse("rps > 1"))
    outcome = run(replace(plan, schedule=schedule, thresholds=thresholds, abort_early=True))
    assert outcome.verdict is Verdict.FAILED
    assert outcome.seconds < 5
    assert "ended early, because idle_in_transaction.age.max < 100ms can't be met any more" in outcome.setup.notes


def test_without_a_scenario_users_come_from_the_openapi_and_the_report_says_so(plan: Plan) -> None:
    outcome = run(replace(plan, scenario=None, schedule=Schedule(3, 0, 1, 0)))
    assert "the app's OpenAPI: 2 GET routes" in outcome.setup.users_from
    assert {route.name for route in outcome.routes} == {"GET /fine", "GET /held/{milliseconds}"}
    assert "left out: GET /broken: answered with status 500" in outcome.setup.notes


def test_setup_runs_before_the_app_with_its_database_and_beside_runs_along(
    plan: Plan, tmp_path: Path, server: Server
) -> None:
    see = "import os, pathlib, time; pathlib.Path('{}').write_text(os.environ['SHOP_DSN']); time.sleep({})"
    outcome = run(
        replace(
            plan,
            app=None,
            url=server.url,
            dsn_env="SHOP_DSN",
            dsn_scheme="postgresql+asyncpg",
            setup=(f'{sys.executable} -c "{see.format("setup", 0)}"',),
            beside=(f'{sys.executable} -c "{see.format("beside", 60)}"',),
            schedule=Schedule(1, 0, 1, 0),
        )
    )
    assert outcome.setup.server == "(was running)"
    for file in ("setup", "beside"):
        assert (tmp_path / file).read_text().startswith("postgresql+asyncpg://postgres@/letgo_")


def test_setup_that_fails_is_told_with_what_it_said(plan: Plan) -> None:
    with pytest.raises(UserError, match=r"failed with status 3:\nno table"):
        run(replace(plan, setup=(f"{sys.executable} -c \"import sys; print('no table'); sys.exit(3)\"",)))
    with pytest.raises(UserError, match="failed with status 127:\nno-such-program: No such file"):
        run(replace(plan, setup=("no-such-program",)))


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_several_workers_under_either_server_are_one_app(plan: Plan, server: Any) -> None:
    app = replace(HELD, server=server, workers=2)
    outcome = run(replace(without_the_database(plan), app=app, schedule=Schedule(6, 0, 1, 0)))
    assert outcome.verdict is Verdict.PASSED
    assert outcome.routes[0].requests > 10


LOCUSTFILE = """
from locust import FastHttpUser, HttpUser, SequentialTaskSet, TaskSet, constant, events, task

@events.init_command_line_parser.add_listener
def add_arguments(parser):
    parser.add_argument("--shelf", default="fine")

@events.test_start.add_listener
def remember(environment, **_):
    environment.shelf = environment.parsed_options.shelf

class Steps(SequentialTaskSet):
    @task
    def first(self):
        self.client.get("/fine", name="/first")

    @task
    class Then(TaskSet):
        @task
        def second(self):
            self.client.get("/fine", name="/second")
            self.interrupt()

class Walker(FastHttpUser):
    wait_time = constant(0.05)
    tasks = [Steps]

class Visitor(HttpUser):
    weight = 2
    wait_time = constant(0.05)

    def on_start(self):
        self.client.get("/fine", name="/login")

    @task(9)
    def visit(self):
        self.client.get(f"/{self.environment.shelf}")
        with self.client.get("/broken", catch_response=True, name="/broken?") as answer:
            answer.failure("as it should")

    @task
    def ask_elsewhere(self):
        events.request.fire(
            request_type="QUEUE", name="put", response_time=12.3, response_length=0, exception=None, context={}
        )

class Clumsy(HttpUser):
    fixed_count = 1
    wait_time = constant(0.3)

    @task
    def stumble(self):
        raise KeyError("purse")
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_locust_makes_the_load_alone_and_with_workers(plan: Plan, tmp_path: Path, workers: int) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    schedule = Schedule(7, 1, 3, 0)
    outcome = run(
        replace(plan, scenario=None, locust=Locust(file, workers), schedule=schedule, thresholds=(parse("rps > 1"),))
    )
    assert outcome.incomplete == ()
    assert outcome.verdict is Verdict.PASSED
    requests = {route.name: (route.requests, route.errors) for route in outcome.routes}
    for good in ("GET /first", "GET /second", "GET /fine", "QUEUE put"):
        assert requests[good][0] > 0
        assert requests[good][1] == 0
    assert requests["GET /login"] == (4, 0)
    assert requests["GET /broken?"][0] == requests["GET /broken?"][1] > 5
    assert requests["(exception in a user)"][0] == requests["(exception in a user)"][1] > 1
    stumbled = f"'purse' in stumble (locustfile.py:{LOCUSTFILE[: LOCUSTFILE.index('raise')].count(chr(10)) + 1})"
    assert {failure.cause for failure in outcome.failures} == {"as it should", stumbled}
    assert max(filter(None, outcome.timeline.users)) == 7
    assert outcome.cost.makers == 1 + workers


SHAPE = """
from locust import HttpUser, LoadTestShape, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/fine")

class Stairs(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
        return (2 if seconds < 2 else 5, 10) if seconds < 5 else None
"""


def test_a_locustfile_may_have_a_shape_of_its_own(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(SHAPE)
    schedule = Schedule(9, 0, 5, 0)
    outcome = run(replace(without_the_database(plan), scenario=None, locust=Locust(file), schedule=schedule))
    assert outcome.verdict is Verdict.PASSED
    users = [count for count in outcome.timeline.users if count]
    assert users[0] == 2
    assert max(users) == 5


def test_workers_that_others_start_share_the_load(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port("127.0.0.1", None)
    monkeypatch.setattr("letgo.prove.locust.PORT", port)  # so that several of these tests can run at a time
    file = tmp_path / "locustfile.py"
    file.write_text(SHAPE.partition("class Stairs")[0])
    command = [sys.executable, "-m", "locust", "-f", str(file), "--worker", "--master-port", str(port)]
    with supervised(command, {}, tmp_path), supervised(command, {}, tmp_path):
        locust = Locust(file, attached=2)
        schedule = Schedule(4, 0, 5, 0)
        outcome = run(replace(without_the_database(plan), scenario=None, locust=locust, schedule=schedule))
    assert outcome.verdict is Verdict.PASSED
    assert outcome.routes[0].name == "GET /fine"
    assert outcome.routes[0].requests > 20
    assert outcome.timeline.step == 3.0
    assert max(filter(None, outcome.timeline.users)) == 4
