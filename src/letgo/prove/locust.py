"""Load made by Locust: a team's own users, in one process or shared out to workers, here and on other machines.

Locust runs in processes of its own. Beside the team's file it loads `letgo.prove.locust_listener`, which tells us what
its statistics say, in the same words as our own makers.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from letgo.prove import locust_listener
from letgo.prove.application import HOST, free_port
from letgo.prove.makers import Message, listen
from letgo.prove.models import Schedule
from letgo.prove.plan import Locust
from letgo.prove.processes import Supervised, supervised

STOP_SECONDS = 5
"""How long users may take for their last requests."""

WORKERS_SECONDS = 120
"""How long Locust waits for its workers."""

ATTACHED_STEP = 3.0
"""Seconds: how often a worker tells its master of its own accord. Those that we start tell as often as our makers."""

PORT = 5557
"""Where a worker of Locust looks for its master if nothing else is said."""


@contextmanager
def locust_making(
    locust: Locust, schedule: Schedule, url: str, directory: Path
) -> Iterator[tuple["SimpleQueue[Message]", Sequence[Supervised]]]:
    """Start Locust; gives what its processes say, with an `Ended` for each, and the processes."""
    messages: SimpleQueue[Message] = SimpleQueue()
    with ExitStack() as stack:
        processes = []
        for number, command in enumerate(commands(locust, schedule, url)):
            reading, writing = os.pipe()
            environment = {locust_listener.PIPE: str(writing), locust_listener.NUMBER: str(number)}
            process = stack.enter_context(supervised(command, environment, directory, [writing]))
            os.close(writing)
            listen(os.fdopen(reading, "rb"), process.wait, messages)
            processes.append(process)
        yield messages, processes


def commands(locust: Locust, schedule: Schedule, url: str) -> Sequence[Sequence[str]]:
    """One process alone, or a master and its workers. Users come in the time of the ramp; there is no ramp down."""
    common = [sys.executable, "-m", "locust", "-f", f"{locust.file.absolute()},{locust_listener.__file__}"]
    load = [
        *("--headless", "--only-summary", "--host", url, "--users", str(schedule.users)),
        *("--spawn-rate", f"{schedule.users / max(schedule.ramp_up, 0.1):g}"),
        *("--run-time", f"{max(1, round(schedule.seconds))}s", "--stop-timeout", str(STOP_SECONDS)),
        *("--exit-code-on-error", "0"),
    ]
    workers = locust.workers + locust.attached
    if not workers:
        return [[*common, *load]]
    port = str(PORT if locust.attached else free_port(HOST, None))
    expect = ["--expect-workers", str(workers), "--expect-workers-max-wait", str(WORKERS_SECONDS)]
    worker = [*common, "--worker", "--master-host", HOST, "--master-port", port]
    return [[*common, *load, "--master", "--master-bind-port", port, *expect], *([worker] * locust.workers)]


def how_to_attach(locust: Locust, host: str) -> str:
    """The command for a worker on another machine, which knows this one as `host`."""
    return f"locust -f {locust.file.name} --worker --master-host {'THIS-MACHINE' if host == HOST else host}"
