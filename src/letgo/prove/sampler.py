"""The database's side: who is idle in a transaction, ten times a second, through a connection of the sampler's own.

It connects before there is any load and keeps that connection, so that it still sees when no other is to be had. Ages
are the server's own: `clock_timestamp()` less `state_change` (how long nothing has happened) and less `xact_start` (how
long the transaction has been open); see pg_stat_activity in
https://www.postgresql.org/docs/current/monitoring-stats.html.
"""

import threading
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

import psycopg

from letgo.prove.statements import Origin, origin_of
from letgo.source.errors import UserError

HERTZ = 10
NAME = "letgo prove"
LATE_SECONDS = 0.5
"""A longer gap between two samples is told as a time when nothing was seen."""

ORIGINS = 500
"""How many different statements are told apart."""

# A role without the right to see a session is told its pid and little else: even its kind is null then.
SESSIONS = """
select pid, coalesce(application_name, ''), state, coalesce(wait_event_type, ''),
       extract(epoch from clock_timestamp() - state_change)::float8,
       coalesce(extract(epoch from clock_timestamp() - xact_start), 0)::float8,
       case when state like 'idle in transaction%' then query end, xact_start::text
from pg_stat_activity
where datname = current_database() and coalesce(backend_type, 'client backend') = 'client backend'
  and pid <> pg_backend_pid()
"""

COUNTERS = "select xact_commit, xact_rollback from pg_stat_database where datname = current_database()"

Row: TypeAlias = tuple[int, str, str | None, str, float | None, float, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. Counts of sessions; ages in seconds; `at` of `perf_counter`."""

    at: float
    idle: int = 0
    oldest: float = 0.0
    ages: float = 0.0  # the sum of the ages of all that are idle in a transaction
    oldest_transaction: float = 0.0
    aborted: int = 0
    active: int = 0
    waiting: int = 0
    total: int = 0
    unseen: int = 0  # sessions of which the role may see nothing


@dataclass(frozen=True, slots=True)
class Counters:
    """Commits and rollbacks of the database so far, without the sampler's own."""

    at: float
    commits: int
    rollbacks: int


@dataclass(frozen=True, slots=True)
class Blind:
    """From when until when (of `perf_counter`) nothing could be seen, and why."""

    start: float
    end: float
    reason: str


@dataclass(slots=True)
class Held:
    """One transaction that is idle: its greatest ages so far, and the statement after which it idled longest.

    `route` is known once any of its statements names it: drivers send `BEGIN` by themselves, without a comment.
    """

    origin: Origin
    route: str
    age: float
    transaction_age: float


@dataclass(slots=True)
class Holds:
    """All transactions of one origin that were seen idle: how many, the sum of their greatest ages, the greatest."""

    transactions: int = 0
    ages: float = 0.0
    oldest: float = 0.0
    oldest_transaction: float = 0.0


@dataclass(slots=True)
class Seen:
    """All that was seen. Only the sampler's thread writes it; others may read what is there."""

    samples: list[Sample] = field(default_factory=list)
    counters: list[Counters] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)
    holds: dict[Origin, Holds] = field(default_factory=dict)
    asking: float = 0.0  # seconds spent on waiting for answers


class Sampler:
    """`with Sampler(dsn) as sampler:` samples from then to the end. Raises UserError if it can't connect at first."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.seen = Seen()
        self._held: dict[tuple[int, str], Held] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        try:
            self._connection: psycopg.Connection[Row] | None = self._connect()
            found = self._connection.execute("select current_setting('server_version')").fetchone()
            self.server_version = str(found[0]) if found else ""
        except psycopg.Error as error:
            raise UserError(
                f"the database can't be reached: {_first_line(error)}", "Is it running, and is the DSN right?"
            ) from error
        self._queries = 1

    @property
    def thread_id(self) -> int | None:
        """The operating system's, to ask it what sampling costs."""
        return self._thread.native_id

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Look no more; what was seen is complete then."""
        self._stop.set()
        self._thread.join(5)
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> psycopg.Connection[Row]:
        connection: psycopg.Connection[Row] = psycopg.connect(
            self.dsn, autocommit=True, connect_timeout=3, application_name=NAME, options="-c statement_timeout=3000"
        )
        connection.prepare_threshold = 1
        return connection

    def _run(self) -> None:
        due = last = perf_counter()
        beat = 0
        failure = ""
        while not self._stop.wait(max(0.0, due - perf_counter())):
            begun = perf_counter()
            try:
                self._look(begun, counters=beat % HERTZ == 0)
            except psycopg.Error as error:
                failure = failure or _first_line(error)
                self._connection = None
            else:
                now = perf_counter()
                self.seen.asking += now - begun
                if failure or begun - last > LATE_SECONDS:
                    self.seen.blind.append(Blind(last, begun, failure or "the machine was too busy to look"))
                last, failure = begun, ""
            beat += 1
            due = max(due + 1 / HERTZ, perf_counter() - 1 / HERTZ)
        if failure:
            self.seen.blind.append(Blind(last, perf_counter(), failure))
        self._settle(still_open=set())

    def _look(self, at: float, counters: bool) -> None:
        if self._connection is None:
            self._connection = self._connect()
        rows = self._connection.execute(SESSIONS).fetchall()
        self._queries += 1
        self.seen.samples.append(self._counted(at, rows))
        if counters:
            found = self._connection.execute(COUNTERS).fetchone()
            self._queries += 1
            if found is not None:
                commits, rollbacks = int(found[0]), int(found[1])
                self.seen.counters.append(Counters(at, commits - self._queries, rollbacks))

    def _counted(self, at: float, rows: list[Row]) -> Sample:
        idle = [row for row in rows if row[2] is not None and row[2].startswith("idle in transaction")]
        for row in idle:
            self._remember(row)
        self._settle({(row[0], row[7] or "") for row in idle})
        ages = [max(0.0, row[4] or 0.0) for row in idle]
        return Sample(
            at,
            idle=len(idle),
            oldest=max(ages, default=0.0),
            ages=sum(ages),
            oldest_transaction=max((row[5] for row in idle), default=0.0),
            aborted=sum(row[2] != "idle in transaction" for row in idle),
            active=sum(row[2] == "active" for row in rows),
            waiting=sum(row[2] == "active" and row[3] == "Lock" for row in rows),
            total=len(rows),
            unseen=sum(row[2] is None or row[2] == "disabled" for row in rows),
        )

    def _remember(self, row: Row) -> None:
        pid, application, _, _, age, transaction_age, query, began = row
        origin = origin_of(query or "", application)
        age = max(0.0, age or 0.0)
        held = self._held.setdefault((pid, began or ""), Held(origin, origin.route, age, transaction_age))
        held.route = origin.route or held.route
        if age >= held.age:
            held.origin, held.age = origin, age
        held.transaction_age = max(held.transaction_age, transaction_age)

    def _settle(self, still_open: set[tuple[int, str]]) -> None:
        """Add up the transactions that have ended since the last look."""
        for key in self._held.keys() - still_open:
            held = self._held.pop(key)
            origin = held.origin._replace(route=held.route)
            if origin not in self.seen.holds and len(self.seen.holds) >= ORIGINS:
                origin = Origin("", "", "(other statements)")
            holds = self.seen.holds.setdefault(origin, Holds())
            holds.transactions += 1
            holds.ages += held.age
            holds.oldest = max(holds.oldest, held.age)
            holds.oldest_transaction = max(holds.oldest_transaction, held.transaction_age)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
