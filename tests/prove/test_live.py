"""What a terminal shows while a run goes on."""

import io
from types import SimpleNamespace

import pytest

from letgo.prove.live import sparkline, watching
from letgo.prove.models import Schedule
from letgo.prove.plan import Plan
from letgo.prove.recording import Recording
from letgo.prove.run import Run
from letgo.prove.sampler import Sample, Seen
from letgo.prove.ticks import RouteTick, Tick

PLAN = Plan(Schedule(200, 0, 3600, 0), (), url="http://127.0.0.1:8000")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def under_way() -> Run:
    run = Run(PLAN, phase="load", recording=Recording((0, 3600)))
    for second in range(1, 5):
        route = RouteTick(50, {1000: 48}, {}, {"status 500": 2})
        run.recording.take(Tick(0, second / 2, 200, 0.1, 0.0, {"GET /": route}))
    run.sampler = SimpleNamespace(seen=Seen([Sample(float(n), idle=n, oldest=n / 10) for n in range(38)]))  # type: ignore[assignment]
    run.start = 1e-9  # long ago
    return run


def shown(run: Run) -> str:
    terminal = Terminal()
    with watching(terminal, PLAN) as observe:
        observe(run)
    return terminal.getvalue()


def test_a_terminal_shows_users_answers_latencies_errors_and_who_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    text = shown(under_way())
    for name, value in (
        ("users", "200"),
        ("good answers a second", "96"),
        ("errors a second", "4"),
        ("idle in transaction", "37"),
        ("oldest of them", "3.70 s"),
    ):
        assert name in text
        assert value in text
    assert "P50" in text
    assert "P99" in text


def test_a_log_has_a_line_for_each_phase_and_ci_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for ci, expected in (("", "letgo prove: load\n"), ("1", "")):
        monkeypatch.setenv("CI", ci)
        log = io.StringIO()
        with watching(log, PLAN) as observe:
            observe(under_way())
            observe(under_way())
        assert log.getvalue() == expected


def test_a_sparkline_has_the_highest_value_as_a_full_block() -> None:
    assert sparkline([0, 1, 2, 4]) == "▁▃▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
