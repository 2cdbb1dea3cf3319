"""Latencies as counts in logarithmic buckets: whatever the number of requests, a few hundred numbers.

Up to 255 us a bucket is one microsecond wide; from there on each power of two has 128 buckets, so that a value read
back is at most 0.4 % away from the one put in. The layout is that of HdrHistogram (https://hdrhistogram.org), and like
there the buckets of any two histograms are the same: merging is adding.
"""

from collections.abc import Iterable, Mapping, Sequence

HALF = 7  # a power of two has 2**7 buckets

Counts = Mapping[int, int]
"""How many values fell into each bucket, without the empty ones."""


def bucket_of(micros: int) -> int:
    """The bucket of a latency in microseconds (0 or more)."""
    shift = micros.bit_length() - HALF - 1
    return micros if shift <= 0 else (shift << HALF) + (micros >> shift)


def seconds_of(bucket: int) -> float:
    """The middle of a bucket."""
    shift = max((bucket >> HALF) - 1, 0)
    return (((bucket - (shift << HALF)) << shift) + ((1 << shift) - 1) / 2) / 1e6


def merged(histograms: Iterable[Counts]) -> dict[int, int]:
    total: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def count_of(counts: Counts) -> int:
    return sum(counts.values())


def percentile(counts: Counts, percent: float) -> float:
    """The seconds that `percent` of all values don't exceed; 0 for no values."""
    buckets = sorted(counts)
    return percentile_of([seconds_of(bucket) for bucket in buckets], [counts[bucket] for bucket in buckets], percent)


def percentile_of(values: Sequence[float], counts: Sequence[int], percent: float) -> float:
    """The same for rising values that were counted; 0 for none."""
    wanted = sum(counts) * percent / 100
    seen = 0
    for value, count in zip(values, counts, strict=True):
        seen += count
        if seen >= wanted:
            return value
    return 0.0


def mean(counts: Counts) -> float:
    """In seconds; 0 for no values."""
    return sum(seconds_of(bucket) * count for bucket, count in counts.items()) / max(1, count_of(counts))


def maximum(counts: Counts) -> float:
    """In seconds; 0 for no values."""
    return seconds_of(max(counts, default=0))
