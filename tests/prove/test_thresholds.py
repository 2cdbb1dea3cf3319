"""Thresholds: what can be said, what it means, and what is said of what can't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.prove.thresholds import COMPARISONS, METRICS, UNITS, default_thresholds, kind_of, parse
from letgo.source.errors import UserError


@pytest.mark.parametrize(
    ("text", "value", "holds", "fails"),
    [
        ("idle_in_transaction.max < 50", 50, 49, 50),
        ("idle_in_transaction.age.max < 5s", 5, 4.99, 5),
        ("latency.p99 <= 500ms", 0.5, 0.5, 0.51),
        ("latency.p99.9<2m", 120, 119, 120),
        ("rps > 2_000", 2000, 2001, 2000),
        ("errors < 0.1%", 0.001, 0.0009, 0.001),
        ("errors >= 0", 0, 0, -1),
    ],
)
def test_a_threshold_is_a_metric_a_comparison_and_a_value_with_a_unit(
    text: str, value: float, holds: float, fails: float
) -> None:
    threshold = parse(text)
    assert threshold.value == pytest.approx(value)
    assert threshold.holds(holds)
    assert not threshold.holds(fails)


@given(
    st.sampled_from([*METRICS, "latency.p50", "latency.p99.99"]),
    st.sampled_from(list(COMPARISONS)),
    st.integers(0, 10**6),
    st.data(),
)
def test_every_metric_can_be_compared_in_each_of_its_units(
    metric: str, comparison: str, number: int, data: st.DataObject
) -> None:
    units = UNITS[kind_of(metric)]
    unit = data.draw(st.sampled_from(list(units) or [""]))
    threshold = parse(f"  {metric}{comparison} {number}{unit} ")
    assert threshold.value == pytest.approx(number * units.get(unit, 1))
    assert parse(threshold.expression) == threshold


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("latency.p99", "is not a threshold", "latency.p99 < 500ms"),
        (
            "idle_in_transaction.maxx < 50",
            "no metric 'idle_in_transaction.maxx'",
            "Did you mean 'idle_in_transaction.max'?",
        ),
        ("latency.p99 < 5", "5 of what?", "us, ms, s, m"),
        ("rps > 20s", "can't be in 's'", "a plain number"),
        ("errors < 5ms", "can't be in 'ms'", "%"),
        ("rps == 5", "is not a threshold", "<="),
        ("latency.p101 < 5s", "no metric", "latency.pN"),
        ("rps > 2000; import os", "is not a threshold", ""),
    ],
)
def test_what_is_no_threshold_is_told_with_a_remedy(text: str, message: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        parse(text)
    assert message in error.value.message
    assert hint in error.value.hint


def test_the_default_profile_asks_4000_users_for_2000_answers_a_second() -> None:
    assert "rps > 2000" in default_thresholds(4000)
    assert "rps > 25" in default_thresholds(50)
    assert all(parse(text) for text in default_thresholds(7))


def test_only_a_greatest_value_that_was_passed_is_hopeless() -> None:
    hopeless = {text for text in default_thresholds(100) if parse(text).hopeless_once_missed}
    assert hopeless == {"idle_in_transaction.max < 50", "idle_in_transaction.age.max < 5s"}
