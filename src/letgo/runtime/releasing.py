"""When a request lets go, and what becomes of work that is not committed then.

There are two points. At *entry* the dependencies are solved and the endpoint has not been given to a thread yet:
transactions that have only read end here. At *exit* the endpoint has returned and its answer is validated: reads end,
and work is settled as the policy says.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from letgo.runtime.dependency import OWNER
from letgo.runtime.request import Noted, Request
from letgo.runtime.transactions import end_reads, sees_one_snapshot, work_of
from letgo.runtime.units import UnsavedWork, check_choice, commit, let_go

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
KEPT = "__letgo_keeps_open__"


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


@dataclass(slots=True)
class Handling:
    """How far one request has come. `endpoint` is None until its dependencies are being solved."""

    request: Request
    policy: Policy
    endpoint: Callable[..., Any] | None = None
    dependencies: list[AsyncExitStack] = field(default_factory=list)  # one for each that has code after its yield
    call: object = None  # what the framework's hooks know of the call of the endpoint
    let_go_by: str | None = None

    @property
    def kept(self) -> bool:
        return hasattr(self.endpoint, KEPT)


handling: ContextVar[Handling | None] = ContextVar("letgo_handling", default=None)


class handled:
    """Run what is inside as code of a request that is to let go. A class, as `entered`."""

    __slots__ = ("_current", "_token")

    def __init__(self, request: Request, policy: Policy) -> None:
        self._current = Handling(request, policy)

    def __enter__(self) -> Handling:
        self._token = handling.set(self._current)
        return self._current

    def __exit__(self, *error: object) -> None:
        handling.reset(self._token)
        self._current.call = None  # which knows this Handling: nothing here waits for the garbage collector


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
    for noted in _in_transaction(request):
        if noted.asynchronous is None:
            end_reads(noted.session)


async def end_all_reads_async(request: Request) -> None:
    for noted in _in_transaction(request):
        await _on_loop(noted, end_reads)


def settle(current: Handling, status: int) -> None:
    """Exit, in the thread of the endpoint. `status` is that of the response."""
    for noted in reversed(current.request.owned()):
        if noted.asynchronous is None:
            _settle(noted.session, current.policy, status)


async def settle_async(current: Handling, status: int) -> None:
    """Exit, on the event loop. Raises `UnsavedWork`, and whatever a commit raises."""
    for noted in reversed(current.request.owned()):
        await _on_loop(noted, _settle, current.policy, status)


def work_left(request: Request) -> bool:
    return any(work_of(noted.session) for noted in _in_transaction(request))


def _in_transaction(request: Request) -> list[Noted]:
    return [noted for noted in request.owned() if noted.session.in_transaction()]


def _end_independent_reads(session: Session) -> None:
    if not sees_one_snapshot(session):
        end_reads(session)


def _settle(session: Session, policy: Policy, status: int) -> None:
    if isinstance(session.bind, Connection):
        return
    if (unsaved := session.info.get(OWNER)) is not None:
        let_go(session, unsaved)
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
