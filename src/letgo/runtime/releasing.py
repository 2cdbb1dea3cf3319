"""When a request lets go, and what becomes of work that is not committed then.

There are two points. At *entry* the dependencies are solved and the endpoint has not been given to a thread yet:
transactions that have only read end here. At *exit* the endpoint has returned and its answer is validated: reads end,
and work is settled as the policy says.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from letgo.runtime.dependency import OWNER
from letgo.runtime.request import Noted, Request
from letgo.runtime.transactions import end_reads, sees_one_snapshot, work_of
from letgo.runtime.units import UnsavedWork, check_choice, commit, let_go

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
KEPT = "__letgo_keeps_open__"


class AsyncExit(Protocol):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What `install` and `ReleasingRoute` do with work that is not committed when an endpoint has returned.

    `"owner"`: it stays what it is to the one who owns the session. If that is a dependency with code after its yield,
    that code runs now, unless a stream or a background task could still use the session.
    `"commit"`: commit it, unless the response is an error (400 and above), which leaves it to its owner.
    `"refuse"`: raise `UnsavedWork`, so that the answer is a 500 and nothing is saved.

    A session of `session_dependency` has a policy of its own, which counts instead.
    """

    unsaved: Literal["owner", "commit", "refuse"] = "owner"

    def __post_init__(self) -> None:
        check_choice(self.unsaved, ("owner", "commit", "refuse"))


class Handling:
    """How far one request has come. As a context manager it runs what is inside as code of that request.

    `endpoint` is None until its dependencies are being solved, `kept` says whether it is to be left alone.
    """

    __slots__ = ("_token", "call", "dependencies", "endpoint", "has_let_go", "kept", "policy", "request")

    def __init__(self, request: Request, policy: Policy) -> None:
        self.request = request
        self.policy = policy
        self.endpoint: Callable[..., Any] | None = None
        self.kept = False
        self.dependencies: list[AsyncExit] = []  # one for each that has code after its yield
        self.call: object = None  # what the framework's hooks know of the call of the endpoint
        self.has_let_go = False

    def __enter__(self) -> "Handling":
        self._token = handling.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        handling.reset(self._token)
        self.call = None  # which knows this Handling: nothing here waits for the garbage collector

    def reached(self, endpoint: Callable[..., Any]) -> None:
        self.endpoint = endpoint
        self.kept = hasattr(endpoint, KEPT)

    @property
    def let_go_by(self) -> str | None:
        """The endpoint after which the request has let go."""
        if not self.has_let_go or self.endpoint is None:
            return None
        return f"{self.endpoint.__module__}.{getattr(self.endpoint, '__qualname__', self.endpoint)}"


handling: ContextVar[Handling | None] = ContextVar("letgo_handling", default=None)


def keep_open(reason: str) -> Callable[[Endpoint], Endpoint]:
    """Leave the sessions of this endpoint alone: they end when its dependencies do. Say why."""
    if not reason.strip():
        raise ValueError('keep_open needs a reason: @keep_open("reads from a server-side cursor while streaming")')

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, KEPT, reason)
        return endpoint

    return mark


def enter(request: Request) -> None:
    """Entry, in the thread of a dependency."""
    for noted in _in_transaction(request):
        if noted.asynchronous is None:
            _end_independent_reads(noted.session)


async def enter_async(request: Request) -> None:
    """Entry, on the event loop."""
    for noted in _in_transaction(request):
        await _on_loop(noted, _end_independent_reads)


def end_all_reads(request: Request) -> None:
    """The endpoint has returned, in its thread: nothing but the validation of its answer may read again."""
    request.look_again()
    for noted in _in_transaction(request):
        if noted.asynchronous is None:
            end_reads(noted.session)


async def end_all_reads_async(request: Request) -> None:
    request.look_again()
    if request.stirred:
        for noted in _in_transaction(request):
            await _on_loop(noted, end_reads)


def settle(current: Handling, status: int) -> None:
    """Exit, in the thread of the endpoint. `status` is that of the response."""
    request = current.request
    if request.stirred:
        for noted in reversed(request.owned()):
            if noted.asynchronous is None:
                _settle(noted.session, current.policy, status)
                noted.owed = False
        request.look_again()


async def settle_async(current: Handling, status: int) -> None:
    """Exit, on the event loop. Raises `UnsavedWork`, and whatever a commit raises."""
    request = current.request
    if request.stirred:
        for noted in reversed(request.owned()):
            await _on_loop(noted, _settle, current.policy, status)
            noted.owed = False
        request.look_again()


def work_left(request: Request) -> bool:
    return any(work_of(noted.session) for noted in _in_transaction(request))


def _in_transaction(request: Request) -> list[Noted]:
    return [noted for noted in request.owned() if noted.session.in_transaction()] if request.stirred else []


def _end_independent_reads(session: Session) -> None:
    if not sees_one_snapshot(session):
        end_reads(session)


def _settle(session: Session, policy: Policy, status: int) -> None:
    if isinstance(session.bind, Connection):
        return
    if (unsaved := session.info.get(OWNER)) is not None:
        let_go(session, unsaved)
    elif not session.in_transaction():
        return
    elif (work := work_of(session)) is None:
        end_reads(session)
    elif policy.unsaved == "refuse" and status < 400:
        raise UnsavedWork(f"the endpoint has returned with {work}: commit or roll back before it does")
    elif policy.unsaved == "commit" and status < 400:
        commit(session)


async def _on_loop(noted: Noted, end: Callable[..., None], *arguments: object) -> None:
    """Outside of a transaction nothing is to be waited for, and a greenlet costs more than all that is to be done."""
    if noted.asynchronous is None or not noted.session.in_transaction():
        end(noted.session, *arguments)
    else:
        await noted.asynchronous.run_sync(end, *arguments)
