"""The makers of load: started, listened to, and ended."""

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, TypeAlias

from letgo.prove.maker import Job
from letgo.prove.ticks import Began, Bug, Tick


@dataclass(frozen=True, slots=True)
class Ended:
    """A maker will say no more."""

    status: int


Message: TypeAlias = Tick | Began | Bug | Ended


@contextmanager
def making(jobs: Sequence[Job]) -> Iterator["SimpleQueue[Message]"]:
    """Start a process for each job; gives what they say, with one `Ended` for each."""
    processes = [_started(job) for job in jobs]
    messages: SimpleQueue[Message] = SimpleQueue()
    try:
        for process in processes:
            listen(_pipe(process.stdout), process.wait, messages)
        yield messages
    finally:
        _stop(processes)


def listen(out: IO[bytes], status: Callable[[], int], messages: "SimpleQueue[Message]") -> None:
    """Put into `messages` what a maker writes to `out`, and its exit status at the end."""

    def take() -> None:
        with out:
            while True:
                try:
                    messages.put(pickle.load(out))
                except (EOFError, pickle.UnpicklingError, ValueError):
                    break
        messages.put(Ended(status()))

    threading.Thread(target=take, daemon=True).start()


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """By the end of their input."""
    for process in processes:
        _pipe(process.stdin).close()
    for process in processes:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(job: Job) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "letgo.prove.maker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # the terminal's Ctrl-C is for us, who then end this in order
    )
    pickle.dump(job, _pipe(process.stdin))
    _pipe(process.stdin).flush()
    return process


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
