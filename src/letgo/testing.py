"""The pytest plugin: with `--letgo`, or `letgo = true` in the ini file, a test fails if the app under test holds.

Every Starlette and FastAPI app that runs in the process of the tests is guarded, however it is called: by a TestClient,
by httpx's `ASGITransport`, by a server in a thread. Unless asked for, nothing is imported, wrapped or said.

```python
@pytest.mark.letgo_allow("the bank answers within the transaction on purpose: see ADR 12")
def test_paying(client): ...

def test_the_importer_lets_go(assert_lets_go):
    with assert_lets_go():
        import_orders(Session)
```
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from letgo.runtime.guard import Guard, Recorder, Seen, Settings

MARKER = "letgo_allow"
SETTLING_SECONDS = 5.0
"""How long a test waits for requests that a server in another thread has not finished."""
SHOWN = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("letgo", "transactions that are held")
    group.addoption("--letgo", action="store_true", help="fail tests whose requests hold a transaction")
    parser.addini("letgo", "fail tests whose requests hold a transaction, as --letgo does", "bool", default=False)
    parser.addini("letgo_ignore", "codes, such as LG101, that fail no test", "args", default=[])
    parser.addini("letgo_allowlist", "the allowlist of letgo check", default="letgo-allowlist.json")
    parser.addini("letgo_wait", "the shortest wait that is looked at, in seconds", default="0.01")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}(reason): what this test's requests hold is accepted, for a reason")
    asked = config.getoption("letgo") or config.getini("letgo")
    config.pluginmanager.register(Plugin(config, bool(asked)), "letgo-plugin")


@dataclass
class Tally:
    """What a run has seen, in values that xdist can carry: requests by route, and each place with its count."""

    requests: Counter[str] = field(default_factory=Counter)
    places: dict[str, tuple[int, float]] = field(default_factory=dict)

    def add(self, place: str, count: int, longest: float) -> None:
        known, worst = self.places.get(place, (0, 0.0))
        self.places[place] = known + count, max(worst, longest)

    def merge(self, given: dict[str, Any]) -> None:
        self.requests.update(given["requests"])
        for place, (count, longest) in given["places"].items():
            self.add(place, count, longest)

    def as_values(self) -> dict[str, Any]:
        return {"requests": dict(self.requests), "places": {place: list(said) for place, said in self.places.items()}}


class Plugin:
    """`active` while apps are guarded: for the whole run, or for a test with the fixture `letgo_guard`."""

    def __init__(self, config: pytest.Config, always: bool) -> None:
        self.config = config
        self.always = always
        self.active = False
        self.seen: list[Seen] = []
        self.tally = Tally()
        self.running = 0
        self.recorder: Recorder | None = None
        self._unwrap: Callable[[], None] | None = None
        if always and not self._only_controls():
            self.activate()

    def _only_controls(self) -> bool:
        """Whether this process only hands tests out to the workers of pytest-xdist."""
        return bool(getattr(self.config.option, "numprocesses", None)) and not hasattr(self.config, "workerinput")

    def activate(self) -> "Recorder":
        try:
            from letgo.runtime.guard import Recorder
            from letgo.runtime.guard.guard import start
        except ImportError as error:
            raise pytest.UsageError(f"letgo: {error}: pip install 'letgo[runtime]'") from error
        if self.recorder is None:
            try:
                self.recorder = Recorder(self._settings())
            except ValueError as error:
                raise pytest.UsageError(f"letgo: {error}") from error
            self._unwrap = wrap_apps(self)
        start(self.recorder)
        self.active = True
        return self.recorder

    def _settings(self) -> "Settings":
        from letgo.runtime.guard import Settings

        wait = float(self.config.getini("letgo_wait"))
        return Settings(
            mode="raise",
            wait=wait,
            tick=max(0.001, min(0.005, wait / 2)),
            ignore=frozenset(self.config.getini("letgo_ignore")),
            allowlist=self.config.getini("letgo_allowlist"),
            root=str(self.config.rootpath),
            on_finding=self._found,
        )

    def _found(self, seen: "Seen") -> None:
        finding = seen.finding
        if seen.in_request:
            self.tally.add(f"{finding.site.path}:{finding.site.line} {finding.code} {finding.message}", 1, seen.idle)
        if seen.fails:
            self.seen.append(seen)

    # What pytest calls.

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers(MARKER):
                _reason(item, mark)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.seen.clear()
        mark = item.get_closest_marker(MARKER)
        if self.recorder is not None:
            self.recorder.accepted = _reason(item, mark) if mark is not None else ""
        try:
            return (yield)
        finally:
            if not self.always:
                self.active = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if not self.active:
            return (yield)
        try:
            result = yield
        except Exception:
            if told := self._told(item):
                item.add_report_section("call", "letgo", told)
            raise
        if told := self._told(item):
            pytest.fail(told, pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        result = yield
        if self.active and (told := self._told(item)):
            pytest.fail(told, pytrace=False)
        return result

    def _told(self, item: pytest.Item) -> str:
        """What has been found since it was last asked, in pictures; it becomes properties of the test as well."""
        from letgo.runtime.guard.recorder import told

        deadline = time.monotonic() + SETTLING_SECONDS
        while self.running and time.monotonic() < deadline:
            time.sleep(0.005)
        seen, self.seen[:] = list(self.seen), []
        for one in seen:
            finding = one.finding
            item.user_properties.append(("letgo", f"{finding.code} {finding.site.path}:{finding.site.line}"))
        different = {(one.finding.code, one.finding.site, one.route): one for one in seen}
        return "\n\n".join(told(one, str(self.config.rootpath)) for one in different.values())

    def pytest_sessionfinish(self) -> None:
        if self.recorder is not None:
            for name, route in list(self.recorder.routes.items()):
                if route.requests:
                    self.tally.requests[name] += route.requests
            if hasattr(self.config, "workeroutput"):
                self.config.workeroutput["letgo"] = self.tally.as_values()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        if said := getattr(node, "workeroutput", {}).get("letgo"):
            self.tally.merge(said)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.always:
            return
        requests = sum(self.tally.requests.values())
        terminalreporter.section("letgo")
        holds = sum(count for count, _ in self.tally.places.values())
        terminalreporter.line(f"{requests:,} requests to {len(self.tally.requests):,} routes, {holds:,} findings")
        worst = sorted(self.tally.places.items(), key=lambda item: -item[1][1])
        for place, (count, longest) in worst[:SHOWN]:
            terminalreporter.line(f"  {count:>4,} x, idle for up to {longest * 1000:,.0f} ms: {place}")
        if len(worst) > SHOWN:
            terminalreporter.line(f"  and {len(worst) - SHOWN:,} more places")

    def pytest_unconfigure(self) -> None:
        if self._unwrap is not None:
            from letgo.runtime.guard.guard import stop

            self._unwrap()
            stop()


def wrap_apps(plugin: Plugin) -> Callable[[], None]:
    """Guard every Starlette app of this process while the plugin is active. Returns what undoes it."""
    from starlette.applications import Starlette

    from letgo.runtime.guard import Guard, TransactionHeld

    plain = Starlette.__call__

    async def guarded(app: Starlette, scope: Any, receive: Any, send: Any) -> None:
        if not plugin.active or plugin.recorder is None:
            await plain(app, scope, receive, send)
            return

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            await plain(app, scope, receive, send)

        outermost = scope["type"] in ("http", "websocket")
        plugin.running += outermost
        try:
            await Guard(inner, recorder=plugin.recorder, starting=False)(scope, receive, send)
        except TransactionHeld:
            pass  # it fails the test at its end, not the fixture of a whole module that has sent the request
        finally:
            plugin.running -= outermost

    def unwrap() -> None:
        Starlette.__call__ = plain  # type: ignore[method-assign]

    Starlette.__call__ = guarded  # type: ignore[assignment,method-assign]
    return unwrap


def _reason(item: pytest.Item, mark: pytest.Mark) -> str:
    reason = mark.args[0] if mark.args else mark.kwargs.get("reason", "")
    if not isinstance(reason, str) or not reason.strip():
        raise pytest.UsageError(f'{item.nodeid}: @pytest.mark.{MARKER} needs a reason: {MARKER}("why this may hold")')
    return reason


@dataclass(frozen=True, slots=True)
class GuardedTest:
    """The guard during one test. `findings` are those that will fail it, if nobody clears them."""

    recorder: "Recorder"
    findings: "list[Seen]"

    def allow(self, reason: str) -> AbstractContextManager[None]:
        """Accept what is held inside."""
        if not reason.strip():
            raise ValueError("allow needs a reason: why may the code in this block hold a transaction?")
        return self._accepting(reason)

    @contextmanager
    def _accepting(self, reason: str) -> Iterator[None]:
        before, self.recorder.accepted = self.recorder.accepted, reason
        try:
            yield
        finally:
            self.recorder.accepted = before

    def wrap(self, app: Any) -> "Guard":
        """A guarded app, for an ASGI app that is not Starlette's."""
        from letgo.runtime.guard import Guard

        return Guard(app, recorder=self.recorder)


@pytest.fixture
def letgo_guard(request: pytest.FixtureRequest) -> GuardedTest:
    """Guards the apps of this test, with or without `--letgo`."""
    plugin = _plugin(request)
    recorder = plugin.activate()
    mark = request.node.get_closest_marker(MARKER)
    recorder.accepted = _reason(request.node, mark) if mark is not None else ""
    return GuardedTest(recorder, plugin.seen)


@pytest.fixture
def assert_lets_go(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """Makes a block that fails when the code in it waits in a transaction, or leaves one open at the end.

    For code that is called without a request: a service, a job. A transaction that was open before does not count.
    """
    plugin = _plugin(request)

    @contextmanager
    def lets_go() -> Iterator[None]:
        from letgo.runtime.guard import Recorder
        from letgo.runtime.guard.guard import start
        from letgo.runtime.guard.recorder import told
        from letgo.runtime.guard.tracking import Background
        from letgo.runtime.guard.watch import Watch

        seen: list[Seen] = []
        before = Background.watch
        settings = plugin._settings()
        recorder = Recorder(_with(settings, seen.append))
        start(recorder)
        watch = Background.watch = Watch({}, recorder)
        try:
            yield
        finally:
            Background.watch = before
        left = [f"   {watch.place_of(found)} `{found.statement}`" for found in watch.open.values()]
        if left:
            seen.clear()
            pytest.fail("these transactions are still open:\n" + "\n".join(left), pytrace=False)
        if seen:
            pytest.fail("\n\n".join(told(one, settings.root) for one in seen), pytrace=False)

    return lets_go


def _with(settings: "Settings", on_finding: "Callable[[Seen], object]") -> "Settings":
    from dataclasses import replace

    return replace(settings, on_finding=on_finding)


@pytest.fixture
def pool_baseline(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many connections were out of their pools before the test; it fails if more are afterwards."""
    _plugin(request).activate()
    from letgo.runtime.guard.connections import taken
    from letgo.runtime.guard.tracking import opened

    before = set(taken)
    known = set(opened)
    yield len(before)
    more = [taken[key] for key in taken.keys() - before]
    if more:
        places = [found.watch.place_of(found) for key, found in list(opened.items()) if key not in known]
        where = f": {', '.join(places)}" if places else ""
        pytest.fail(f"{len(more)} connections have not come back to their pools{where}", pytrace=False)


def _plugin(request: pytest.FixtureRequest) -> Plugin:
    plugin = request.config.pluginmanager.get_plugin("letgo-plugin")
    assert isinstance(plugin, Plugin)
    return plugin
