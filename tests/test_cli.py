"""The command line as a person, a pipe and a CI job meet it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import letgo
from letgo.cli import cli
from letgo.lifetime.interpret import run as run_function

APP = """\
import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

app = FastAPI()
SessionLocal = sessionmaker(create_engine("sqlite://"))


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@app.post("/pay/{key}")
def pay(key: int, db: Session = Depends(get_db)) -> None:
    db.get(Order, key)
    httpx.post("https://bank.example")
    db.commit()


@app.get("/health")
def health() -> None:
    httpx.get("https://bank.example")
"""
WAITING = APP.splitlines().index('    httpx.post("https://bank.example")') + 1
PATIENT = APP.replace("    db.get(Order, key)\n", "    db.get(Order, key)\n    db.commit()\n")

Letgo = Callable[..., Result]


@pytest.fixture
def letgo_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Letgo:
    """Runs a command in a directory that has the app in `app.py`."""
    (tmp_path / "app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "LETGO_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A real process, as a shell starts it."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from letgo.cli import main; main()", *arguments]


def findings(result: Result) -> list[tuple[str, str, int]]:
    return [(found["code"], found["path"], found["line"]) for found in json.loads(result.stdout)["findings"]]


# --- check -----------------------------------------------------------------------------------------------------------


def test_a_hold_is_found_and_the_exit_code_is_1(letgo_in: Letgo) -> None:
    result = letgo_in("check")
    assert result.exit_code == 1, result.output
    assert f"app.py:{WAITING} LG201 " in result.output
    assert "1 finding (certain)" in result.output
    assert "\x1b" not in result.output


def test_clean_code_exits_0(letgo_in: Letgo) -> None:
    Path("app.py").write_text(PATIENT)
    result = letgo_in("check")
    assert (result.exit_code, "No transaction is held" in result.output) == (0, True)


def test_findings_can_be_let_pass_once(letgo_in: Letgo) -> None:
    assert letgo_in("check", "--exit-zero").exit_code == 0


@pytest.mark.parametrize("form", ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown"])
def test_every_format_names_the_place_and_leaves_stderr_empty(letgo_in: Letgo, form: str) -> None:
    result = letgo_in("check", "--output-format", form)
    assert result.exit_code == 1
    assert "app.py" in result.stdout and str(WAITING) in result.stdout and "LG201" in result.stdout
    assert result.stderr == ""


def test_a_file_that_cannot_be_read_is_named_once_and_makes_the_exit_code_2(letgo_in: Letgo) -> None:
    Path("broken.py").write_text("def f(:\n")
    text = letgo_in("check", "--exit-zero")
    assert text.exit_code == 2
    assert text.output.count("broken.py:1") == 1
    document = letgo_in("check", "--output-format", "json")
    assert document.exit_code == 2
    assert json.loads(document.stdout)["unreadable"][0]["path"] == "broken.py"
    assert "error: broken.py:1: could not be read" in document.stderr
    assert letgo_in("check", "--exclude", "broken.py").exit_code == 1


def test_rules_can_be_chosen(letgo_in: Letgo) -> None:
    assert findings(letgo_in("check", "--output-format", "json", "--select", "LG3,LG4")) == []
    assert findings(letgo_in("check", "--output-format", "json", "--ignore", "LG201")) == []
    assert findings(letgo_in("check", "--output-format", "json", "--per-file-ignores", "app*:LG2")) == []


def test_the_command_line_goes_over_the_settings_of_the_project(letgo_in: Letgo) -> None:
    Path("pyproject.toml").write_text('[tool.letgo]\nignore = ["LG201"]\n')
    assert letgo_in("check").exit_code == 0
    assert letgo_in("check", "--ignore", "LG101").exit_code == 1


def test_paths_are_told_as_seen_from_where_one_is(letgo_in: Letgo, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pyproject.toml").write_text("[tool.letgo]\n")
    Path("inner").mkdir()
    monkeypatch.chdir("inner")
    result = letgo_in("check", "..", "--output-format", "json")
    assert findings(result) == [("LG201", "../app.py", WAITING)]
    assert {step["path"] for step in json.loads(result.stdout)["findings"][0]["trace"]} == {"../app.py"}


def test_a_report_goes_into_a_file_without_colours(letgo_in: Letgo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = letgo_in("check", "--output-file", "report.txt")
    assert (result.exit_code, result.output) == (1, "")
    written = Path("report.txt").read_text()
    assert "LG201" in written and "\x1b" not in written


def test_a_report_that_cannot_be_written_says_so(letgo_in: Letgo) -> None:
    result = letgo_in("check", "--output-file", "no/such/place.txt")
    assert result.exit_code == 2
    assert "error: no/such/place.txt: cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nowhere"], "nowhere: no such file"),
        (["check", "--select", "LG999"], "LG999"),
        (["check", "--per-file-ignores", "LG201"], "GLOB:CODE"),
        (["check", "--output-format", "word"], "word"),
        (["check", "--jobs", "0"], "jobs"),
        (["explain", "open-during-call"], "did you mean open-during-external-call?"),
        (["baseline"], "--write or --prune"),
        (["trace", "app.py"], "FILE:FUNCTION"),
        (["trace", "nowhere.py:pay"], "nowhere.py: no such file"),
        (["trace", "app.py:pya"], "did you mean pay?"),
    ],
)
def test_misuse_is_explained_with_exit_code_2(letgo_in: Letgo, arguments: list[str], said: str) -> None:
    result = letgo_in(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr and "Traceback" not in result.output


# --- saying no -------------------------------------------------------------------------------------------------------


def test_a_baseline_silences_what_it_counts_and_must_shrink_when_it_is_mended(letgo_in: Letgo) -> None:
    assert letgo_in("baseline", "--write").exit_code == 0
    silenced = letgo_in("check")
    assert (silenced.exit_code, "1 suppressed" in silenced.output) == (0, True)
    Path("app.py").write_text(PATIENT)
    stale = letgo_in("check")
    assert stale.exit_code == 1
    assert "counts 1 of LG201 in pay of app.py, found none" in stale.output and "--prune" in stale.output
    assert letgo_in("baseline", "--prune").exit_code == 0
    assert letgo_in("check").exit_code == 0


def test_a_baseline_cannot_grow(letgo_in: Letgo) -> None:
    letgo_in("baseline", "--write", "--reason", "before the summer")
    before = Path("letgo-baseline.json").read_text()
    assert "before the summer" in before
    Path("app.py").write_text(APP.replace("    db.commit()", "    httpx.put('https://bank.example')"))
    Path("more.py").write_text(APP)
    result = letgo_in("baseline", "--write")
    assert result.exit_code == 2
    assert "can only shrink" in result.stderr and "more.py: LG201 in pay" in result.stderr
    assert Path("letgo-baseline.json").read_text() == before


def test_a_part_of_the_program_judges_only_its_part_of_the_baseline(letgo_in: Letgo) -> None:
    Path("other").mkdir()
    Path("other/more.py").write_text(APP)
    letgo_in("baseline", "--write")
    Path("app.py").write_text(PATIENT)
    assert letgo_in("check", "other").exit_code == 0
    assert letgo_in("check", "--select", "LG101").exit_code == 0
    assert letgo_in("check").exit_code == 1


def test_a_comment_silences_its_line_and_is_stale_when_there_is_nothing_to_silence(letgo_in: Letgo) -> None:
    comment = "# letgo: ignore[LG201] the bank is a stub"
    Path("app.py").write_text(APP.replace('post("https://bank.example")', f'post("https://bank.example")  {comment}'))
    assert letgo_in("check").exit_code == 0
    Path("app.py").write_text(PATIENT.replace("    db.commit()", f"    db.commit()  {comment}"))
    stale = letgo_in("check")
    assert stale.exit_code == 1 and "ignores LG201, which is not found here" in stale.output


def test_a_comment_without_a_reason_is_refused_with_its_place(letgo_in: Letgo) -> None:
    Path("app.py").write_text(APP.replace("    db.commit()", "    db.commit()  # letgo: ignore[LG201]"))
    result = letgo_in("check")
    assert result.exit_code == 2
    assert re.search(r"error: app\.py:\d+: `letgo: ignore` gives no reason", result.stderr)


def test_the_allowlist_silences_a_function_and_stays_in_sarif(letgo_in: Letgo) -> None:
    entry = {"path": "app.py", "function": "pay", "codes": ["LG201"], "reason": "a stub"}
    Path("letgo-allowlist.json").write_text(json.dumps([entry]))
    result = letgo_in("check", "--output-format", "sarif")
    assert result.exit_code == 0
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    assert found["suppressions"][0]["justification"] == "a stub"
    location = found["suppressions"][0]["location"]["physicalLocation"]["artifactLocation"]["uri"]
    assert location == "letgo-allowlist.json"


def test_a_broken_allowlist_is_named_with_its_line(letgo_in: Letgo) -> None:
    Path("letgo-allowlist.json").write_text("[\n  {,\n]")
    result = letgo_in("check")
    assert result.exit_code == 2
    assert re.search(r"letgo-allowlist\.json:2:4: this is not JSON", result.stderr)


# --- the other commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html"])
def test_an_audit_comes_in_every_format(letgo_in: Letgo, form: str) -> None:
    result = letgo_in("audit", "--output-format", form)
    assert result.exit_code == 0, result.output
    assert "app.py" in result.stdout


def test_a_trace_draws_what_is_believed_of_a_function(letgo_in: Letgo) -> None:
    result = letgo_in("trace", "app.py:pay")
    assert result.exit_code == 0
    assert "┏ db.get(Order, key)" in result.output and "LG201" in result.output
    assert "No transaction is held here" in letgo_in("trace", "app.py:health").output


def test_a_trace_of_an_endpoint_draws_what_its_dependency_leaves_open_too(letgo_in: Letgo) -> None:
    route = """

def customer(key: int, db: Session = Depends(get_db)):
    return db.get(Customer, key)


@app.post("/remind/{key}")
def remind(customer=Depends(customer)) -> None:
    httpx.post("https://mail.example")


@app.post("/greet/{key}")
def greet(customer=Depends(customer)) -> None:
    httpx.get("https://bank.example")
"""
    Path("app.py").write_text(APP + route)
    result = letgo_in("trace", "app.py:remind")
    assert "httpx.post" in result.output and "httpx.get" not in result.output


def test_every_rule_can_be_explained_by_code_and_by_name(letgo_in: Letgo) -> None:
    codes = re.findall(r"LG\d{3}", letgo_in("rules").output)
    assert len(codes) > 20
    for code in codes:
        page = letgo_in("explain", code.lower())
        assert page.exit_code == 0 and code in page.output
    assert letgo_in("explain", "open-while-streaming").output == letgo_in("explain", "LG301").output


def test_config_tells_where_a_setting_comes_from(letgo_in: Letgo) -> None:
    Path("pyproject.toml").write_text("[tool.letgo]\nstrict = true\n")
    result = letgo_in("config", "--preview")
    assert re.search(r"strict +true +pyproject\.toml", result.output)
    assert re.search(r"preview +true +command line", result.output)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_completion_for_each_shell(letgo_in: Letgo, shell: str) -> None:
    assert "_LETGO_COMPLETE" in letgo_in("completion", shell).output


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project.get("version", letgo.__version__) == letgo.__version__
    assert letgo.__version__ in CliRunner().invoke(cli, ["--version"]).output


# --- real processes --------------------------------------------------------------------------------------------------


def test_starting_imports_neither_the_analyser_nor_rich_nor_sqlalchemy(tmp_path: Path) -> None:
    code = "import sys, letgo.cli; print(*(m for m in sys.modules if m.startswith(('letgo', 'rich', 'sqlalchemy'))))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {"letgo", "letgo.cli", "letgo.source", "letgo.source.errors"}


def test_checking_never_imports_rich_or_what_it_reads_about(letgo_in: Letgo, tmp_path: Path) -> None:
    code = (
        "import sys; from letgo.cli import cli\n"
        "try: cli(['check'])\n"
        "except SystemExit: pass\n"
        "print(*(m for m in sys.modules if m.split('.')[0] in ('rich', 'sqlalchemy', 'fastapi')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.split() == [] and "LG201" in done.stdout


def test_colours_only_where_they_are_wanted(letgo_in: Letgo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in letgo_in("check").output
    monkeypatch.setenv("FORCE_COLOR", "1")
    for arguments in (["check"], ["audit"], ["trace", "app.py:pay"], ["rules"], ["explain", "LG201"], ["check", "no"]):
        assert "\x1b[" in letgo_in(*arguments).output
    monkeypatch.setenv("NO_COLOR", "1")
    for arguments in (["check"], ["audit"], ["trace", "app.py:pay"], ["rules"], ["explain", "LG201"], ["check", "no"]):
        assert "\x1b[" not in letgo_in(*arguments).output


def test_a_terminal_of_ascii_gets_a_picture_of_ascii(letgo_in: Letgo, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("bank.example", "bänk.example"), encoding="utf-8")
    done = run("check", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 1, done.stderr
    assert done.stdout.isascii() and ", db.get(Order, key)" in done.stdout


def test_a_reader_that_stops_reading_is_no_error(letgo_in: Letgo, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("check", "--output-format", "concise"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), said) == (1, b"")


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    waiting = (
        "import time, letgo.cli as c\n"
        "def read(*_, **__): print('ready', flush=True); time.sleep(60)\n"
        "c._settings = read\n"
        "c.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", waiting, "check"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")


def test_a_defect_of_letgo_asks_to_be_reported_and_shows_its_traceback_on_demand(
    letgo_in: Letgo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("letgo.cli._settings", fail)
    result = letgo_in("check")
    assert result.exit_code == 2
    assert "letgo failed: ZeroDivisionError: on purpose" in result.stderr and "report it" in result.stderr
    monkeypatch.setenv("LETGO_DEBUG", "1")
    assert isinstance(letgo_in("check").exception, ZeroDivisionError)


def test_a_defect_in_one_function_costs_that_function_alone_and_is_told_once(
    letgo_in: Letgo, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("other.py").write_text(APP.replace("pay", "refund"))

    def fail(*arguments: Any, **keywords: Any) -> Any:
        if arguments[0].function.name == "refund":
            raise RecursionError("on purpose")
        return run_function(*arguments, **keywords)

    monkeypatch.setattr("letgo.lifetime.interpret.run", fail)
    result = letgo_in("check", "--output-format", "json")
    assert result.exit_code == 2
    assert findings(result) == [("LG201", "app.py", WAITING)]
    line = APP.splitlines().index("def pay(key: int, db: Session = Depends(get_db)) -> None:") + 1
    said = f"other.py:{line}: could not be read: refund: letgo could not follow it: RecursionError: on purpose"
    assert result.stderr.splitlines() == [f"error: {said}"]
    assert letgo_in("check").stdout.count("RecursionError: on purpose") == 1
    monkeypatch.setenv("LETGO_DEBUG", "1")
    assert isinstance(letgo_in("check").exception, RecursionError)
