"""One user at work: runs its visits over a connection, and notes how each request went."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from letgo.prove.connection import Connection, Target, written
from letgo.prove.histogram import bucket_of
from letgo.prove.scenario import Request, Response, User, Visit
from letgo.prove.ticks import RouteTick

CAUSES = 100
"""How many causes of errors a route may have in a step; what comes after is "other causes"."""

RECONNECT_SECONDS = 0.5
"""The pause after a connection was refused: a server that is down is not to be flooded."""


class Notes:
    """What all visitors of a process have seen since the last tick.

    `from_due`: latency counts from when a request was due (the open model), and not from when it was sent.
    """

    __slots__ = ("connecting", "from_due", "routes")

    def __init__(self, from_due: bool) -> None:
        self.routes: dict[str, RouteTick] = {}
        self.connecting: dict[int, int] = {}
        self.from_due = from_due

    def take(self) -> tuple[dict[str, RouteTick], dict[int, int]]:
        """By route, and how long connections took."""
        taken = self.routes, self.connecting
        self.routes, self.connecting = {}, {}
        return taken

    def connected(self, seconds: float) -> None:
        bucket = bucket_of(int(seconds * 1e6))
        self.connecting[bucket] = self.connecting.get(bucket, 0) + 1

    def refused(self, route: str, cause: str) -> None:
        """A request has ended before it was sent."""
        self._of(route).requests += 1
        self.error(route, cause)

    def latency(self, route: str, seconds: float, service: float) -> None:
        """A request has ended after so many seconds since it was due, and since it was sent."""
        tick = self._of(route)
        tick.requests += 1
        bucket = bucket_of(int(seconds * 1e6))
        tick.latencies[bucket] = tick.latencies.get(bucket, 0) + 1
        if self.from_due:
            bucket = bucket_of(int(service * 1e6))
            tick.service[bucket] = tick.service.get(bucket, 0) + 1

    def error(self, route: str, cause: str) -> None:
        errors = self._of(route).errors
        if cause not in errors and len(errors) >= CAUSES:
            cause = "other causes"
        errors[cause] = errors.get(cause, 0) + 1

    def _of(self, route: str) -> RouteTick:
        tick = self.routes.get(route)
        if tick is None:
            tick = self.routes[route] = RouteTick()
        return tick


class Visitor:
    """`begin` starts a visit; `over(visitor)` is called when it ends, `bug(error)` when the scenario is broken."""

    __slots__ = (
        "arrived",
        "asked",
        "bug",
        "connecting",
        "connection",
        "due",
        "failed",
        "loop",
        "notes",
        "over",
        "request",
        "sent",
        "steps",
        "target",
        "user",
    )

    def __init__(
        self,
        user: User,
        target: Target,
        notes: Notes,
        over: Callable[["Visitor"], None],
        bug: Callable[[BaseException], None],
    ) -> None:
        self.user, self.target, self.notes, self.over, self.bug = user, target, notes, over, bug
        self.loop = asyncio.get_running_loop()
        self.connection: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None  # asyncio itself keeps no task alive
        self.steps: Visit | None = None
        self.request: Request | None = None
        self.due = self.sent = 0.0
        self.arrived = self.asked = self.failed = False

    def begin(self, due: float) -> None:
        """Start a visit that should have started at `due` (of `perf_counter`)."""
        self.asked = False
        self.steps = self._new_steps()
        self._go_on(None, due)

    @property
    def idle(self) -> bool:
        return self.steps is None

    def waited(self, now: float) -> float:
        """Seconds since the request that is under way was due; 0 if there is none."""
        return now - self.due if self.request is not None else 0.0

    def give_up(self, cause: str) -> None:
        """Stop waiting for an answer, and end the visit."""
        self._drop_connection()
        self._failed(cause, perf_counter())

    def leave(self) -> None:
        self._drop_connection()
        if self.steps is not None:
            self.steps.close()
            self.steps = None

    # --- the visit

    def _go_on(self, response: Response | None, due: float) -> None:
        """Run the scenario to its next request."""
        steps = self.steps
        assert steps is not None
        last = self.request
        self.request = None
        try:
            request = next(steps) if response is None else steps.send(response)
        except StopIteration:
            self._visit_over(due)
        except AssertionError as error:
            if last is None:
                self.bug(error)
                return
            if not self.failed:
                self.notes.error(last.route, f"check failed: {str(error).splitlines()[0] if str(error) else 'assert'}")
            self._end()
        except Exception as error:
            self.bug(error)
        else:
            self.asked = True
            self.due = due
            self._send(request)

    def _new_steps(self) -> Visit:
        steps = self.user.visit() if self.arrived else self.user.arrive()
        if not hasattr(steps, "send"):
            raise TypeError(f"{type(self.user).__name__}.{'visit' if self.arrived else 'arrive'}() yields no requests")
        return steps

    def _visit_over(self, due: float) -> None:
        if not self.arrived:
            self.arrived = True
            self.steps = self._new_steps()
            self._go_on(None, due)
        elif not self.asked:
            self.bug(ValueError(f"{type(self.user).__name__}.visit() made no request"))
        else:
            self._end()

    def _end(self) -> None:
        if self.steps is not None:
            self.steps.close()
        self.steps = None
        self.over(self)

    def _send(self, request: Request) -> None:
        if not isinstance(request, Request):
            self.bug(TypeError(f"{type(self.user).__name__} yielded {request!r}, not a request"))
            return
        self.request = request
        if self.connection is not None and self.connection.usable:
            self._write(self.connection, request)
        else:
            self.sent = 0.0
            self.connecting = self.loop.create_task(self._connect(request))

    async def _connect(self, request: Request) -> None:
        connection = Connection(self._answered, self._broken)
        self.connection = connection
        target, begun = self.target, perf_counter()
        try:
            await self.loop.create_connection(lambda: connection, target.host, target.port, ssl=target.tls)
        except OSError as error:
            if self.connection is connection:
                self._refused(error)
            return
        if self.connection is connection and connection.usable:
            self.notes.connected(perf_counter() - begun)
            self._write(connection, request)
        else:
            connection.abort()  # given up meanwhile

    def _write(self, connection: Connection, request: Request) -> None:
        self.sent = perf_counter()
        if not self.notes.from_due:
            self.due = self.sent
        connection.send(written(request, self.target))

    # --- how a request ends

    def _answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        request = self.request
        if request is None:
            self._drop_connection()  # an answer that nobody asked for
            return
        now = perf_counter()
        seconds = now - self.due
        self.notes.latency(request.route, seconds, now - self.sent)
        self.failed = status not in request.expect if request.expect else status >= 400
        if self.failed:
            self.notes.error(request.route, f"status {status}")
        self._pause(Response(status, headers, body, seconds))

    def _broken(self, cause: str) -> None:
        self.connection = None
        if self.request is not None:
            self._failed(cause, perf_counter())

    def _refused(self, error: OSError) -> None:
        self.connection = None
        assert self.request is not None
        self.notes.refused(self.request.route, f"no connection: {error.strerror or error}")
        self.request = None
        self.loop.call_later(RECONNECT_SECONDS, self._end)

    def _failed(self, cause: str, now: float) -> None:
        assert self.request is not None
        self.notes.latency(self.request.route, now - self.due, now - (self.sent or now))
        self.notes.error(self.request.route, cause)
        self.request = None
        self._end()

    def _pause(self, response: Response) -> None:
        think = self.user.think
        if think:
            seconds = think if isinstance(think, int | float) else self.user.random.uniform(*think)
            self.loop.call_later(seconds, self._after_pause, response)
        else:
            self._go_on(response, perf_counter())

    def _after_pause(self, response: Response) -> None:
        if self.steps is not None:
            self._go_on(response, perf_counter())

    def _drop_connection(self) -> None:
        if self.connection is not None:
            self.connection.abort()
            self.connection = None
