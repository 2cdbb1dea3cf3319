"""Log buckets: what goes in comes out, nearly, and any two histograms can be added."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from letgo.prove.histogram import bucket_of, count_of, maximum, mean, merged, percentile, seconds_of

micros = st.integers(0, 10**10)
samples = st.lists(micros, max_size=200)


def histogram(values: list[int]) -> Counter[int]:
    return Counter(map(bucket_of, values))


@given(micros)
def test_a_value_comes_back_within_half_a_percent(value: int) -> None:
    assert abs(seconds_of(bucket_of(value)) * 1e6 - value) <= max(0.5, value * 0.004)


@given(micros, micros)
def test_buckets_are_in_the_order_of_their_values(one: int, other: int) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other
    assert bucket_of(one + 1) - bucket_of(one) in (0, 1)


@given(samples, samples, samples)
def test_merging_is_adding_in_whatever_order(one: list[int], other: list[int], third: list[int]) -> None:
    a, b, c = histogram(one), histogram(other), histogram(third)
    assert merged([a, b, c]) == merged([c, merged([b, a])]) == histogram(one + other + third)
    assert merged([a, {}]) == a
    assert count_of(merged([a, b])) == len(one) + len(other)


@given(st.lists(micros, min_size=1, max_size=200), st.floats(0.1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], percent: float) -> None:
    found = percentile(histogram(values), percent) * 1e6
    wanted = sorted(values)[max(0, -int(-len(values) * percent // 100) - 1)]
    assert abs(found - wanted) <= max(0.5, wanted * 0.004)


@given(st.lists(micros, min_size=1, max_size=50))
def test_mean_and_maximum_are_those_of_the_values(values: list[int]) -> None:
    assert abs(mean(histogram(values)) * 1e6 - sum(values) / len(values)) <= max(0.5, sum(values) / len(values) * 0.004)
    assert abs(maximum(histogram(values)) * 1e6 - max(values)) <= max(0.5, max(values) * 0.004)


def test_no_values_are_nothing_and_no_error() -> None:
    assert (percentile({}, 99), mean({}), maximum({})) == (0, 0, 0)
