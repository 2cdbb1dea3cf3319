"""From what was recorded and seen to numbers: the metrics that thresholds speak of, the time axis, the tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TypeVar

from letgo.prove import histogram
from letgo.prove.outcome import Failure, Gap, Holder, Judgement, Route, Timeline
from letgo.prove.pools import PoolLook, pool_metrics, waited
from letgo.prove.recording import Recording
from letgo.prove.sampler import Counters, Sample, Seen
from letgo.prove.thresholds import PERCENTILE, Threshold

T = TypeVar("T")

PERCENTILES = (50, 90, 95, 99, 99.9)

BLIND_SHARE = 0.05
"""If more of the run than this went unseen, its database metrics are not known."""

CpuSamples = Sequence[tuple[float, float]]
"""When (seconds since the start), and how many CPU seconds had been used."""


def metrics(
    recording: Recording,
    seen: Seen | None,
    start: float,
    thresholds: Iterable[Threshold] = (),
    looks: Sequence[PoolLook] = (),
) -> dict[str, float]:
    """All metrics by name; those of the database are left out without a sampler, those of pools without a guard."""
    latencies = recording.latencies()
    wanted = {float(match[1]) for each in thresholds if (match := PERCENTILE.fullmatch(each.metric))}
    first, last = (int(edge / recording.step) for edge in recording.hold)
    full = recording.steps[first:last]
    found = {
        "rps": recording.good_in_hold / (recording.seconds_in_hold() or 1.0),
        "rps.min": min(((step.requests - step.errors) / recording.step for step in full), default=0.0),
        "errors": recording.errors / (recording.requests or 1),
        "errors.count": float(recording.errors),
        "requests": float(recording.requests),
        "latency.mean": histogram.mean(latencies),
        "latency.max": histogram.maximum(latencies),
    }
    for percent in sorted({*map(float, PERCENTILES), *wanted}):
        found[f"latency.p{percent:g}"] = histogram.percentile(latencies, percent)
    if recording.connecting:
        found["connecting.p99"] = histogram.percentile(recording.connecting, 99)
        found["connecting.max"] = histogram.maximum(recording.connecting)
    return found | (database_metrics(seen, start) if seen is not None else {}) | pool_metrics(looks, start)


def database_metrics(seen: Seen, start: float) -> dict[str, float]:
    samples = [sample for sample in seen.samples if sample.at >= start]
    sightings = sum(sample.idle for sample in samples)
    counters = [each for each in seen.counters if each.at >= start]
    return {
        "idle_in_transaction.max": _max(sample.idle for sample in samples),
        "idle_in_transaction.mean": _mean([sample.idle for sample in samples]),
        "idle_in_transaction.age.max": _max(sample.oldest for sample in samples),
        "idle_in_transaction.age.mean": sum(sample.ages for sample in samples) / (sightings or 1),
        "idle_in_transaction.transaction_age.max": _max(sample.oldest_transaction for sample in samples),
        "connections.max": _max(sample.total for sample in samples),
        "active.max": _max(sample.active for sample in samples),
        "waiting_on_locks.max": _max(sample.waiting for sample in samples),
        "commits_per_second": _rate(counters, lambda each: each.commits),
        "rollbacks_per_second": _rate(counters, lambda each: each.rollbacks),
    }


def judge(thresholds: Iterable[Threshold], found: dict[str, float], seen_share: float) -> tuple[Judgement, ...]:
    """Each threshold with its measurement. Unknown is what went unseen for long and holds in what was seen."""
    return tuple(_judge(threshold, found.get(threshold.metric), seen_share) for threshold in thresholds)


def _judge(threshold: Threshold, measured: float | None, seen_share: float) -> Judgement:
    passed = None if measured is None else threshold.holds(measured)
    if passed and threshold.of_database and seen_share < 1 - BLIND_SHARE:
        passed = None
    return Judgement(threshold.expression, threshold.metric, threshold.kind, measured, passed)


def seen_share(seen: Seen, start: float, end: float) -> float:
    """How much of the time from `start` to `end` the database could be seen, all of its sessions."""
    blind = sum(max(0.0, min(gap.end, end) - max(gap.start, start)) for gap in seen.blind)
    samples = [sample for sample in seen.samples if sample.at >= start]
    whole = sum(not sample.unseen for sample in samples) / len(samples) if samples else 0.0
    return max(0.0, 1 - blind / max(end - start, 0.1)) * whole


# --- the time axis ---------------------------------------------------------------------------------------------------


def timeline(
    recording: Recording, seen: Seen | None, start: float, app_cpu: CpuSamples, looks: Sequence[PoolLook] = ()
) -> Timeline:
    steps, width = recording.steps, recording.step
    samples = _by_step(((each.at - start, each) for each in (seen.samples if seen else ())), len(steps), width)
    rates = _spread(_rates(seen.counters if seen else []), start, len(steps), width)

    def of_steps(value: Callable[[int], float]) -> tuple[float | None, ...]:
        return tuple(round(value(index), 6) for index in range(len(steps)))

    def of_answers(percent: float) -> tuple[float | None, ...]:
        return tuple(
            round(histogram.percentile(step.latencies, percent), 6) if step.latencies else None for step in steps
        )

    def of_samples(value: Callable[[list[Sample]], float]) -> tuple[float | None, ...]:
        return tuple(round(value(each), 4) if each else None for each in samples)

    return Timeline(
        step=width,
        users=of_steps(lambda index: sum(steps[index].users.values())),
        rps=of_steps(lambda index: (steps[index].requests - steps[index].errors) / width),
        errors=of_steps(lambda index: steps[index].errors / width),
        p50=of_answers(50),
        p95=of_answers(95),
        p99=of_answers(99),
        idle_in_transaction=of_samples(lambda each: _max(sample.idle for sample in each)),
        oldest=of_samples(lambda each: _max(sample.oldest for sample in each)),
        oldest_transaction=of_samples(lambda each: _max(sample.oldest_transaction for sample in each)),
        active=of_samples(lambda each: _max(sample.active for sample in each)),
        waiting=of_samples(lambda each: _max(sample.waiting for sample in each)),
        connections=of_samples(lambda each: _max(sample.total for sample in each)),
        commits=tuple(rate and rate[0] for rate in rates),
        rollbacks=tuple(rate and rate[1] for rate in rates),
        pool_wait=_spread(
            ((each.start, each.end, round(each.seconds / each.waits, 6)) for each in waited(looks) if each.waits),
            start,
            len(steps),
            width,
        ),
        pool_pending=_spread(
            ((before.at, after.at, after.pending) for before, after in pairwise(looks)), start, len(steps), width
        ),
        app_cpu=_cpu_by_step(app_cpu, len(steps), width),
        load_cpu=of_steps(lambda index: steps[index].cpu_seconds / width),
    )


def _by_step(timed: Iterable[tuple[float, Sample]], count: int, width: float) -> list[list[Sample]]:
    steps: list[list[Sample]] = [[] for _ in range(count)]
    for at, sample in timed:
        if 0 <= at < count * width:
            steps[int(at / width)].append(sample)
    return steps


def _rates(counters: Sequence[Counters]) -> Iterator[tuple[float, float, tuple[float, float]]]:
    """Commits and rollbacks a second, from one time they were asked for to the next."""
    for before, after in pairwise(counters):
        seconds = after.at - before.at
        commits, rollbacks = after.commits - before.commits, after.rollbacks - before.rollbacks
        yield before.at, after.at, (round(max(0, commits) / seconds, 2), round(max(0, rollbacks) / seconds, 2))


def _spread(spans: Iterable[tuple[float, float, T]], start: float, count: int, width: float) -> tuple[T | None, ...]:
    """What is asked for less often than there are steps stands in each step that it spans."""
    values: list[T | None] = [None] * count
    for begun, ended, value in spans:
        first, last = int((begun - start) / width), int((ended - start) / width)
        for index in range(max(0, first), min(count, last + 1)):
            values[index] = value
    return tuple(values)


def _cpu_by_step(used: CpuSamples, count: int, width: float) -> tuple[float | None, ...]:
    shares: list[float | None] = [None] * count
    filled = 0
    for (at, before), (later, after) in pairwise(used):
        share = round(max(0.0, after - before) / (later - at), 3)
        until = min(count, int(later / width))
        shares[filled:until] = [share] * (until - filled)
        filled = max(filled, until)
    return tuple(shares)


# --- the tables ------------------------------------------------------------------------------------------------------


def routes(recording: Recording) -> tuple[Route, ...]:
    """The busiest first. Their RPS is over the whole run, good answers and bad."""
    found = [
        Route(
            name=name,
            requests=total.requests,
            errors=total.errors.total(),
            rps=total.requests / (recording.until or 1.0),
            mean=histogram.mean(total.latencies),
            maximum=histogram.maximum(total.latencies),
            seconds=tuple(histogram.seconds_of(bucket) for bucket in sorted(total.latencies)),
            counts=tuple(total.latencies[bucket] for bucket in sorted(total.latencies)),
        )
        for name, total in recording.routes.items()
    ]
    return tuple(sorted(found, key=lambda route: -route.requests))


def failures(recording: Recording) -> tuple[Failure, ...]:
    found = [
        Failure(name, cause, count) for name, total in recording.routes.items() for cause, count in total.errors.items()
    ]
    return tuple(sorted(found, key=lambda failure: -failure.count))


def holders(seen: Seen) -> tuple[Holder, ...]:
    """Who held, the longest first."""
    found = [
        Holder(
            route=origin.route,
            application=origin.application,
            statement=origin.statement,
            transactions=holds.transactions,
            age_mean=holds.ages / holds.transactions,
            age_max=holds.oldest,
            transaction_age_max=holds.oldest_transaction,
        )
        for origin, holds in seen.holds.items()
    ]
    return tuple(sorted(found, key=lambda holder: -holder.age_max))


def gaps(seen: Seen, start: float, end: float) -> tuple[Gap, ...]:
    return tuple(
        Gap(max(0.0, gap.start - start), gap.end - start, gap.reason)
        for gap in seen.blind
        if start < gap.end and gap.start < end
    )


def _max(values: Iterable[float]) -> float:
    return float(max(values, default=0))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _rate(counters: Sequence[Counters], count: Callable[[Counters], int]) -> float:
    if len(counters) < 2 or counters[-1].at <= counters[0].at:
        return 0.0
    return max(0.0, (count(counters[-1]) - count(counters[0])) / (counters[-1].at - counters[0].at))
