"""An outcome to try reports on."""

from letgo.prove.outcome import (
    Cost,
    Failure,
    Gap,
    Holder,
    Judgement,
    Machine,
    Outcome,
    Route,
    Setup,
    Timeline,
    Verdict,
)

COLUMN = (1.0, None, 3.0)

METRICS = {
    "rps": 381.2,
    "errors": 0.012,
    "errors.count": 12.0,
    "requests": 1000.0,
    "latency.p50": 0.012,
    "latency.p99": 0.3,
    "latency.max": 1.5,
    "idle_in_transaction.max": 10.0,
    "idle_in_transaction.age.max": 15.4,
}


def outcome(
    verdict: Verdict = Verdict.FAILED,
    text: str = "select 1",
    incomplete: tuple[str, ...] = (),
    metrics: dict[str, float] | None = None,
) -> Outcome:
    """`text` is put wherever an app, a server or a database may put what it likes."""
    return Outcome(
        format=2,
        letgo="0.1.0",
        title=f"app:{text}",
        started="2024-05-01T10:00:00+00:00",
        seconds=12.5,
        verdict=verdict,
        incomplete=incomplete,
        judgements=(
            Judgement("idle_in_transaction.max < 50", "idle_in_transaction.max", "count", 10.0, True),
            Judgement("idle_in_transaction.age.max < 5s", "idle_in_transaction.age.max", "seconds", 15.4, False),
            Judgement("connections.max < 5", "connections.max", "count", None, None),
        ),
        metrics=METRICS | (metrics or {}),
        setup=Setup(text, "uvicorn", 1, text, "closed", 50, None, 2.0, 10.0, 1.0, 30.0, text, (text,)),
        timeline=Timeline(0.5, *[COLUMN] * 18),
        routes=(Route(text, 1000, 12, 80.0, 0.02, 1.5, (0.01, 0.3, 1.5), (900, 99, 1)),),
        holders=(Holder(text, "shop", text, 7, 5.5, 15.4, 15.5),),
        failures=(Failure(text, text, 12),),
        gaps=(Gap(1.0, 2.0, text),),
        cost=Cost(1, "letgo", 0.05, 0.00003, 0.002, 50, 0.01, 120, 0.0011, 1.2),
        machine=Machine("Linux", 2, 2**34, {"python": "3.11", "postgres": "18"}),
    )
