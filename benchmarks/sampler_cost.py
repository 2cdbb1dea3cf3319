"""What watching costs: `python -m benchmarks.sampler_cost` samples a Postgres with more and more sessions.

The cost to the server is the CPU time of the process that serves the sampler, as the operating system counts it; the
cost to `letgo prove` is that of the sampler's thread.
"""

import argparse
import os
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg

from letgo.prove.postgres import embedded_postgres
from letgo.prove.sampler import NAME, Sampler

SESSIONS = (0, 20, 200)
FIND = "select pid from pg_stat_activity where application_name = %s"


def used(stat: str) -> float:
    """CPU seconds so far, from a file of /proc: fields 14 and 15 of proc_pid_stat(5)."""
    fields = Path(stat).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(dsn: str, sessions: int, seconds: float) -> tuple[float, float]:
    """Shares of a core: the server's, and the sampler's own."""
    with ExitStack() as stack:
        for number in range(sessions):
            connection = stack.enter_context(psycopg.connect(dsn))
            connection.execute(f"/*route='GET /{number % 10}'*/ select 1")
        sampler = stack.enter_context(Sampler(dsn))
        with psycopg.connect(dsn, autocommit=True) as asking:
            (backend,) = asking.execute(FIND, [NAME]).fetchone() or (0,)
        time.sleep(0.5)
        files = f"/proc/{backend}/stat", f"/proc/self/task/{sampler.thread_id}/stat"
        before = [used(file) for file in files]
        time.sleep(seconds)
        server, own = ((used(file) - already) / seconds for file, already in zip(files, before, strict=True))
    return server, own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print("| sessions, all idle in a transaction | Postgres | letgo |\n|---:|---:|---:|")
    with embedded_postgres() as server:
        for sessions in SESSIONS:
            share, own = measured(server.dsn, sessions, options.seconds)
            print(f"| {sessions} | {share:.1%} of a core | {own:.1%} |", flush=True)


if __name__ == "__main__":
    main()
