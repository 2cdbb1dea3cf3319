"""From a code base to its facts: which functions to begin with, and what following them found."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from letgo.holds import Site
from letgo.lifetime import functions, requests
from letgo.lifetime.analysis import Analysis, Settings
from letgo.lifetime.beginnings import all_functions, beginnings, modules_with_sessions
from letgo.lifetime.endpoints import Dependency, Endpoint, endpoints
from letgo.lifetime.facts import Facts, Followed, Leaves, collected
from letgo.lifetime.findings import Findings, Outcome, Outcomes
from letgo.lifetime.framework import Version, ends, fastapi_version
from letgo.lifetime.memo import Bits
from letgo.lifetime.memory import NOTHING, keep, memory_in, recall
from letgo.lifetime.objects import is_classmethod, manages
from letgo.lifetime.pools import pool_size
from letgo.lifetime.values import ClassValue, FunctionValue, Instance, Value
from letgo.lifetime.waits import Waits
from letgo.source.codebase import CodeBase
from letgo.source.errors import UserError
from letgo.source.forked import can_fork, shared
from letgo.source.names import FunctionSymbol, Names
from letgo.source.outline import digest_of
from letgo.source.recursion import recursion_limit

DEEPEST = 20_000
"""Frames for following an expression of 3,000 levels, some calls down."""


class Root(NamedTuple):
    """Where following begins: an endpoint, or a function by itself. Roots of one name lead to the same."""

    name: str
    function: Site
    follow: Callable[[], object]


class Alone(NamedTuple):
    """A root that is a function by itself."""

    name: str
    function: Site
    follow: Callable[[], object]
    symbol: FunctionSymbol

    @property
    def mentions(self) -> frozenset[str]:
        return self.symbol.function.mentions


@recursion_limit(DEEPEST)
def follow(
    codebase: CodeBase,
    *,
    names: Names | None = None,
    waits: Waits | None = None,
    settings: Settings | None = None,
    fastapi: str | None = None,
    jobs: int = 1,
    debug: bool = False,
    cache: Path | None = None,
    said: object = None,
) -> Facts:
    """Follows every session of a code base.

    `fastapi` overrides the FastAPI version read from lock files. `jobs` is the largest number of processes. `debug`
    raises what makes letgo fail in a function, which is `unresolved` otherwise. `cache` is the directory to keep what
    was found in for the next run; all that `waits` were told must be `said` then.
    """
    analysis = Analysis(names or Names(codebase), waits or Waits.default(), settings or Settings(), debug=debug)
    findings = Findings(analysis.memo)
    version, pool = fastapi_version(codebase.root, fastapi), pool_size(analysis.names)
    memory = memory_in(cache, codebase, said, version, pool, *map(sorted, analysis.settings)) if cache else None
    remembered = recall(memory, codebase) if memory else NOTHING
    if remembered.facts is not None:
        return collected(remembered.facts)
    for outcomes in remembered.sources:
        findings.add(outcomes)
    others = tuple(_functions(analysis))
    places = {id(root.symbol.function): root.name for root in others}
    _follow_all(analysis, findings, tuple(_endpoints(analysis, places, version, pool)), jobs)
    alone = {id(root.symbol.function): root for root in others}
    concerned = modules_with_sessions(analysis)
    for symbols in beginnings(analysis, [root.symbol for root in others], concerned):
        _follow_once(analysis, findings, [alone[id(symbol.function)] for symbol in symbols], jobs)
    near = [root for root in others if root.symbol.module.path in concerned]
    done: set[str] = set()
    while left := {fact.name for fact in findings.facts() if isinstance(fact, Leaves)} - done:
        done |= left
        _follow_once(analysis, findings, [root for root in near if not left.isdisjoint(root.mentions)], jobs)
    if memory and (findings.own.roots or len(findings.sources) > len(remembered.sources) + 1):
        keep(memory, codebase, findings)
    return collected(findings.facts())


def _follow_all(analysis: Analysis, findings: Findings, roots: Sequence[Root | Alone], jobs: int) -> None:
    """Follows each of the roots, wherever others have led to."""
    _share_out(analysis, findings, [root for root in roots if not findings.knows(root.name)], jobs, once=False)
    for root in roots:
        if not findings.knows(root.name):  # it got lost with a process
            _share_out(analysis, findings, [root], 1, once=False)
        findings.keep(root.name)


def _follow_once(analysis: Analysis, findings: Findings, roots: Sequence[Root | Alone], jobs: int) -> None:
    """Follows those of the roots, one after the other, to which no root before them leads."""
    _share_out(analysis, findings, list(_unknown(findings, roots)), jobs, once=True)
    for root in roots:
        if not findings.leads_to(root.function):
            if not findings.knows(root.name):
                _share_out(analysis, findings, [root], 1, once=True)
            findings.keep(root.name)


def _unknown(findings: Findings, roots: Sequence[Root | Alone]) -> Iterator[Root | Alone]:
    """The roots that will most likely have to be followed."""
    supposed = findings.supposing()
    for root in roots:
        if not supposed.leads_to(root.function):
            if supposed.knows(root.name):
                supposed.keep(root.name)
            else:
                yield root


# --- in several processes --------------------------------------------------------------------------------------------

CHUNK = 12
"""Roots that one process follows in a row: neighbours lead to the same functions."""

WORTH_A_PROCESS = 24
"""Roots, which take some 200 ms to follow."""


def _share_out(analysis: Analysis, findings: Findings, roots: Sequence[Root | Alone], jobs: int, *, once: bool) -> None:
    """Follows the roots, here and in copies of this process, which take what is next until there is no more."""
    copies = min(jobs, len(roots) // WORTH_A_PROCESS) - 1 if can_fork() else 0
    with shared(roots, partial(_follow_rest, analysis, once), copies, CHUNK) as (waiting, results):
        findings.own.roots.update(_follow_rest(analysis, once, waiting).roots)
        for outcomes in results:
            findings.add(outcomes)


def _follow_rest(analysis: Analysis, once: bool, roots: Iterator[Root | Alone]) -> Outcomes:
    memo = analysis.memo
    found: dict[str, Outcome] = {}
    led: Bits = 0
    for root in roots:
        if once and led & memo.facts.get(Followed(root.function), 0):
            continue
        memo.begin()
        try:
            root.follow()
        except UserError:
            raise
        except Exception as error:
            analysis.note_failure(root.function, error)
        if memo.is_exhausted:
            analysis.note_unresolved(root.function, root.function.function, "it leads to more than letgo follows")
        led |= memo.reached.facts
        found[root.name] = Outcome(memo.reached.facts, memo.reached.code)
    return Outcomes(tuple(memo.facts), tuple(memo.code), found)


# --- where to begin --------------------------------------------------------------------------------------------------


def _endpoints(analysis: Analysis, places: Mapping[int, str], version: Version, pool: int | None) -> Iterator[Root]:
    for endpoint in endpoints(analysis.names):
        symbol = endpoint.function
        site = Site(symbol.module.path, symbol.function.line, symbol.function.qualname)
        run = partial(requests.follow_endpoint, analysis, endpoint, partial(ends, version), pool)
        yield Root(f"{places[id(symbol.function)]} {_declared(endpoint)}", site, run)


def _declared(endpoint: Endpoint) -> str:
    """All that tells how a request is handled, beside the function."""
    dependencies = [_asked(dependency) for dependency in endpoint.dependencies]
    fields = [(field.name, _asked(dependency)) for field, dependency in endpoint.fields]
    return digest_of((endpoint.kind, endpoint.response_model, endpoint.sends_as_is, dependencies, fields))


def _asked(dependency: Dependency) -> tuple[object, ...]:
    return (dependency.module.path, dependency.expr, dependency.scope, dependency.use_cache)


def _functions(analysis: Analysis) -> Iterator[Alone]:
    count: Counter[str] = Counter()
    for symbol in all_functions(analysis.names):
        path = symbol.module.path
        count[path] += 1
        site = Site(path, symbol.function.line, symbol.function.qualname)
        yield Alone(f"{path}#{count[path]}", site, partial(follow_alone, analysis, symbol), symbol)


def follow_alone(analysis: Analysis, symbol: FunctionSymbol) -> None:
    """Follows a function as if it were called by nobody known."""
    receiver: Value | None = None
    if symbol.owner is not None:
        receiver = ClassValue(symbol.owner) if is_classmethod(symbol) else Instance(symbol.owner, ())
    value = FunctionValue(symbol, receiver, (), manages(analysis, symbol))
    functions.summarise(analysis, value, (), {}, {}, alone=True)
