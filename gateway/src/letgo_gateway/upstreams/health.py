"""When to leave an upstream alone: a circuit breaker, and the growing pauses between tries."""

import time
from collections.abc import Callable

from letgo_gateway.upstreams.errors import CircuitOpen

FAILURES = 5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class Breaker:
    """Opens after `FAILURES` failures in a row; then lets one call a pause through, until one succeeds.

    Pauses grow by calls that were let through and failed; many that were under way when it opened count as one failure.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._closed_until = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    def check(self) -> None:
        """Raises `CircuitOpen` if the upstream is left alone now."""
        if not self.is_open:
            return
        left = self._closed_until - self._clock()
        if left > 0:
            raise CircuitOpen(f"the upstream failed {self._failures} times in a row; it is tried again in {left:.0f} s")
        # This call is the one that is let through; others wait for what becomes of it.
        self._trying = True
        self._closed_until = self._clock() + self._pause

    def succeeded(self) -> None:
        self._failures, self._pause, self._trying = 0, FIRST_PAUSE, False

    def failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES or self._trying:
            self._trying = False
            self._closed_until = self._clock() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
