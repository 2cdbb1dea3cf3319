"""A run from its plan to its outcome."""

import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue

from letgo.prove.application import running
from letgo.prove.concluding import conclude
from letgo.prove.connection import target_of
from letgo.prove.databases import database, for_app
from letgo.prove.locust import ATTACHED_STEP, how_to_attach, locust_making
from letgo.prove.maker import Job, allow_connections
from letgo.prove.makers import Ended, Message, making
from letgo.prove.openapi import users_from_openapi
from letgo.prove.outcome import Outcome
from letgo.prove.plan import Locust, Plan
from letgo.prove.pools import PoolWatcher
from letgo.prove.processes import supervised
from letgo.prove.recording import Recording
from letgo.prove.run import LOCUST_SECONDS, Run
from letgo.prove.sampler import Sampler
from letgo.prove.scenario import Request, load_users
from letgo.prove.ticks import STEP, Began, Bug, Tick
from letgo.source.errors import UserError

LEAD_SECONDS = 0.5
"""From the start of the makers to the start of the load."""

LOCUST_GRACE_SECONDS = 10.0
"""How long Locust may take to end after the planned time."""

Observe = Callable[[Run], None]
"""Called whenever there is something new to show."""


def prove(plan: Plan, observe: Observe) -> Outcome:
    """Do all of it. Raises UserError if the load can't begin; what goes wrong later makes the outcome incomplete."""
    run = Run(plan)
    started = datetime.now(UTC)
    with ExitStack() as stack:

        def phase(words: str) -> None:
            run.phase = words
            observe(run)

        stack.enter_context(ended_in_order())
        open_files_for(plan)
        phase("starting Postgres" if plan.dsn is None else "connecting to Postgres")
        dsn, run.database = stack.enter_context(database(plan.dsn))
        run.sampler = stack.enter_context(Sampler(dsn))
        # `python` in a command is the one that runs letgo, whether or not its environment is activated.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {plan.dsn_env: for_app(dsn, plan.dsn_scheme), "PATH": path}
        for command in plan.setup:
            phase(f"running {command}")
            set_up(command, environment, plan)
        for command in plan.beside:
            stack.enter_context(supervised(shlex.split(command), environment, plan.directory))
        url = plan.url
        if plan.app is not None:
            phase(f"starting {plan.app.name}")
            url, run.app = stack.enter_context(running(plan.app, environment))
        assert url is not None
        somebody_listens_at(url)
        run.pools = stack.enter_context(PoolWatcher(target_of(url), plan.metrics))
        phase("reading what users do")
        messages = stack.enter_context(load(run, url))
        phase(waiting_for_workers(plan.locust, target_of(url).host) if plan.locust else "load")
        follow(run, messages, observe)
        phase("ending")
        return conclude(run, started)


@contextmanager
def load(run: Run, url: str) -> "Iterator[SimpleQueue[Message]]":
    """Make the load, with Locust or our own makers; gives what they say."""
    schedule = run.plan.schedule
    run.recording = Recording((schedule.ramp_up, schedule.ramp_up + schedule.hold))
    if run.plan.locust is None:
        with making(jobs_of(run, url)) as messages:
            yield messages
        return
    locust = run.plan.locust
    run.maker, run.patience = "Locust", LOCUST_SECONDS
    run.makers = 1 + locust.workers
    run.users_from = f"{locust.file.name}, by Locust"
    run.notes.append("Locust rounds latencies to two digits, and has no ramp down")
    if locust.attached:
        run.recording.step = ATTACHED_STEP
        run.notes.append(
            f"workers on other machines tell every {ATTACHED_STEP:g} s, so that rates are right within so much of the "
            "hold; what CPU they use is not seen here"
        )
    with locust_making(locust, schedule, url, run.plan.directory) as (messages, run.locusts):
        yield messages


def waiting_for_workers(locust: Locust, host: str) -> str:
    if not locust.attached:
        return "load"
    return f"load, once {locust.attached} workers have come: {how_to_attach(locust, host)}"


@contextmanager
def ended_in_order() -> Iterator[None]:
    """A polite request to end this process ends it as Ctrl-C does, so that nothing is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def somebody_listens_at(url: str) -> None:
    target = target_of(url)
    try:
        socket.create_connection((target.host, target.port), timeout=5).close()
    except OSError as error:
        raise UserError(f"nobody answers at {url}: {error}", "Start the app first, or let letgo start it.") from error


def open_files_for(plan: Plan) -> None:
    """A file for each connection, here and in the processes that inherit our limit: the makers and the app."""
    try:
        allow_connections(plan.schedule.users)
    except OSError as error:
        raise UserError(str(error), "Or take fewer --users.") from error


def set_up(command: str, environment: dict[str, str], plan: Plan) -> None:
    with supervised(shlex.split(command), environment, plan.directory) as process:
        if status := process.wait():
            raise UserError(
                f"--setup {command!r} failed with status {status}:\n{process.output()}".rstrip(":\n"),
                "It is run as a program, without a shell.",
            )


def jobs_of(run: Run, url: str) -> Sequence[Job]:
    """The load shared out between makers. Looks at the scenario first, so that its errors come before any load."""
    plan = run.plan
    requests: tuple[Request, ...] = ()
    if plan.scenario is not None:
        kinds = load_users(plan.scenario)
        run.users_from = (
            f"{plan.scenario.name}: {', '.join(f'{each.__name__} (weight {each.weight:g})' for each in kinds)}"
        )
    else:
        made = users_from_openapi(target_of(url))
        requests = made.requests
        run.users_from = f"the app's OpenAPI: {len(requests)} GET routes in turn, with example values"
        run.notes += [f"left out: {each}" for each in made.left_out]
    run.makers = min(plan.makers, plan.schedule.users)
    run.start = time.perf_counter() + LEAD_SECONDS
    schedule = plan.schedule
    return [
        Job(
            maker,
            run.makers,
            run.start,
            url,
            replace(
                schedule,
                users=len(range(maker, schedule.users, run.makers)),
                rate=schedule.rate and schedule.rate / run.makers,
            ),
            plan.timeout,
            plan.scenario and plan.scenario.absolute(),
            requests,
        )
        for maker in range(run.makers)
    ]


# --- while there is load ---------------------------------------------------------------------------------------------


def follow(run: Run, messages: "SimpleQueue[Message]", observe: Observe) -> None:
    """Take in what makers say until all have ended, or something ends the run."""
    working = run.makers
    heard = time.perf_counter()
    # A locustfile with a shape of its own decides for itself how long it goes on.
    end = run.plan.schedule.seconds + LOCUST_GRACE_SECONDS if run.plan.locust else inf
    try:
        while working and not (run.incomplete or run.hopeless) and run.elapsed < end:
            try:
                message = messages.get(timeout=0.2)
            except Empty:
                if time.perf_counter() - heard > run.patience:
                    run.incomplete.append(f"the makers of load have said nothing for {run.patience:g} s")
            else:
                heard = time.perf_counter()
                working -= take(run, message)
            look_after_app(run)
            if run.plan.abort_early:
                abort_if_hopeless(run)
            observe(run)
    except KeyboardInterrupt:
        run.incomplete.append("interrupted")


def take(run: Run, message: Message) -> bool:
    """Whether this was a maker's last."""
    match message:
        case Tick():
            run.recording.take(message)
        case Began(at):
            run.start = run.start or at
        case Bug(text):
            run.incomplete.append(text)
        case Ended(status):
            if status:
                said = next((locust.output() for locust in run.locusts if locust.exit_status == status), "")
                run.incomplete.append(f"a maker of load died with status {status}:\n{said}".rstrip(":\n"))
            return True
    return False


def look_after_app(run: Run) -> None:
    if run.app is None:
        return
    if run.app.exit_status is not None:
        run.incomplete.append(f"the app ended with status {run.app.exit_status}:\n{run.app.output()}".rstrip(":\n"))
        return
    if not run.app_cpu or run.elapsed - run.app_cpu[-1][0] >= STEP:
        used = run.app.cpu_seconds()
        if used is not None:
            run.app_cpu.append((run.elapsed, used))


def abort_if_hopeless(run: Run) -> None:
    hopeless = [each for each in run.plan.thresholds if each.hopeless_once_missed]
    if hopeless and run.start and run.elapsed:
        found = run.metrics(hopeless)
        for threshold in hopeless:
            measured = found.get(threshold.metric)
            if measured is not None and not threshold.holds(measured):
                run.hopeless = f"ended early, because {threshold.expression} can't be met any more"
                return
