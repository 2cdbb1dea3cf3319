"""What is known at one point of a function: its variables, and each session's state."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from letgo.holds import Site, Source
from letgo.lifetime.values import Constant, Instance, Key, Session, Value, either, unsettled
from letgo.source.names import ClassSymbol

Phases: TypeAlias = int
"""The states a session can be in at a point, as bits; several bits mean that paths differ."""

FRESH, OPEN, RELEASED, CLOSED = 1, 2, 4, 8
"""Fresh: no transaction was begun, no connection is checked out. Released: committed or rolled back, the connection
went back to the pool and the session is usable. (Plain integers: an IntFlag is many times slower.)"""


class Chain(NamedTuple):
    """A place, the calls that lead down to it, outermost first, and whether all of that is certain.

    `what` is what stands there: the method called, the attribute read.
    """

    site: Site
    via: tuple[Site, ...]
    certain: bool
    what: str = ""

    def under(self, call: Site, certain: bool = True) -> "Chain":
        return Chain(self.site, (call, *self.via), self.certain and certain, self.what)

    @property
    def first(self) -> Site:
        """The place as the outermost function sees it."""
        return self.via[0] if self.via else self.site

    @property
    def seen_as(self) -> str:
        """What stands there, as the outermost function sees it: the function that it calls."""
        if not self.via:
            return self.what
        called = self.via[1] if len(self.via) > 1 else self.site
        return called.function.rpartition(".")[2]


class State(NamedTuple):
    """One session at one point. `opened` is None when the transaction was begun before the function was entered.

    `dirty` is where the first work was done that no commit has saved. `committed`: a commit came before on this path.
    `expired`: rows loaded so far would be read from the database again. `deletes`: some of them are to be deleted,
    and stay as they are after the commit (https://docs.sqlalchemy.org/en/20/orm/session_state_management.html).
    `expunged` are the models of which some need it no more.
    """

    phases: Phases
    opened: Chain | None
    released: Site | None
    dirty: Site | None
    committed: bool
    expired: bool
    deletes: bool = False
    expunged: frozenset[ClassSymbol | None] = frozenset()

    @property
    def is_open(self) -> bool:
        return bool(self.phases & OPEN)


UNTOUCHED = State(FRESH, None, None, None, False, False)


class Traits(NamedTuple):
    """What stays the same in a session's life, as one function sees it.

    `owned`: this function answers for it, since it asked for it. `shared`: a global or an attribute that others use
    too. `pinned`: bound to a Connection, so that commit and close keep the connection. `expire_on_commit` is None
    when the factory is not known.
    """

    source: Source
    is_async: bool
    expire_on_commit: bool | None
    pinned: bool
    owned: bool
    shared: bool
    certain: bool

    @property
    def is_connection(self) -> bool:
        """Whether it is an engine's Connection: checked out when it is made, and of no use once it is closed."""
        return self.source.name.startswith("engine.")


NOWHERE = Site("", 0, "")
"""The place of a source that is everywhere: each function that uses it is told as its place."""


class World:
    """Mutable while a block is interpreted; copied where paths part."""

    __slots__ = ("env", "returned", "return_line", "sessions")

    def __init__(
        self,
        env: dict[str, Value],
        sessions: dict[Key, State],
        returned: Value | None = None,
        return_line: int = 0,
    ) -> None:
        self.env = env
        self.sessions = sessions
        self.returned = returned
        self.return_line = return_line

    def copy(self) -> "World":
        return World(self.env.copy(), self.sessions.copy(), self.returned, self.return_line)

    def bind(self, name: str, value: Value | None) -> None:
        if value is None:
            self.env.pop(name, None)
        else:
            self.env[name] = value

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, World)
            and self.sessions == other.sessions
            and self.env == other.env
            and self.returned == other.returned
            and self.return_line == other.return_line
        )

    __hash__ = None  # type: ignore[assignment]


Signature = tuple[object, ...]


def signature(world: World, flags: Iterable[str]) -> Signature:
    """What tells two paths apart: the sessions' phases, and the variables that branches test."""
    phases = [(key, state.phases, state.committed) for key, state in world.sessions.items()]
    if len(phases) > 1:
        phases.sort()
    known: list[tuple[str, bool | str | None]] = []
    for flag in flags:
        value = world.env.get(flag)
        if type(value) is Constant:
            known.append((flag, value.value))
        elif type(value) is Session or type(value) is Instance:
            known.append((flag, "there"))
    return (tuple(phases), tuple(known), world.return_line)


def join(first: World, second: World) -> World:
    """The world that covers both. A variable known on one side only keeps what is known of it."""
    if first == second:
        return first
    env = {name: value for name, value in first.env.items() if name in second.env}
    for name, value in first.env.items():
        if name not in env and (known := unsettled(value)) is not None:
            env[name] = known
    for name, value in second.env.items():
        mine = first.env.get(name)
        if mine is None:
            if (known := unsettled(value)) is not None:
                env[name] = known
        elif mine != value:
            merged = either(mine, value)
            if merged is not None:
                env[name] = merged
    sessions = dict(first.sessions)
    for key, state in second.sessions.items():
        mine_state = sessions.get(key)
        sessions[key] = state if mine_state is None else join_states(mine_state, state)
    return World(env, sessions, either(first.returned, second.returned), first.return_line or second.return_line)


def join_states(first: State, second: State) -> State:
    if first == second:
        return first
    told, other = (second, first) if second.is_open and not first.is_open else (first, second)
    return State(
        first.phases | second.phases,
        told.opened,
        told.released or other.released,
        first.dirty or second.dirty,
        first.committed and second.committed,
        first.expired or second.expired,
        first.deletes or second.deletes,
        first.expunged | second.expunged,
    )
