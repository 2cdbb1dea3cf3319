"""Runs commands as processes of their own, and says what they took."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Run(NamedTuple):
    """Seconds on the clock and of all processors, and the most memory that one of the processes had, in bytes."""

    wall: float
    cpu: float
    memory: int


class Contender(NamedTuple):
    """What is measured. `prepare` is done before each run and not counted; more than `limit` seconds are too many.

    It has done its work if it ends with one of the exit codes `done`.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[], object] = lambda: None
    limit: float = 300.0
    done: tuple[int, ...] = (0, 1)


class Measured(NamedTuple):
    name: str
    runs: tuple[Run, ...]
    limit: float

    @property
    def wall(self) -> float | None:
        """The median, None when it took too long."""
        return median(run.wall for run in self.runs) if self.runs else None

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)


def run_once(contender: Contender, directory: Path) -> Run | None:
    contender.prepare()
    log = directory.parent / "output.txt"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            contender.command, cwd=directory, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            taken = time.perf_counter() - began
            if pid:
                break
            if taken > contender.limit:
                os.killpg(process.pid, 9)
                os.wait4(process.pid, 0)
                process.returncode = -9
                return None
            time.sleep(0.002)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in contender.done:
        raise SystemExit(f"{contender.name} failed with exit code {process.returncode}; see {log}")
    return Run(taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def side_by_side(contenders: Sequence[Contender], directory: Path, rounds: int) -> list[Measured]:
    """Each in turn, so many times: whatever else slows the machine meanwhile slows them all."""
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    given_up: set[str] = set()
    for _ in range(rounds):
        for contender in contenders:
            if contender.name in given_up:
                continue
            run = run_once(contender, directory)
            if run is None:
                given_up.add(contender.name)
            else:
                runs[contender.name].append(run)
    return [Measured(contender.name, tuple(runs[contender.name]), contender.limit) for contender in contenders]
