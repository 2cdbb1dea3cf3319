"""A run from its plan to its outcome."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from letgo import __version__
from letgo.prove import measuring
from letgo.prove.application import running
from letgo.prove.connection import target_of
from letgo.prove.databases import database, for_app
from letgo.prove.machine import this_machine
from letgo.prove.maker import Job
from letgo.prove.makers import Ended, Message, making
from letgo.prove.openapi import users_from_openapi
from letgo.prove.outcome import FORMAT, Cost, Outcome, Setup, Verdict
from letgo.prove.plan import Plan
from letgo.prove.processes import Supervised, supervised
from letgo.prove.recording import Recording
from letgo.prove.sampler import Sampler
from letgo.prove.scenario import Request, load_users
from letgo.prove.thresholds import Threshold
from letgo.prove.ticks import STEP, Began, Bug, Tick
from letgo.source.errors import UserError

LEAD_SECONDS = 0.5
"""From the start of the makers to the start of the load."""

SILENT_SECONDS = 30.0
"""If no maker says anything for so long, something is wrong with all of them."""


LOCUST_SECONDS = 150.0
"""The same for Locust, which may first have to wait for its workers."""


@dataclass(slots=True)
class Run:
    """What is known of a run while it goes on. `phase` says in words what it does now."""

    plan: Plan
    phase: str = ""
    start: float = 0.0
    recording: Recording = field(default_factory=lambda: Recording((0, 0)))
    sampler: Sampler | None = None
    app: Supervised | None = None
    app_cpu: list[tuple[float, float]] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    hopeless: str = ""
    notes: list[str] = field(default_factory=list)
    users_from: str = ""
    database: str = ""
    makers: int = 0
    maker: str = "letgo"
    locusts: Sequence[Supervised] = ()
    patience: float = SILENT_SECONDS

    @property
    def elapsed(self) -> float:
        """Seconds of load so far."""
        return max(0.0, time.perf_counter() - self.start) if self.start else 0.0


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
        phase("reading what users do")
        messages = stack.enter_context(load(run, url))
        phase("load")
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
    from letgo.prove.locust import locust_making

    locust = run.plan.locust
    run.maker, run.patience = "Locust", LOCUST_SECONDS
    run.makers = 1 + locust.workers
    run.users_from = f"{locust.file.name}, by Locust"
    run.notes.append("Locust rounds latencies to two digits, and has no ramp down")
    if locust.attached:
        run.phase = f"waiting for {locust.attached} Locust workers: locust -f - --worker --master-host <this machine>"
    with locust_making(locust, schedule, url, run.plan.directory) as (messages, run.locusts):
        yield messages


@contextmanager
def ended_in_order() -> Iterator[None]:
    """A polite request to end this process ends it as Ctrl-C does, so that nothing is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def set_up(command: str, environment: dict[str, str], plan: Plan) -> None:
    try:
        done = subprocess.run(
            shlex.split(command),
            env={**os.environ, **environment},
            cwd=plan.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise UserError(
            f"--setup {command!r} can't be run: {error.strerror}", "It is not a shell's command: name a program."
        ) from error
    if done.returncode:
        raise UserError(f"--setup {command!r} failed with status {done.returncode}:\n{done.stdout[-2000:].rstrip()}")


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
    try:
        while working and not (run.incomplete or run.hopeless):
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
        found = current_metrics(run, hopeless)
        for threshold in hopeless:
            measured = found.get(threshold.metric)
            if measured is not None and not threshold.holds(measured):
                run.hopeless = f"ended early, because {threshold.expression} can't be met any more"
                return


def current_metrics(run: Run, thresholds: Sequence[Threshold] = ()) -> dict[str, float]:
    seen = run.sampler.seen if run.sampler else None
    return measuring.metrics(run.recording, seen, run.start, thresholds)


# --- afterwards ------------------------------------------------------------------------------------------------------


def conclude(run: Run, started: datetime) -> Outcome:
    plan, recording = run.plan, run.recording
    assert run.sampler is not None
    seen = run.sampler.seen
    end = run.start + recording.until
    run.sampler.stop()
    found = current_metrics(run, plan.thresholds)
    share = measuring.seen_share(seen, run.start, end)
    judgements = measuring.judge(plan.thresholds, found, share)
    incomplete = list(run.incomplete)
    if any(each.passed is None for each in judgements):
        incomplete.append(why_unseen(run, share))
    if not recording.requests:
        incomplete.append("not one request ended")
    if any(each.passed is False for each in judgements) and not run.incomplete:
        verdict = Verdict.FAILED
    else:
        verdict = Verdict.INCOMPLETE if incomplete else Verdict.PASSED
    return Outcome(
        format=FORMAT,
        letgo=__version__,
        title=plan.title,
        started=started.isoformat(timespec="seconds"),
        seconds=round(recording.until, 3),
        verdict=verdict,
        incomplete=tuple(incomplete),
        judgements=judgements,
        metrics={name: round(value, 6) for name, value in found.items()},
        setup=setup_of(run),
        timeline=measuring.timeline(recording, seen, run.start, run.app_cpu),
        routes=measuring.routes(recording),
        holders=measuring.holders(seen),
        failures=measuring.failures(recording),
        gaps=measuring.gaps(seen, run.start, end),
        cost=cost_of(run),
        machine=this_machine(run.sampler.server_version),
    )


def why_unseen(run: Run, share: float) -> str:
    assert run.sampler is not None
    if any(sample.unseen for sample in run.sampler.seen.samples):
        return "the database role may not see the sessions of others: grant it pg_monitor, or connect as the app's role"
    return f"the database could be seen for only {share:.0%} of the time"


def setup_of(run: Run) -> Setup:
    plan, schedule = run.plan, run.plan.schedule
    return Setup(
        app=plan.title,
        server=plan.app.server if plan.app else "(was running)",
        workers=plan.app.workers if plan.app else 0,
        database=run.database,
        model="open" if schedule.rate else "closed",
        users=schedule.users,
        rate=schedule.rate,
        ramp_up=schedule.ramp_up,
        hold=schedule.hold,
        ramp_down=schedule.ramp_down,
        timeout=plan.timeout,
        users_from=run.users_from,
        notes=(*filter(None, [run.hopeless]), *run.notes),
    )


def cost_of(run: Run) -> Cost:
    recording, samples = run.recording, run.sampler.seen if run.sampler else None
    seconds = recording.until or 1.0
    app = run.app_cpu
    return Cost(
        makers=run.makers,
        maker=run.maker,
        cpu_share=round(recording.cpu_seconds / seconds, 4),
        cpu_per_request=round(recording.cpu_seconds / (recording.requests or 1), 9),
        late=round(recording.late, 4),
        samples=len(samples.samples) if samples else 0,
        sample_seconds=round(samples.asking / (len(samples.samples) or 1), 6) if samples else 0.0,
        app_cpu_share=round((app[-1][1] - app[0][1]) / (app[-1][0] - app[0][0]), 3) if len(app) > 1 else None,
    )
