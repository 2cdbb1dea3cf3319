"""Processes that end with us, however we end.

Each runs under a supervisor, in a process group of its own. The supervisor's input is a pipe that only we hold: when it
closes, by order or because we are no more, the supervisor ends the whole group.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

GRACE_SECONDS = 3.0
"""How long a group may take to end in order before it is killed."""

OUTPUT_LINES = 15


class Supervised:
    """A command with all its processes. What it writes is kept; `output` gives the end of it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, pass_fds: Sequence[int] = ()
    ) -> None:
        self.command = shlex.join(command)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, *command],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=directory,
            pass_fds=pass_fds,
            start_new_session=True,  # the terminal's Ctrl-C is for us, who then end this in order
        )

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float | None = None) -> int:
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it and all it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(GRACE_SECONDS + 5)
        self._output.close()

    def output(self) -> str:
        """The last lines that it wrote."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-OUTPUT_LINES:])

    def cpu_seconds(self) -> float | None:
        """What its processes have used so far; None where that can't be seen (only Linux shows it)."""
        return _cpu_seconds_below(self._process.pid)


@contextmanager
def supervised(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, pass_fds: Sequence[int] = ()
) -> Iterator[Supervised]:
    process = Supervised(command, environment, directory, pass_fds)
    try:
        yield process
    finally:
        process.stop()


def _cpu_seconds_below(supervisor: int) -> float | None:
    """By https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, fields 4, 14 and 15."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    try:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                pid = int(stat.parent.name)
                parents[pid] = int(fields[1])
                used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
    if supervisor not in used:
        return None
    family = {supervisor}
    while more := {pid for pid, parent in parents.items() if parent in family and pid not in family}:
        family |= more
    return sum(used[pid] for pid in family if pid != supervisor)


# --- the supervisor's side: run as a script, with the standard library alone ---------------------------------------


def _supervise(command: Sequence[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, close_fds=False, start_new_session=True, preexec_fn=_default_signals
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_end_with_input, args=(child.pid,), daemon=True).start()
    status = child.wait()
    _end(child.pid)
    return status if status >= 0 else 128 - status


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _end_with_input(group: int) -> None:
    os.read(0, 1)  # not through sys.stdin: a thread that waits there can't be left behind when the process ends
    _end(group)
    os._exit(0)


def _end(group: int) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.05)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_supervise(sys.argv[1:]))
