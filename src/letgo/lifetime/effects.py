"""What a statement does to a session: begins a transaction, ends it, closes, waits meanwhile.

These functions change the states in a `World` and note in the `Frame` what its callers must know.
"""

from letgo.holds import Event, MisuseKind, Origin, Site, Step, Wait, WaitKind
from letgo.lifetime.analysis import Frame, Opening, Part
from letgo.lifetime.facts import YIELDS
from letgo.lifetime.values import Key, Row
from letgo.lifetime.world import CLOSED, FRESH, OPEN, RELEASED, UNTOUCHED, Chain, State, Traits, World
from letgo.picture.steps import calls, describe_misuse

FAILED = ".failed"
"""The variable that says that only an exception leads here."""

DOUBTFUL = ".doubtful"
"""The variable that says that only an exception of a certain class leads here: what can raise it isn't known."""


ALL = "*"
"""In what a function has loaded: all attributes of the rows of a session."""


def arm(frame: Frame, world: World, key: Key, opened: Chain) -> None:
    """A statement runs: the session takes a connection and begins a transaction unless it is in one."""
    state = world.sessions.get(key, UNTOUCHED)
    traits = frame.traits_of(key)
    if state.phases == OPEN or (traits.is_connection and state.phases == CLOSED):
        return  # a closed Connection raises, where a Session would begin anew
    began = state.opened if state.is_open else opened
    world.sessions[key] = state._replace(phases=OPEN, opened=began, expired=False)
    if not state.is_open and not traits.pinned:  # a bound session uses the connection that is there
        known = traits.source.origin is not Origin.ATTRIBUTE if traits.shared else traits.owned
        if known:  # else whose it is isn't known
            note_opening(frame, world, opened, frozenset())
        begin(frame, world, key, state, opened)


def begin(frame: Frame, world: World, key: Key, before: State, opened: Chain) -> None:
    """A transaction begins, here or further down, in a session that has none: what that means beside itself."""
    traits = frame.traits_of(key)
    if before.phases == CLOSED and not traits.shared and (traits.owned or is_within(frame, before.released)):
        certain = opened.certain and traits.certain
        frame.analysis.misuse(
            MisuseKind.REOPENED, frame.site, traits.source, opened.first, certain, detail=opened.seen_as
        )
    nest(frame, world, key, opened)


def is_within(frame: Frame, site: Site | None) -> bool:
    """Whether the place lies in the function's own body."""
    return site is not None and (site.path, site.function) == (frame.site.path, frame.site.function)


def note_opening(frame: Frame, world: World, opened: Chain, released: frozenset[Key]) -> None:
    """A session of this function's own, or of one that it calls, begins a transaction: callers may hold others."""
    here = frozenset(key for key, state in world.sessions.items() if not state.is_open)
    frame.opens.setdefault(opened.site, Opening(opened, released | here))


def nest(frame: Frame, world: World, key: Key | None, opened: Chain, released: frozenset[Key] = frozenset()) -> None:
    """Another session's transaction begins while one of this function is open that is not `released` by then."""
    if key is not None and (frame.traits_of(key).pinned or _may_be_another(frame.traits_of(key), opened)):
        return
    for other, state in world.sessions.items():
        if other != key and other not in released and state.phases == OPEN and other in frame.traits:
            traits = frame.traits[other]
            if traits.owned and not traits.pinned:
                second = frame.traits_of(key).source.name if key else ""
                certain = opened.certain and traits.certain and (state.opened is None or state.opened.certain)
                certain = certain and not traits.is_connection  # of which engine isn't known, and each has its pool
                frame.analysis.misuse(
                    MisuseKind.NESTED, frame.site, traits.source, opened.first, certain,
                    _way_to_second(frame.site, state.opened, opened), second,
                )  # fmt: skip


def _may_be_another(traits: Traits, opened: Chain) -> bool:
    """Whether the session is what an object keeps that was only guessed: it may have been given the first one."""
    return traits.shared and traits.source.origin is Origin.ATTRIBUTE and not opened.certain


def _way_to_second(function: Site, first: Chain | None, second: Chain) -> tuple[Step, ...]:
    """From the beginning of the one transaction to that of the other."""
    steps: list[Step] = []
    if first is not None:
        steps += [*calls(first.via, first.site, function), Step(Event.OPENED, first.site, "the transaction begins")]
    steps += [
        *calls(second.via, second.site, function),
        Step(Event.NOTE, second.site, describe_misuse(MisuseKind.NESTED)),
    ]
    return tuple(steps)


def touch(frame: Frame, world: World, key: Key, line: int) -> None:
    """Work is put into the session that a later commit must save."""
    state = world.sessions.get(key, UNTOUCHED)
    world.sessions[key] = state._replace(dirty=state.dirty or frame.at(line))


def commit(frame: Frame, world: World, key: Key, line: int) -> None:
    state = world.sessions.get(key, UNTOUCHED)
    traits = frame.traits_of(key)
    note_failure(frame, key, _as_flushed(frame, state, key, line))  # a commit can fail, and leaves the session open
    phases = state.phases if traits.pinned else RELEASED
    expired = state.expired or (traits.expire_on_commit is True and not state.deletes)
    world.sessions[key] = State(phases, state.opened, frame.at(line), None, True, expired, expunged=state.expunged)


def _as_flushed(frame: Frame, state: State, key: Key, line: int) -> State:
    """A session that some function made, once what was put into it is written: that takes a connection."""
    traits = frame.traits_of(key)
    if traits.source.origin is not Origin.FACTORY or state.dirty is None or state.phases not in (FRESH, RELEASED):
        return state
    return state._replace(phases=OPEN, opened=Chain(frame.at(line), (), traits.certain, "commit"))


def rollback(frame: Frame, world: World, key: Key, line: int) -> None:
    """Ends the transaction and expires what was loaded; where there is none, as after a commit, it does nothing."""
    state = world.sessions.get(key, UNTOUCHED)
    phases = state.phases if frame.traits_of(key).pinned else RELEASED
    expired = state.expired or state.phases != RELEASED or state.dirty is not None
    ended = State(phases, state.opened, frame.at(line), None, state.committed, expired, expunged=state.expunged)
    world.sessions[key] = ended


def close(frame: Frame, world: World, key: Key, line: int) -> None:
    """Closes a session; closing a Connection lets go of the sessions bound to it."""
    state = world.sessions.get(key, UNTOUCHED)
    traits = frame.traits_of(key)
    if traits.pinned:
        return
    world.sessions[key] = state._replace(phases=CLOSED, released=frame.at(line))
    for other, known in world.sessions.items():
        if other in frame.traits and frame.traits[other].pinned:
            world.sessions[other] = known._replace(phases=CLOSED, released=frame.at(line))


def note_failure(frame: Frame, key: Key, state: State) -> None:
    """The statement at hand may raise with the session in this state."""
    if frame.raising is None:
        frame.raising = {}
    frame.raising.setdefault(key, state)


def read_row(frame: Frame, world: World, row: Row, name: str, line: int, *, lazy: bool = False) -> None:
    """An attribute of an ORM object is read: what is expired or was never loaded is loaded, or can't be.

    commit expires by default, rollback always (https://docs.sqlalchemy.org/en/20/orm/session_basics.html#expiring-refreshing).
    An attribute of an AsyncSession's object is not loaded when it is read: there is nothing to await
    (https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#preventing-implicit-io-when-using-asyncsession).
    """
    key = row.key
    state = world.sessions.get(key)
    if state is None or name.startswith("__") or row.model in state.expunged:
        return
    traits = frame.traits_of(key)
    if lazy:
        _read_lazily(frame, state, traits, row, name, line)
    if not state.expired:
        return
    if state.phases == CLOSED:
        frame.analysis.misuse(MisuseKind.DETACHED, frame.site, traits.source, frame.at(line), False, detail=name)
    elif state.phases == RELEASED and (not traits.is_async or name == "awaitable_attrs"):
        arm(frame, world, key, Chain(frame.at(line), (), traits.certain, name))
    elif state.phases == RELEASED and row.model is not None and (state.committed or not row.added):
        ended = () if state.released is None else (Step(Event.RELEASED, state.released, "what was loaded expires"),)
        frame.analysis.misuse(MisuseKind.DETACHED, frame.site, traits.source, frame.at(line), False, ended, name)
        world.sessions[key] = state._replace(expired=False)


def _read_lazily(frame: Frame, state: State, traits: Traits, row: Row, name: str, line: int) -> None:
    """What loads when it is first read: too late once the session is closed, and never with an AsyncSession.

    A new object has nothing to load before it is flushed.
    """
    if not frame.loaded.isdisjoint({(row.key, name), (row.key, ALL)}):
        return
    if state.phases != CLOSED:
        frame.loaded.add((row.key, name))
        if traits.is_async and not row.added:
            here = frame.at(line)
            why = Step(Event.NOTE, here, "not loaded yet, and an AsyncSession loads nothing that is only read")
            frame.analysis.misuse(MisuseKind.DETACHED, frame.site, traits.source, here, False, (why,), name)
    elif not traits.shared:
        frame.analysis.misuse(MisuseKind.DETACHED, frame.site, traits.source, frame.at(line), False, detail=name)


def wait(frame: Frame, world: World, kind: WaitKind, what: str, line: int, certain: bool) -> None:
    """The code does something else than database work here."""
    note_wait(frame, world, Wait(kind, what, frame.at(line)), certain, frozenset())


def note_wait(frame: Frame, world: World, wait: Wait, certain: bool, except_for: frozenset[Key]) -> None:
    """A wait, seen here or further down: every open session is held by it, but for those looked after already."""
    if wait.what != YIELDS:
        frame.waits.setdefault((wait.kind, wait.site), (wait, certain))
    for key, state in world.sessions.items():
        if state.is_open and key not in except_for:
            hold(frame, key, state.opened, wait, certain and (state.opened is None or state.opened.certain))


def hold(frame: Frame, key: Key, opened: Chain | None, wait: Wait, certain: bool) -> None:
    """Notes a wait of one open session."""
    place = (key, opened.site if opened else None, wait.kind, wait.site)
    known = frame.parts.get(place)
    if known is None or (certain and not known.certain):
        frame.parts[place] = Part(key, opened, wait, certain)
