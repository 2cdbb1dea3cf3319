"""One outcome of a check, in every format: it parses, it says the same, and nothing in it breaks out of its form."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.holds import Confidence, Event, Finding, Root, Site, Step, Suppression
from letgo.lifetime.facts import Unresolved
from letgo.picture.look import Look
from letgo.report import check_concise, check_github, check_gitlab, check_json, check_junit, check_markdown, check_sarif
from letgo.report.check_text import render as render_text
from letgo.report.fingerprint import fingerprints
from letgo.report.outcome import Outcome
from letgo.rules.registry import RULES
from letgo.rules.suppression import Stale
from letgo.source.codebase import Unreadable

TOOLS = """\
from fastapi import APIRouter, Depends

router = APIRouter()


@router.post("/tools")
async def create_tool(payload: ToolIn, db=Depends(get_db)):
    tool = db.get(Tool, payload.id)
    tool.name = payload.name
    await notify(tool)
    return tool


async def notify(tool):
    async with httpx.AsyncClient() as client:
        await client.post(HOOK, json=tool.as_dict())
"""
DATABASE = "def get_db():\n    db = SessionLocal()\n    try:\n        yield db\n    finally:\n        db.close()\n"


def step(event: Event, path: str, line: int, function: str, text: str) -> Step:
    return Step(event, Site(path, line, function), text)


OPENING = (
    step(Event.SOURCE, "app/tools.py", 7, "create_tool", "session injected by `get_db`"),
    step(Event.OPENED, "app/tools.py", 8, "create_tool", "the transaction begins"),
)
ENDING = step(Event.RELEASED, "app/db.py", 6, "get_db", "only `get_db` lets go, afterwards")

EXTERNAL = Finding(
    "LG201",
    "open-during-external-call",
    "transaction open since line 8 while it waits for `httpx.AsyncClient.post`",
    "Commit or roll back before the call: `get_db` lets go too late.",
    Site("app/tools.py", 10, "create_tool"),
    Site("app/tools.py", 7, "create_tool"),
    Confidence.CERTAIN,
    80,
    (
        *OPENING,
        step(Event.CALL, "app/tools.py", 10, "create_tool", "calls `notify`"),
        step(Event.WAIT, "app/tools.py", 16, "notify", "waits for `httpx.AsyncClient.post`"),
        ENDING,
    ),
)
ROOT = Root(Site("app/db.py", 6, "get_db"), "`get_db` lets go only after the function has returned", "commit before it")
SERIALISED = Finding(
    "LG101",
    "open-while-serialising",
    "transaction open since line 8 while the return value is serialised",
    "Commit before the return.",
    Site("app/tools.py", 11, "create_tool"),
    Site("app/tools.py", 7, "create_tool"),
    Confidence.LIKELY,
    30,
    (*OPENING, step(Event.WAIT, "app/tools.py", 11, "create_tool", "the return value is serialised"), ENDING),
    ROOT,
)
SUPPRESSED = replace(
    EXTERNAL, suppression=Suppression("allowlist", "local peer", Site("letgo-allowlist.json", 2, "<allowlist>"))
)


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/tools.py").write_text(TOOLS)
    (tmp_path / "app/db.py").write_text(DATABASE)
    others = tuple(replace(SERIALISED, handler=Site("app/tools.py", 7, f"handler_{n}")) for n in range(7))
    return Outcome(
        tmp_path,
        (EXTERNAL, SERIALISED, *others),
        (SUPPRESSED,),
        (Stale("allowlist", Site("letgo-allowlist.json", 9, "<allowlist>"), "allows LG301 in gone", "drop it"),),
        (Unreadable("app/bad.py", 3, "invalid syntax"), Unreadable("app/locked.py", 0, "permission denied")),
        (Unresolved(Site("app/tools.py", 9, "create_tool"), "helper(db)", "it is not known what helper is"),),
        RULES,
        212,
        1.234,
    )


GOLDEN = """\
app/tools.py:10 LG201 transaction open since line 8 while it waits for `httpx.AsyncClient.post` [certain]
         app/tools.py · create_tool
     7   async def create_tool(payload: ToolIn, db=Depend…  ○ session injected by `get_db`
     8 ┏ tool = db.get(Tool, payload.id)                    ● the transaction begins
 >  10 ┃ await notify(tool)                                 ↳ calls `notify`
       ┃ app/tools.py · notify
    16 ┃   await client.post(HOOK, json=tool.as_dict())     ◆ waits for `httpx.AsyncClient.post`
       ┃ app/db.py · get_db
     6 ┗ db.close()                                         ○ only `get_db` lets go, afterwards
   help: Commit or roll back before the call: `get_db` lets go too late.

1 finding (certain); 212 files in 1.23 s
"""


def test_the_text_draws_the_hold_beside_its_code(outcome: Outcome) -> None:
    alone = Outcome(outcome.root, (EXTERNAL,), files=212, seconds=1.234)
    assert render_text(alone, Look()) == GOLDEN


def test_a_cause_that_many_share_is_told_once_with_its_first_places(outcome: Outcome) -> None:
    text = render_text(outcome, Look())
    assert text.count("lets go only after the function has returned") == 1
    assert "app/db.py:6 LG101 8 functions: " in text
    assert "help: commit before it" in text
    assert "and 3 more; --expand names them all" in text and "handler_6" not in text


def test_expanded_every_place_of_a_cause_is_named(outcome: Outcome) -> None:
    text = render_text(outcome, Look(), expand=True)
    assert all(f"  handler_{number}\n" in text for number in range(7))
    assert "--expand" not in text


def test_statistics_count_by_rule(outcome: Outcome) -> None:
    lines = render_text(outcome, Look(), statistics=True).splitlines()
    assert lines[:2] == ["     8  LG101  open-while-serialising", "     1  LG201  open-during-external-call"]


def test_the_text_names_once_what_could_not_be_read_and_what_is_stale(outcome: Outcome) -> None:
    text = render_text(outcome, Look())
    for said in (
        "app/bad.py:3 invalid syntax",
        "app/locked.py permission denied",
        "letgo-allowlist.json:9 allows LG301",
    ):
        assert text.count(said) == 1
    assert "9 findings (1 certain, 8 likely), 1 suppressed, 2 unreadable; 212 files in 1.23 s" in text


def test_without_colour_there_is_no_escape_and_with_it_the_same_words(outcome: Outcome) -> None:
    plain, coloured = render_text(outcome, Look()), render_text(outcome, Look(color=True))
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).replace("`", "") == plain.replace("`", "")


def test_where_the_terminal_knows_ascii_alone_the_picture_is_ascii(outcome: Outcome) -> None:
    assert render_text(outcome, Look(unicode=False)).isascii()


def test_a_source_that_is_gone_leaves_a_picture_without_code(outcome: Outcome) -> None:
    text = render_text(replace(outcome, root=outcome.root / "gone"), Look())
    assert "◆ waits for `httpx.AsyncClient.post`" in text


@given(st.integers(20, 200))
def test_a_picture_keeps_to_the_width_it_is_given(width: int) -> None:
    outcome = Outcome(Path("/nowhere"), (EXTERNAL,))
    drawn = [line for line in render_text(outcome, Look(width=width)).splitlines() if re.search("[┏┃┗]", line)]
    headings = ("app/tools.py · notify", "app/db.py · get_db")
    assert all(len(line) <= max(width, 50) for line in drawn if not line.endswith(headings))


def test_control_characters_of_the_source_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/tools.py").write_text(TOOLS.replace("await notify(tool)", "notify('\x1b[2J')"))
    assert "\x1b" not in render_text(Outcome(tmp_path, (EXTERNAL,)), Look())


def test_a_clean_run_says_so() -> None:
    assert render_text(Outcome(Path(), files=3), Look()) == "No transaction is held; 3 files in 0.00 s\n"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"findings": (EXTERNAL,)}, 1),
        ({"suppressed": (SUPPRESSED,)}, 0),
        ({"stale": (Stale("baseline", Site("b.json", 1, ""), "counts", "shrink"),)}, 1),
        ({"findings": (EXTERNAL,), "unreadable": (Unreadable("a.py", 1, "no"),)}, 2),
    ],
)
def test_the_exit_code_tells_clean_from_findings_from_what_could_not_be_read(changes: dict, code: int) -> None:  # type: ignore[type-arg]
    assert replace(Outcome(Path()), **changes).exit_code == code


def test_json_says_all_there_is(outcome: Outcome) -> None:
    document = json.loads(check_json.render(outcome))
    assert len(document["findings"]) == 9 and len(document["suppressed"]) == 1
    first = document["findings"][0]
    assert (first["code"], first["path"], first["line"], first["function"]) == (
        "LG201",
        "app/tools.py",
        10,
        "create_tool",
    )
    assert first["handler"] == {"path": "app/tools.py", "line": 7, "function": "create_tool"}
    assert [place["line"] for place in first["trace"]] == [7, 8, 10, 16, 6]
    assert first["root"] is None and first["suppressed"] is None
    assert document["findings"][1]["root"]["cure"] == "commit before it"
    assert document["suppressed"][0]["suppressed"]["reason"] == "local peer"
    assert document["unreadable"][0] == {"path": "app/bad.py", "line": 3, "reason": "invalid syntax"}
    assert document["unresolved"][0]["call"] == "helper(db)"
    assert document["summary"]["by_code"] == {"LG101": 8, "LG201": 1}
    assert document["stale"][0]["line"] == 9


def test_concise_is_one_line_each(outcome: Outcome) -> None:
    lines = check_concise.render(outcome).splitlines()
    assert len(lines) == 9 + 2 + 1
    assert all(re.match(r"[\w./-]+(:\d+)?: \w+", line) for line in lines)


def test_sarif_has_rules_flows_suppressions_and_what_could_not_be_read(outcome: Outcome) -> None:
    document = json.loads(check_sarif.render(outcome))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    results = run["results"]
    assert len(results) == 10
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    flow = results[0]["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [place["nestingLevel"] for place in flow] == [0, 0, 0, 1, 0]
    assert flow[3]["location"]["physicalLocation"]["region"]["startLine"] == 16
    assert [bool(result["suppressions"]) for result in results] == [False] * 9 + [True]
    assert results[9]["suppressions"][0]["kind"] == "external"
    assert len({result["partialFingerprints"]["letgo/v1"] for result in results}) == 10
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "app/bad.py could not be read" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    assert "region" not in invocation["toolExecutionNotifications"][1]["locations"][0]["physicalLocation"]


def test_sarif_addresses_are_escaped(outcome: Outcome) -> None:
    odd = replace(EXTERNAL, site=Site("a b/ü#1.py", 1, "f"), trace=())
    document = json.loads(check_sarif.render(replace(outcome, findings=(odd,))))
    location = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/%C3%BC%231.py"


def test_fingerprints_stay_when_lines_move_and_differ_within_a_function() -> None:
    moved = replace(EXTERNAL, site=Site("app/tools.py", 99, "create_tool"))
    assert fingerprints([EXTERNAL]) == fingerprints([moved])
    assert len(set(fingerprints([EXTERNAL, moved]))) == 2


def test_gitlab_issues_have_what_gitlab_asks_for(outcome: Outcome) -> None:
    issues = json.loads(check_gitlab.render(outcome))
    assert len(issues) == 12
    assert len({issue["fingerprint"] for issue in issues}) == 12
    assert {issue["severity"] for issue in issues} == {"major", "minor", "critical"}
    assert all(issue["location"]["lines"]["begin"] >= 1 for issue in issues)


def test_junit_counts_what_it_lists(outcome: Outcome) -> None:
    suites = ElementTree.fromstring(check_junit.render(outcome))
    assert suites.attrib == {
        "name": "letgo",
        "time": "1.234",
        "tests": "13",
        "failures": "9",
        "errors": "3",
        "skipped": "1",
    }
    assert len(suites.findall(".//failure")) == 9


def test_junit_of_a_clean_run_has_one_passing_case() -> None:
    suites = ElementTree.fromstring(check_junit.render(Outcome(Path())))
    assert suites.get("tests") == "1" and suites.get("failures") == "0"


def test_markdown_has_a_section_for_each_cause_and_a_box_for_each_place(outcome: Outcome) -> None:
    text = check_markdown.render(outcome)
    assert text.count("\n## LG") == 2
    assert text.count("- [ ] `app/tools.py:") == 9
    assert "`app/bad.py:3`" in text and "`letgo-allowlist.json:9`" in text


RENDERERS: list[Callable[[Outcome], str]] = [
    import_module(f"letgo.report.check_{name}").render
    for name in ("concise", "json", "sarif", "github", "gitlab", "junit", "markdown")
]
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(anything, anything, anything)
def test_no_text_breaks_a_format(message: str, path: str, reason: str) -> None:
    odd = replace(
        EXTERNAL, message=message, site=Site(path, 1, message), trace=(Step(Event.WAIT, EXTERNAL.site, message),)
    )
    outcome = Outcome(Path("/nowhere"), (odd,), unreadable=(Unreadable(path, 0, reason),))
    for render in RENDERERS:
        assert render(outcome)
    render_text(outcome, Look())
    assert json.loads(check_json.render(outcome))["findings"][0]["message"] == message
    assert json.loads(check_sarif.render(outcome))["runs"][0]["results"][0]["message"]["text"].startswith(message)
    ElementTree.fromstring(check_junit.render(outcome))


def read_as_github_does(line: str) -> tuple[str, dict[str, str], str]:
    """The level, properties and message of a workflow command."""
    head, _, message = line[2:].partition("::")
    level, _, properties = head.partition(" ")
    pairs = dict(pair.split("=", 1) for pair in properties.split(","))

    def unescaped(text: str) -> str:
        return (
            text.replace("%3A", ":").replace("%2C", ",").replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        )

    return level, {key: unescaped(value) for key, value in pairs.items()}, unescaped(message)


@given(anything, anything, anything)
def test_github_reads_back_what_was_written(path: str, title: str, message: str) -> None:
    line = check_github.command("error", path, 3, title, message)
    assert "\n" not in line and "\r" not in line
    assert read_as_github_does(line) == ("error", {"file": path, "line": "3", "title": title}, message)


def test_github_warns_of_what_is_only_likely(outcome: Outcome) -> None:
    lines = check_github.render(outcome).splitlines()
    assert [line.split()[0] for line in lines] == ["::error"] + ["::warning"] * 8 + ["::error"] * 3
