"""From a run that is over to its outcome."""

from collections.abc import Collection, Iterator
from datetime import datetime

from letgo import __version__
from letgo.prove import histogram, measuring
from letgo.prove.machine import this_machine
from letgo.prove.outcome import FORMAT, Cost, Outcome, Setup, Verdict
from letgo.prove.run import Run
from letgo.prove.thresholds import DATABASE


def conclude(run: Run, started: datetime) -> Outcome:
    plan, recording = run.plan, run.recording
    assert run.sampler is not None
    seen = run.sampler.seen
    end = run.start + recording.until
    run.sampler.stop()
    if run.pools is not None:
        run.pools.stop()
    found = run.metrics(plan.thresholds)
    share = measuring.seen_share(seen, run.start, end)
    judgements = measuring.judge(plan.thresholds, found, share)
    unknown = {each.metric for each in judgements if each.passed is None}
    incomplete = [*run.incomplete, *why_unknown(run, unknown, share)]
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
        timeline=measuring.timeline(
            recording, seen, run.start, run.app_cpu, run.pools.looks if run.pools is not None else ()
        ),
        routes=measuring.routes(recording),
        holders=measuring.holders(seen),
        failures=measuring.failures(recording),
        gaps=measuring.gaps(seen, run.start, end),
        cost=cost_of(run),
        machine=this_machine(run.sampler.server_version),
    )


def why_unknown(run: Run, metrics: Collection[str], seen_share: float) -> Iterator[str]:
    """A reason for each kind of metric that has a threshold and no measurement."""
    if any(metric.startswith(DATABASE) for metric in metrics):
        yield why_unseen(run, seen_share)
    if any(metric.startswith("pool_") for metric in metrics):
        yield f"no guard tells of the app's pools at {run.plan.metrics}: serve the metrics of GuardCollector"
    if any(metric.startswith("connecting.") for metric in metrics):
        yield "no connection was made, or its maker does not tell how long that took"


def why_unseen(run: Run, share: float) -> str:
    assert run.sampler is not None
    if any(sample.unseen for sample in run.sampler.seen.samples):
        return "the database role may not see the sessions of others: grant it pg_monitor, or connect as the app's role"
    return f"the database could be seen for only {share:.0%} of the time"


def setup_of(run: Run) -> Setup:
    plan, schedule = run.plan, run.plan.schedule
    if run.pools is not None and run.pools.missed:
        run.notes.append(
            f"the app's metrics at {plan.metrics} did not come {run.pools.missed} times of "
            f"{run.pools.missed + len(run.pools.looks)}"
        )
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
        connections=histogram.count_of(recording.connecting),
        connecting_p99=histogram.percentile(recording.connecting, 99) if recording.connecting else None,
        samples=len(samples.samples) if samples else 0,
        sample_seconds=round(samples.asking / (len(samples.samples) or 1), 6) if samples else 0.0,
        app_cpu_share=round((app[-1][1] - app[0][1]) / (app[-1][0] - app[0][0]), 3) if len(app) > 1 else None,
    )
