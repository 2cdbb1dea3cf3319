"""What goes wrong: a clear message, never a pass, nothing left running, no temporary data left."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.prove.conftest import APPS

from letgo.prove.application import App
from letgo.prove.models import Schedule
from letgo.prove.outcome import Outcome, Verdict
from letgo.prove.plan import Locust, Plan
from letgo.prove.postgres import embedded_postgres
from letgo.prove.run import Run
from letgo.prove.running import prove
from letgo.prove.thresholds import default_thresholds, parse
from letgo.source.errors import UserError

HELD = App("held:app", APPS)
VISIT = """from letgo.prove import User, get
class Visitor(User):
    think = 0.02
    def visit(self):
        yield get({!r})
"""


@pytest.fixture
def plan(postgres: str, tmp_path: Path) -> Plan:
    return Plan(
        Schedule(3, 0, 20, 0),
        tuple(map(parse, default_thresholds(3))),
        app=HELD,
        dsn=postgres,
        scenario=scenario(tmp_path, "/fine"),
        directory=tmp_path,
    )


def scenario(directory: Path, path: str) -> Path:
    file = directory / "scenario.py"
    file.write_text(VISIT.format(path))
    return file


def run(plan: Plan, observe: Callable[[Run], None] = lambda run: None) -> Outcome:
    return prove(plan, observe)


def test_an_app_that_dies_leaves_an_incomplete_run_with_what_was_measured(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(VISIT.format("/fine") + "        if self.random.random() < 0.02:\n            yield get('/dies')\n")
    outcome = run(replace(plan, scenario=file))
    assert outcome.verdict is Verdict.INCOMPLETE
    assert outcome.incomplete[0].startswith("the app ended with status 3")
    assert outcome.seconds < 15
    assert outcome.metrics["requests"] > 0


def test_an_app_that_can_not_be_imported_is_told_with_its_traceback(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("raise RuntimeError('no settings')\n")
    with pytest.raises(UserError, match="RuntimeError: no settings"):
        run(replace(plan, app=App("torn:app", tmp_path)))


def test_an_app_that_never_answers_is_given_up(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(UserError, match=r"did not answer within 1 s"):
        run(replace(plan, app=App("deaf:app", tmp_path, start_seconds=1)))


def test_a_port_that_is_taken_is_told(plan: Plan) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} can't be had"):
            run(replace(plan, app=replace(HELD, port=port)))


def test_an_address_where_nobody_answers_is_told(plan: Plan) -> None:
    with pytest.raises(UserError, match="nobody answers at http"):
        run(replace(plan, app=None, url="http://127.0.0.1:1"))


def test_a_bug_in_the_scenario_leaves_an_incomplete_run(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(VISIT.format("/fine") + "        if self.random.random() < 0.05:\n            1 / 0\n")
    outcome = run(replace(plan, scenario=file))
    assert outcome.verdict is Verdict.INCOMPLETE
    assert "scenario.py:7: the scenario failed: ZeroDivisionError" in outcome.incomplete[0]


def test_a_database_that_is_gone_for_long_makes_the_run_incomplete_and_says_when(plan: Plan) -> None:
    with embedded_postgres() as server:
        stopping = threading.Event()

        def stop(run: Run) -> None:
            if run.elapsed > 1 and not stopping.is_set():
                stopping.set()
                threading.Thread(target=server.stop).start()

        thresholds = (parse("connections.max < 99"),)
        outcome = run(replace(plan, dsn=server.dsn, schedule=Schedule(3, 0, 3, 0), thresholds=thresholds), stop)
        assert outcome.gaps
        server.start()
    assert outcome.verdict is Verdict.INCOMPLETE
    assert "the database could be seen for only" in outcome.incomplete[0]
    assert any(failure.cause == "status 500" for failure in outcome.failures)


def test_a_database_without_a_connection_to_spare_is_still_seen(plan: Plan, tmp_path: Path) -> None:
    with embedded_postgres({"max_connections": "8", "superuser_reserved_connections": "0"}) as server:
        crowd = replace(plan, dsn=server.dsn, schedule=Schedule(12, 0, 3, 0), scenario=scenario(tmp_path, "/held/300"))
        outcome = run(crowd)
    assert outcome.verdict is Verdict.FAILED
    assert any(failure.cause == "status 500" for failure in outcome.failures)
    assert outcome.metrics["connections.max"] == 7
    assert not [gap for gap in outcome.gaps if "too busy" not in gap.reason]


def test_a_database_that_restarts_is_seen_again_and_the_run_does_not_pass(plan: Plan) -> None:
    with embedded_postgres() as server:
        restarting: list[threading.Thread] = []

        def restart() -> None:
            server.stop()
            server.start()

        def restart_once(run: Run) -> None:
            if run.elapsed > 1 and not restarting:
                restarting.append(threading.Thread(target=restart))
                restarting[0].start()

        outcome = run(replace(plan, dsn=server.dsn, schedule=Schedule(3, 0, 15, 0)), restart_once)
        restarting[0].join()
    assert outcome.verdict is not Verdict.PASSED
    assert outcome.gaps
    assert any(failure.cause == "status 500" for failure in outcome.failures)
    lost = next(step for step, errors in enumerate(outcome.timeline.errors) if errors)
    assert any(outcome.timeline.rps[lost + 1 :])
    assert any(connections is not None for connections in outcome.timeline.connections[lost + 1 :])
    assert outcome.gaps[0].end < 15


def test_a_locustfile_that_can_not_be_read_is_told_with_its_traceback(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text("import no_such_module\n")
    outcome = run(replace(plan, scenario=None, locust=Locust(file)))
    assert outcome.verdict is Verdict.INCOMPLETE
    assert "No module named 'no_such_module'" in outcome.incomplete[0]


def test_a_maker_of_load_that_is_killed_is_noticed(plan: Plan) -> None:
    def kill_a_maker(run: Run) -> None:
        for pid in children_of(os.getpid(), "letgo.prove.maker") if run.phase == "load" and run.elapsed > 1 else ():
            os.kill(pid, signal.SIGKILL)

    outcome = run(plan, kill_a_maker)
    assert outcome.verdict is Verdict.INCOMPLETE
    assert "a maker of load died" in outcome.incomplete[0]


# --- nothing is left behind ------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """Where the run puts its temporary data; short, for a socket's path has a limit."""
    with tempfile.TemporaryDirectory(prefix="lg", dir="/tmp") as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


def start(temporary: Path, *options: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TMPDIR": str(temporary), "NO_COLOR": "1", "SERVED": str(temporary / "served")}
    for name in ("DATABASE_URL", "CI"):  # CI would keep it from saying how far it is
        environment.pop(name, None)
    command = [sys.executable, "-c", "from letgo.cli import main; main()", "prove", "held:app", "--app-dir", str(APPS)]
    command += ["--users", "3", "--hold", "60s", "--ramp-up", "0", "--no-html", *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=temporary,
        start_new_session=True,
    )


def wait_for_load(process: "subprocess.Popen[str]", temporary: Path) -> None:
    """Until a user was answered, and its maker of load has had the time to tell of that."""
    assert process.stderr is not None
    assert "letgo prove: load\n" in process.stderr, "it ended before there was any load"
    served = temporary / "served"
    served.unlink(missing_ok=True)  # the routes were tried before
    while not served.exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1.2)


def marked(temporary: Path) -> list[str]:
    """The processes with our temporary directory in their environment or on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(temporary).encode() in text:
            found.append((process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " "))
    return found


def children_of(parent: int, word: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            own = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        if own == parent and word in command:
            found.append(int(process.name))
    return found


def nothing_is_left(temporary: Path) -> bool:
    deadline = time.monotonic() + 30
    while marked(temporary) or list(temporary.glob("letgo-*")):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@linux
def test_interrupted_it_still_reports_and_leaves_nothing(temporary: Path) -> None:
    process = start(temporary)
    wait_for_load(process, temporary)
    assert len(marked(temporary)) > 3
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.startswith("INCOMPLETE: interrupted")
    assert "GET /fine" in out
    assert nothing_is_left(temporary)


@linux
def test_ended_while_it_starts_it_leaves_nothing(temporary: Path) -> None:
    process = start(temporary)
    assert process.stderr is not None
    assert process.stderr.readline() == "letgo prove: starting Postgres\n"
    time.sleep(0.3)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert nothing_is_left(temporary)


@linux
def test_interrupted_while_it_sets_up_it_ends_that_too(temporary: Path) -> None:
    process = start(temporary, "--setup", "sleep 300")
    assert process.stderr is not None
    for line in process.stderr:
        if "running sleep" in line:
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert nothing_is_left(temporary)


@linux
def test_a_database_that_refuses_is_told_in_a_line(temporary: Path) -> None:
    process = start(temporary, "--dsn", "postgresql://nobody@127.0.0.1:1/none")
    out, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert "the database can't be reached" in told
    assert "Traceback" not in told
    assert nothing_is_left(temporary)


@linux
def test_killed_without_warning_it_leaves_nothing(temporary: Path) -> None:
    process = start(temporary, "--setup", "true", "--beside", "sleep 300")
    wait_for_load(process, temporary)
    process.kill()
    process.communicate()
    assert nothing_is_left(temporary)
