"""`python -m load`, in gateway/: put the gateway under load with `letgo prove`, whose options may follow."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from load.world import SETTINGS

HERE = Path(__file__).parent
THRESHOLDS = (
    "idle_in_transaction.max < 50",
    "idle_in_transaction.age.max < 5s",
    "idle_in_transaction.age.mean < 2s",
    "errors < 0.1%",
    "latency.p99 < 5s",
)


def command(given: Sequence[str]) -> list[str]:
    """`letgo prove` for the gateway; what is `given` goes over what is said here."""
    said = [
        *(sys.executable, "-m", "letgo", "prove", "load.app:app", "--app-dir", str(HERE.parent), "--workers", "2"),
        *("--scenario", str(HERE / "scenario.py"), "--setup", "python -m load.seed"),
        *("--beside", "python -m load.upstream", "--start-timeout", "120s"),
    ]
    if "--threshold" not in given:
        said += [word for threshold in THRESHOLDS for word in ("--threshold", threshold)]
    return [*said, *given]


def main() -> None:
    said = command(sys.argv[1:])
    os.execve(sys.executable, said, {**os.environ, **SETTINGS, "PYTHONPATH": str(HERE.parent)})


if __name__ == "__main__":
    main()
