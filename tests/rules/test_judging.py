"""Facts become findings: one for each defect, worst first, in words, with a trace and what it shares with others."""

import pytest

from letgo.holds import Confidence, Event, Finding, Hold, Misuse, MisuseKind, Origin, Site, Source, Step, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.rules.grouping import groups
from letgo.rules.judging import judge
from letgo.rules.registry import RULES
from letgo.source.settings import Settings

END_OF_GET_DB = Site("app/db.py", 14, "get_db")


def site(line: int, function: str = "pay", path: str = "app/orders.py") -> Site:
    return Site(path, line, function)


def wait(kind: WaitKind, line: int, what: str = "", *via: Site, function: str = "pay", path: str = "") -> Wait:
    return Wait(kind, what or kind.value, site(line, function, path or "app/orders.py"), via)


def hold(
    *waits: Wait,
    function: str = "pay",
    origin: Origin = Origin.DEPENDENCY,
    name: str = "get_db",
    opened: Site | None = None,
    opened_via: tuple[Site, ...] = (),
    released: Site | None = END_OF_GET_DB,
    certain: bool = True,
) -> Hold:
    """A hold of `function`, which is defined on line 10 with its session and opens on line 11."""
    source = Source(origin, name, site(10, function))
    begun = opened or site(11, function)
    return Hold(site(10, function), source, begun, waits, released, certain, opened_via)


def misuse(kind: MisuseKind, line: int = 12, detail: str = "", trail: tuple[Step, ...] = ()) -> Misuse:
    return Misuse(kind, site(10), Source(Origin.DEPENDENCY, "get_db", site(10)), site(line), True, trail, detail)


def judged(*holds: Hold, misuses: tuple[Misuse, ...] = (), settings: Settings | None = None) -> tuple[Finding, ...]:
    return judge(Facts(holds, misuses), settings or Settings(preview=True, strict=True))


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("kind", "what", "code"),
    [
        (WaitKind.SERIALISE, "return", "LG101"),
        (WaitKind.RENDER, "TemplateResponse", "LG102"),
        (WaitKind.BRANCH, "return", "LG103"),
        (WaitKind.EXTERNAL, "httpx.post", "LG201"),
        (WaitKind.SLEEP, "time.sleep", "LG202"),
        (WaitKind.PROCESS, "subprocess.run", "LG203"),
        (WaitKind.COMPUTE, "bcrypt.hashpw", "LG204"),
        (WaitKind.STREAM, "StreamingResponse", "LG301"),
        (WaitKind.STREAM, "yield", "LG302"),
        (WaitKind.TASK, "send_mail", "LG303"),
    ],
)
def test_each_kind_of_wait_belongs_to_one_rule(kind: WaitKind, what: str, code: str) -> None:
    (finding,) = judged(hold(wait(kind, 20, what)))
    assert finding.code == code
    assert "since line 11" in finding.message or "session of `get_db`" in finding.message
    assert finding.site == site(20)


@pytest.mark.parametrize("kind", MisuseKind)
def test_each_kind_of_misuse_belongs_to_one_rule_and_is_told_with_and_without_detail(kind: MisuseKind) -> None:
    for detail in ("", "something"):
        (finding,) = judged(misuses=(misuse(kind, detail=detail),))
        assert finding.site == site(12)
        assert "``" not in finding.message + finding.help


def test_a_message_names_the_call_and_where_the_transaction_opened() -> None:
    (finding,) = judged(hold(wait(WaitKind.EXTERNAL, 20, "httpx.AsyncClient.post")))
    assert finding.message == "transaction open since line 11 while waiting for `httpx.AsyncClient.post`"


def test_a_wait_in_a_callee_shows_on_the_callers_line_and_is_named_with_its_place() -> None:
    deep = wait(WaitKind.EXTERNAL, 7, "httpx.post", site(20), site(44, "notify"), function="send", path="app/mail.py")
    (finding,) = judged(hold(deep))
    assert finding.site == site(20)
    assert finding.message.endswith("while waiting for `httpx.post` in `send` (mail.py:7)")


def test_an_opening_in_a_callee_is_told_by_both_places() -> None:
    opened = site(3, "load", "app/load.py")
    (finding,) = judged(hold(wait(WaitKind.SLEEP, 20, "time.sleep"), opened=opened, opened_via=(site(15),)))
    assert finding.message.startswith("transaction open since line 15 (load.py:3 in `load`)")


def test_a_transaction_that_a_dependency_opened_is_to_be_ended_there() -> None:
    opened, via = Site("app/auth.py", 17, "current_user"), (site(10),)
    (finding,) = judged(hold(wait(WaitKind.SERIALISE, 20), opened=opened, opened_via=via))
    assert finding.message.startswith("transaction open since `current_user` (auth.py:17)")
    assert finding.help.startswith("`current_user` (auth.py:17) leaves its transaction open")
    assert Step(Event.CALL, site(10), "depends on `current_user`") in finding.trace


@pytest.mark.parametrize(
    ("origin", "cure"),
    [
        (Origin.DEPENDENCY, "Commit before the call: `SessionLocal` lets go too late."),
        (Origin.CONTEXT, "End the `with` block of `SessionLocal` before the call"),
        (Origin.FACTORY, "Commit and close the session of `SessionLocal` before the call"),
        (Origin.GENERATOR, "Commit and close the session of `SessionLocal` before the call"),
        (Origin.PARAMETER, "Commit `SessionLocal` before the call, or return to the caller"),
        (Origin.ATTRIBUTE, "Commit or close `SessionLocal` before the call"),
        (Origin.GLOBAL, "Commit or close `SessionLocal` before the call"),
    ],
)
def test_the_help_depends_on_where_the_session_came_from(origin: Origin, cure: str) -> None:
    (finding,) = judged(hold(wait(WaitKind.EXTERNAL, 20), origin=origin, name="SessionLocal"))
    assert finding.help.startswith(cure)


def test_several_waits_of_one_hold_are_one_finding_at_the_first_of_them() -> None:
    calls = [wait(WaitKind.EXTERNAL, line, "httpx.post") for line in (30, 20, 25)]
    (finding,) = judged(hold(*calls))
    assert finding.site == site(20)
    assert finding.message.endswith("(and 2 more)")
    assert [step.site.line for step in finding.trace if step.event is Event.WAIT] == [20, 25, 30]


def test_a_transaction_that_a_dependency_leaves_open_is_told_with_every_endpoint_that_waits() -> None:
    """Their streams look the same, and each has to be known to whoever ends the transaction earlier."""
    streams = [wait(WaitKind.STREAM, line, "StreamingResponse", function=name) for line, name in ((30, "a"), (40, "b"))]
    (finding,) = judged(hold(*streams, function="current_user"))
    assert finding.message.endswith("(and 1 more)")
    assert [step.site.function for step in finding.trace if step.event is Event.WAIT] == ["a", "b"]


def test_a_trace_tells_twelve_waits_and_counts_the_rest() -> None:
    (finding,) = judged(hold(*(wait(WaitKind.EXTERNAL, line, "httpx.post") for line in range(20, 35))))
    assert sum(step.event is Event.WAIT for step in finding.trace) == 12
    assert Step(Event.NOTE, site(34), "and 3 more such waits") in finding.trace


def test_two_openings_that_wait_on_the_same_line_are_one_finding_and_the_certain_one_is_told() -> None:
    call = wait(WaitKind.EXTERNAL, 20, "httpx.post")
    (finding,) = judged(hold(call, certain=False), hold(call, opened=site(13)))
    assert finding.confidence is Confidence.CERTAIN
    assert "since line 13" in finding.message


def test_two_handlers_that_wait_on_the_same_line_of_a_dependency_are_two_findings() -> None:
    call = wait(WaitKind.EXTERNAL, 7, "httpx.post", function="current_user", path="app/auth.py")
    assert [finding.handler.function for finding in judged(hold(call), hold(call, function="read"))] == ["pay", "read"]


def test_two_openings_that_wait_on_different_lines_are_two_findings() -> None:
    first = hold(wait(WaitKind.EXTERNAL, 20), released=site(21))
    second = hold(wait(WaitKind.EXTERNAL, 25), opened=site(24))
    assert [finding.site.line for finding in judged(first, second)] == [20, 25]


def test_a_trace_goes_from_the_source_to_the_release() -> None:
    deep = wait(WaitKind.EXTERNAL, 44, "httpx.post", site(20), function="notify")
    (finding,) = judged(hold(deep, opened=site(3, "load"), opened_via=(site(12),)))
    assert [(step.event, step.site.line, step.text) for step in finding.trace] == [
        (Event.SOURCE, 10, "session injected by `get_db`"),
        (Event.CALL, 12, "calls `load`"),
        (Event.OPENED, 3, "the transaction begins"),
        (Event.CALL, 20, "calls `notify`"),
        (Event.WAIT, 44, "waits for `httpx.post`"),
        (Event.RELEASED, 14, "only `get_db` lets go, afterwards"),
    ]


def test_a_trace_says_when_nothing_lets_go() -> None:
    (finding,) = judged(hold(wait(WaitKind.EXTERNAL, 20), released=None))
    assert finding.trace[-1] == Step(Event.NEVER_RELEASED, site(20), "nothing on this path lets go")


def test_the_trace_of_a_misuse_is_its_trail_between_source_and_place() -> None:
    closed = Step(Event.RELEASED, site(11), "closed")
    (finding,) = judged(misuses=(misuse(MisuseKind.REOPENED, 12, "db.scalar", (closed,)),))
    assert [step.site.line for step in finding.trace] == [10, 11, 12]


def test_what_can_hold_longer_comes_first_and_certain_before_likely() -> None:
    findings = judged(
        hold(wait(WaitKind.SERIALISE, 20)),
        hold(wait(WaitKind.STREAM, 20, "yield"), function="export"),
        hold(wait(WaitKind.EXTERNAL, 20), function="ask", certain=False),
        hold(wait(WaitKind.EXTERNAL, 20), function="tell"),
        hold(wait(WaitKind.RENDER, 20), function="page"),
        hold(wait(WaitKind.SLEEP, 20), function="poll"),
    )
    assert [finding.handler.function for finding in findings] == ["export", "tell", "ask", "poll", "page", "pay"]


def test_a_return_that_streams_is_not_told_again_as_a_branch() -> None:
    stream, branch = wait(WaitKind.STREAM, 20, "StreamingResponse"), wait(WaitKind.BRANCH, 20)
    assert codes(judged(hold(stream, branch))) == ["LG301"]
    assert codes(judged(hold(stream, wait(WaitKind.BRANCH, 18)))) == ["LG301", "LG103"]


def test_a_refresh_after_the_commit_is_not_told_again_where_the_value_is_serialised() -> None:
    reopened = hold(wait(WaitKind.SERIALISE, 20), opened=site(12))
    assert codes(judged(reopened, misuses=(misuse(MisuseKind.REARMED, 12, "db.refresh"),))) == ["LG104"]
    assert codes(judged(reopened, misuses=(misuse(MisuseKind.REARMED, 13, "db.refresh"),))) == ["LG104", "LG101"]


def test_likely_findings_can_be_left_out() -> None:
    holds = hold(wait(WaitKind.EXTERNAL, 20)), hold(wait(WaitKind.SLEEP, 20), certain=False)
    assert codes(judged(*holds, settings=Settings(min_confidence=Confidence.CERTAIN))) == ["LG201"]
    assert codes(judged(*holds, settings=Settings(min_confidence=Confidence.LIKELY))) == ["LG201", "LG202"]


def test_handlers_that_share_a_dependency_are_one_group_with_one_cure() -> None:
    findings = judged(*(hold(wait(WaitKind.SERIALISE, 20, function=name), function=name) for name in "abc"))
    (group,) = groups(findings)
    assert group.headline == "3 functions: `get_db` (db.py:14) lets go only after the function has returned"
    assert len(group.findings) == 3
    assert group.root is not None and group.root.site == END_OF_GET_DB


def test_two_dependencies_of_one_name_are_two_causes() -> None:
    other = Site("app/auth.py", 9, "get_db")
    ends = {"a": END_OF_GET_DB, "b": END_OF_GET_DB, "c": other, "d": other}
    findings = judged(
        *(hold(wait(WaitKind.SERIALISE, 20, function=name), function=name, released=end) for name, end in ends.items())
    )
    assert [len(group.findings) for group in groups(findings)] == [2, 2]


def test_handlers_that_wait_in_the_same_callee_are_one_group() -> None:
    def through(handler: str) -> Hold:
        call = wait(WaitKind.EXTERNAL, 7, "httpx.post", site(20, handler), function="send", path="app/mail.py")
        return hold(call, function=handler)

    (group,) = groups(judged(through("pay"), through("cancel")))
    assert group.root is not None and group.root.site == Site("app/mail.py", 7, "send")
    assert "`send` (mail.py:7) waits for `httpx.post` inside the transactions of its callers" in group.headline


def test_handlers_behind_an_auth_dependency_that_queries_are_one_group() -> None:
    opened = Site("app/auth.py", 17, "current_user")
    findings = judged(
        *(hold(wait(WaitKind.SERIALISE, 20, function=name), function=name, opened=opened) for name in "ab")
    )
    (group,) = groups(findings)
    assert group.root is not None and group.root.site == opened


def test_a_cause_that_one_function_has_alone_is_no_group() -> None:
    (finding,) = judged(hold(wait(WaitKind.SERIALISE, 20)))
    assert finding.root is None
    (group,) = groups([finding])
    assert group.headline == finding.message


def test_stalls_share_the_late_end_that_their_trails_show() -> None:
    trail = (Step(Event.RELEASED, END_OF_GET_DB, "lets go"),)
    first = misuse(MisuseKind.STALL, detail="50", trail=trail)
    second = Misuse(first.kind, site(30, "read"), first.session, site(30, "read"), True, trail, "50")
    findings = judged(misuses=(first, second))
    assert findings[0].message.startswith("stops the app dead at about 50 users at once")
    assert len(groups(findings)) == 1


def test_no_two_rules_share_a_code_or_a_name_and_codes_are_in_order() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert [rule.code for rule in RULES] == sorted({rule.code for rule in RULES})
