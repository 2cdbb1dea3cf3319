"""What one run over a code base knows and finds: the tables that every step reads, and where results are kept."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from letgo.holds import Misuse, MisuseKind, Origin, Site, Source, Wait, WaitKind
from letgo.holds import Step as TraceStep
from letgo.lifetime.facts import Unresolved
from letgo.lifetime.liveness import still_read
from letgo.lifetime.memo import Memo, Position, body_of
from letgo.lifetime.order import importers_first
from letgo.lifetime.values import FunctionValue, Key, Value
from letgo.lifetime.waits import Waits
from letgo.lifetime.world import NOWHERE, Chain, State, Traits, World
from letgo.source.names import FunctionSymbol, Names, Symbol, VariableSymbol
from letgo.source.program import (
    Assign,
    Assume,
    Attr,
    Block,
    Call,
    Const,
    Either,
    Expr,
    Function,
    Group,
    Item,
    Module,
    Name,
)
from letgo.source.walk import Place


class Part(NamedTuple):
    """A wait while a session was open, as one activation saw it. `opened` is None: open when it was entered."""

    key: Key
    opened: Chain | None
    wait: Wait
    certain: bool


class Yielded(NamedTuple):
    """A point where a generator hands out a value: where its body goes on, and the world it goes on with."""

    block: int
    step: int
    world: World
    value: Value | None


class Way(NamedTuple):
    """One of several ways in which a call ended: what it returned then, and the sessions it leaves."""

    returned: Value | None
    sessions: dict[Key, State]


class Opening(NamedTuple):
    """A transaction that begins in a session of somebody's own, and the sessions that hold no connection then."""

    at: Chain
    released: frozenset[Key]


class Summary(NamedTuple):
    """What calling a function in one context does. Session keys are those of the activation: the sessions given to
    it are `p0`, `p1` ... in the order of their arguments, the shared ones keep their names. `ways` keeps apart those
    exits which leave the sessions in other states and return another constant. `tasks` are what the background tasks
    wait for that it schedules. `fails`: an exception may leave it."""

    returns: Value | None
    exits: dict[Key, State]
    ways: tuple[Way, ...]
    raises: dict[Key, State]
    yields: tuple[Yielded, ...]
    waits: tuple[tuple[Wait, bool], ...]
    tasks: tuple[tuple[Wait, bool], ...]
    parts: tuple[Part, ...]
    opens: tuple[Opening, ...]
    escaped: dict[Key, Traits]
    receiver: Value | None
    fails: bool


NOTHING = Summary(None, {}, (), {}, (), (), (), (), (), {}, None, True)
"""What is assumed of a call that is being looked at already (recursion) or lies too deep."""


class Knowledge(NamedTuple):
    """All that the tables say of one external name, asked once."""

    response: str | None
    task: int | None
    runs: int | None
    after_response: bool
    drains: bool
    wait: WaitKind | None
    client: bool
    raises: bool


class Fixed(NamedTuple):
    """What is the same in every activation of a function.

    `body` is the code to consult. `asking` are the blocks that end by asking a session whether it's in a transaction.
    `tested` are the variables that a branch tests, `compared` those that it compares with texts; those tested that
    the function also sets to a constant, the `flags`, tell its paths apart. `meetings` are the blocks to which more
    than one way leads. `changed_within` are the variables that an inner function sets, or an item of them. `sites`
    and `values` are filled as they are asked for: the places of lines, and what the names mean that are no local
    variables.
    """

    site: Site
    body: str
    tested: frozenset[str]
    compared: frozenset[str]
    flags: frozenset[str]
    blocks: tuple[Block, ...]
    meetings: frozenset[int]
    asking: frozenset[int]
    changed_within: frozenset[str]
    sites: dict[int, Site]
    values: dict[str, Value | VariableSymbol | None]
    reading: list[frozenset[str]]

    def still_read(self, function: Function, number: int) -> frozenset[str]:
        if not self.reading:
            self.reading.extend(still_read(function, self.tested))
        return self.reading[number]


class Settings(NamedTuple):
    """What a user can tell the analysis: dotted names of sessions, openers, releasers."""

    sessions: frozenset[str] = frozenset()
    openers: frozenset[str] = frozenset()
    releasers: frozenset[str] = frozenset()


class Analysis:
    """The state of one run. Everything is filled while functions are followed; nothing is read before it is made."""

    def __init__(self, names: Names, waits: Waits, settings: Settings, *, debug: bool = False) -> None:
        self.names = names
        self.waits = waits
        self.settings = settings
        self.debug = debug
        self.memo = Memo()
        self.shared: dict[Key, Traits] = {}
        self.always: dict[int, Fixed] = {}
        self.declared: dict[tuple[int, int], Value | None] = {}
        self.knowledge: dict[str, Knowledge] = {}
        self.states: dict[str, Value] | None = None
        self.keepers: list[Place] = []  # the functions that may put something on a state
        self.registries: dict[Symbol, tuple[Module, Expr]] | None = None
        self.definitions: dict[tuple[str, str], Site] = {}

    @cached_property
    def order(self) -> Mapping[int, int]:
        return importers_first(self.names)

    def misuse(
        self,
        kind: MisuseKind,
        function: Site,
        session: Source,
        site: Site,
        certain: bool,
        trail: tuple[TraceStep, ...] = (),
        detail: str = "",
    ) -> None:
        if session.site == NOWHERE:
            session = replace(session, site=function)
        self.memo.note(Misuse(kind, function, session, site, certain, trail, detail))

    def note_unresolved(
        self, site: Site, call: str, reason: str = "what is called is not known; it is given a session"
    ) -> None:
        self.memo.note(Unresolved(site, call, reason))

    def note_failure(self, function: Site, error: Exception) -> None:
        """A defect of letgo costs what it knows of one function, not the run. Raised where one looks for it."""
        if self.debug:
            raise error
        said = f"letgo could not follow it: {type(error).__name__}: {error}"
        self.memo.note(Unresolved(function, function.function, said, failed=True))

    def known(self, dotted: str) -> Knowledge:
        found = self.knowledge.get(dotted)
        if found is None:
            waits = self.waits
            found = self.knowledge[dotted] = Knowledge(
                waits.response_of(dotted), waits.starts_task(dotted), waits.runs_function(dotted),
                waits.runs_after_response(dotted), waits.drains(dotted), waits.wait_of(dotted),
                waits.makes_client(dotted), waits.raises(dotted),
            )  # fmt: skip
        return found

    def fixed(self, module: Module, function: Function) -> Fixed:
        found = self.always.get(id(function))
        if found is None:
            found = self.always[id(function)] = _fixed(module, function, self._body_of(module, function))
        return found

    def place(self, module: Module, line: int) -> Position:
        return (self.order[id(module)], line)

    def consult(self, module: Module, function: Function) -> None:
        """What a function's body says matters to what is being followed."""
        self.memo.consult(self._body_of(module, function))

    def _body_of(self, module: Module, function: Function) -> str:
        around = self.names.enclosing(module, function)
        while around is not None and around is not module.body:
            function, around = around, self.names.enclosing(module, around)
        return body_of(module.path, function.qualname)


def _fixed(module: Module, function: Function, body: str) -> Fixed:
    tested: set[str] = set()
    compared: set[str] = set()
    decided: set[str] = set()
    led: set[int] = set()
    meetings: set[int] = set()
    asking = set()
    for number, block in enumerate(function.blocks):
        for end in (*block.successors, block.error):
            (meetings if end in led else led).add(end)
        if asked_for_transaction(block) is not None:
            asking.add(number)
        for step in block.steps:
            if type(step) is Assume and type(step.value) is Name:
                (compared if step.test == "equals" else tested).add(step.value.id)
            elif type(step) is Assign and type(step.value) is Either:
                tested.update(deciding(step.value))
                if type(step.target) is Name and type(step.value.options[0]) is Const:
                    decided.add(step.target.id)
            elif type(step) is Assign and type(step.target) is Name and type(step.value) is Const:
                decided.add(step.target.id)
    return Fixed(
        Site(module.path, function.line, function.qualname),
        body,
        frozenset(tested),
        frozenset(compared),
        frozenset(tested & decided),
        function.blocks,
        frozenset(meetings),
        frozenset(asking),
        frozenset().union(*map(_changed_around, function.functions)),
        {},
        {},
        [],
    )


def _changed_around(function: Function) -> frozenset[str]:
    """The variables of the functions around it that a function sets, or an item of them."""
    changed = {
        step.target.value.id
        for block in function.blocks
        for step in block.steps
        if type(step) is Assign and type(step.target) is Item and type(step.target.value) is Name
    }
    own = function.names.union(param.name for param in function.params)
    inner = map(_changed_around, function.functions)
    return function.globals.union(changed, *inner) - own


def asked_for_transaction(block: Block) -> Expr | None:
    """What is asked by `in_transaction()` at the end of a block, where that decides which of two ways to go."""
    if len(block.successors) == 2 and block.steps:
        match block.steps[-1]:
            case Assign(_, Call(Attr(Name() | Attr() as receiver, "in_transaction", _), _, _, _), _, _):
                return receiver
    return None


class Frame:
    """One activation of a function while it is followed."""

    __slots__ = (
        "analysis", "awaited", "cancelled", "entering", "errors", "exits", "fixed", "flags", "function", "loaded",
        "module", "names", "opens", "parts", "raising", "site", "symbol", "touched", "traits", "value", "waits",
        "ways", "yields",
    )  # fmt: skip

    def __init__(self, analysis: Analysis, value: FunctionValue) -> None:
        self.analysis = analysis
        self.value = value
        self.symbol: FunctionSymbol = value.symbol
        self.function: Function = value.symbol.function
        self.module: Module = value.symbol.module
        self.fixed = analysis.fixed(self.module, self.function)
        analysis.memo.consult(self.fixed.body)
        self.flags = self.fixed.flags
        self.site = self.fixed.site
        self.traits: dict[Key, Traits] = {}
        self.waits: dict[tuple[object, ...], tuple[Wait, bool]] = {}
        self.parts: dict[tuple[object, ...], Part] = {}
        self.loaded: set[tuple[Key, str]] = set()
        self.opens: dict[Site, Opening] = {}
        self.exits: list[World] = []
        self.errors: list[World] = []
        self.cancelled: list[World] = []
        self.ways: tuple[Way, ...] = ()  # in which the call at hand ended
        self.yields: dict[tuple[int, int], Yielded] = {}
        self.raising: dict[Key, State] | None = None
        self.touched = False
        self.entering = False  # a generator is followed to its yields alone
        self.awaited: set[int] = set()  # the lines where others may run
        self.names: dict[str, Value | None] = {}  # what the names mean that are no local variables

    def at(self, line: int) -> Site:
        sites = self.fixed.sites
        site = sites.get(line)
        if site is None:
            site = sites[line] = Site(self.module.path, line, self.function.qualname)
        return site

    def traits_of(self, key: Key) -> Traits:
        known = self.traits.get(key) or self.analysis.shared.get(key)
        if known is None:  # it came with a value made elsewhere: nobody here answers for it
            source = Source(Origin.PARAMETER, "a session", self.site)
            known = self.traits[key] = Traits(source, False, None, False, False, False, False)
        return known


def deciding(choice: Either) -> list[str]:
    """The variables by which a choice is made: `a` of `a or b`, `a if a else b` and `b if a is None else a`."""
    parts: list[Expr] = []
    for test in choice.tests or choice.options[:-1]:
        parts += test.parts if type(test) is Group else test.tests if type(test) is Either else (test,)
    return [part.id for part in parts if type(part) is Name]


def receiver_name(expr: object) -> str:
    """The last name of a receiver: `client` of `self.client`."""
    match expr:
        case Name(name) | Attr(_, name, _):
            return name
    return ""
