"""The command line. Commands only gather what was asked for; the work is in `letgo.checking`, the words in the reports.

Exit codes: 0 clean, 1 findings or stale suppressions, 2 misuse, broken input, or a file that could not be read.
Everything but click is imported where it is used: `letgo --version` and completion must not wait for the analyser.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from letgo import __version__
from letgo.source.errors import UserError

if TYPE_CHECKING:
    from letgo.checking import Followed
    from letgo.report.fix import Repairs
    from letgo.source.settings import Settings

CHECK_FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown")
AUDIT_FORMATS = ("text", "markdown", "json", "html")
FIX_FORMATS = ("text", "markdown", "json")
SHELLS = ("bash", "zsh", "fish")

INTERRUPTED = 130
"""What a shell makes of a process that Ctrl-C ended: 128 + SIGINT."""

Command = TypeVar("Command", bound=Callable[..., Any])


class Failure(click.ClickException):
    """An error as it is shown: what is wrong, and what to do."""

    exit_code = 2

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: Any = None) -> None:
        _complain("error", self.message, "red")
        if self.hint:
            _complain("hint", self.hint, "cyan")


class Commands(click.Group):
    """A group whose commands end in words, never in a traceback (unless LETGO_DEBUG asks for it)."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise Failure(error.message, error.hint) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            raise Failure(
                f"letgo failed: {type(error).__name__}: {error}",
                "this is a defect of letgo; please report it with what `LETGO_DEBUG=1 letgo ...` prints",
            ) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="letgo", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, envvar="LETGO_DEBUG", help="Show the traceback when letgo itself fails.")
def cli(debug: bool) -> None:
    """Find the database transactions that code keeps open while it does something else."""


# --- options ---------------------------------------------------------------------------------------------------------


def _split(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[str, ...] | None:
    """`--select LG1,LG2 --select LG3` as ("LG1", "LG2", "LG3"), None when it was not given."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip()) or None


def _split_globs(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> dict[str, tuple[str, ...]] | None:
    globs: dict[str, tuple[str, ...]] = {}
    for value in values:
        glob, colon, codes = value.rpartition(":")
        if not (glob and colon and codes):
            raise click.BadParameter(f"{value!r} is not GLOB:CODE[,CODE]", ctx, param)
        globs[glob] = (*globs.get(glob, ()), *(code.strip() for code in codes.split(",")))
    return globs or None


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order in which help shows them."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


fix_options = _options(
    click.option("--unsafe", is_flag=True, help="Make repairs, too, that a person should judge."),
    click.option("--allow-dirty", is_flag=True, help="Change files that have uncommitted changes, too."),
)

paths_argument = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))

reading_options = _options(
    click.option("--config", type=click.Path(path_type=Path), help="Read the settings from this file alone."),
    click.option(
        "--exclude", "extend_exclude", multiple=True, callback=_split, metavar="GLOB", help="Leave files out."
    ),
    click.option("--fastapi-version", metavar="VERSION", help="What the app runs on, if the lock file does not say."),
    click.option("--jobs", type=int, metavar="N", help="How many processes read files."),
    click.option("--no-cache", is_flag=True, help="Read every file anew and keep nothing."),
)

rule_options = _options(
    click.option("--select", multiple=True, callback=_split, metavar="CODES", help="Look for these rules alone."),
    click.option("--ignore", multiple=True, callback=_split, metavar="CODES", help="Don't look for these rules."),
    click.option("--extend-select", multiple=True, callback=_split, metavar="CODES", help="Look for these rules too."),
    click.option(
        "--per-file-ignores",
        multiple=True,
        callback=_split_globs,
        metavar="GLOB:CODES",
        help="Don't look for these rules in such files.",
    ),
    click.option("--min-confidence", type=click.Choice(["certain", "likely"]), help="Show only what is so sure."),
    click.option("--strict", is_flag=True, default=None, help="Every handler must commit and close on every path."),
    click.option("--preview", is_flag=True, default=None, help="Look for rules that are still being tried, too."),
)


def _output_options(formats: Sequence[str]) -> Callable[[Command], Command]:
    return _options(
        click.option("--output-format", type=click.Choice(formats), default="text", show_default=True),
        click.option("--output-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here."),
    )


prove_options = _options(
    click.option("--url", help="An app that runs already, in place of APP; needs --dsn."),
    click.option("--app-dir", type=click.Path(), help="Where APP is imported from, and commands run."),
    click.option("--server", type=click.Choice(["uvicorn", "granian"]), help="What APP runs under (uvicorn)."),
    click.option("--workers", type=int, metavar="N", help="How many processes of APP (1)."),
    click.option("--host", metavar="ADDRESS", help="Where APP listens (127.0.0.1)."),
    click.option("--port", type=int, help="Where APP listens, in place of any free port."),
    click.option("--start-timeout", metavar="TIME", help="How long APP may take to answer (30s)."),
    click.option(
        "--name-routes/--no-name-routes", default=None, help="Name routes to the database in a comment (yes)."
    ),
    click.option("--dsn", envvar="DATABASE_URL", show_envvar=True, help="A Postgres that runs already."),
    click.option("--dsn-env", metavar="NAME", help="The variable in which APP finds its DSN (DATABASE_URL)."),
    click.option("--dsn-scheme", metavar="SCHEME", help="What its DSN begins with: postgresql+asyncpg (postgresql)."),
    click.option("--setup", multiple=True, metavar="COMMAND", help="Run this first: migrations, seed data."),
    click.option("--beside", multiple=True, metavar="COMMAND", help="Run this as long as APP: a worker, a stand-in."),
    click.option("--scenario", type=click.Path(), help="A file of users; without one they are made from the OpenAPI."),
    click.option("--locustfile", type=click.Path(), help="A file of Locust's users (needs letgo[locust])."),
    click.option("--locust-workers", type=int, metavar="N", help="Locust's workers here (one process without)."),
    click.option("--locust-attach", type=int, metavar="N", help="Locust's workers on other machines to wait for."),
    click.option("--metrics", metavar="PATH", help="Where the app's guard tells of its pools (/metrics)."),
    click.option("--users", type=int, metavar="N", help="At the same time (200)."),
    click.option("--rate", type=float, metavar="N", help="Visits that come a second, whether or not others wait."),
    click.option("--ramp-up", metavar="TIME", help="Until all users are there (5s)."),
    click.option("--hold", metavar="TIME", help="How long they stay (20s)."),
    click.option("--ramp-down", metavar="TIME", help="Until all have left (1s)."),
    click.option("--timeout", metavar="TIME", help="When a user gives up waiting for an answer (30s)."),
    click.option("--makers", type=int, metavar="N", help="How many processes make the load."),
    click.option("--threshold", multiple=True, metavar="EXPRESSION", help="What must be true: 'latency.p99 < 500ms'."),
    click.option("--abort-early", is_flag=True, default=None, help="End when a threshold can't be met any more."),
)

prove_report_options = _options(
    click.option("--html", type=click.Path(path_type=Path), default="letgo-prove.html", show_default=True),
    click.option("--no-html", is_flag=True, help="Write no page."),
    click.option("--json", type=click.Path(path_type=Path), help="Write everything here, for --compare and --from."),
    click.option("--junit", type=click.Path(path_type=Path), help="Write a test case for each threshold here."),
    click.option(
        "--compare", type=click.Path(path_type=Path), metavar="BEFORE.json", help="Show an earlier run beside."
    ),
    click.option("--from", "earlier", type=click.Path(path_type=Path), metavar="RUN.json", help="Show this run again."),
    click.option("--schema", is_flag=True, help="Print the JSON Schema of --json."),
)


# --- commands --------------------------------------------------------------------------------------------------------


@cli.command()
@paths_argument
@_output_options(CHECK_FORMATS)
@rule_options
@reading_options
@click.option("--expand", is_flag=True, help="Name every place of a shared cause.")
@click.option("--statistics", is_flag=True, help="Show only how many findings each rule has.")
@click.option("--explain-unresolved", is_flag=True, help="Show the calls that could not be followed.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even when there are findings.")
@click.option("--fix", is_flag=True, help="Repair what can be repaired first; see `letgo fix`.")
@fix_options
@click.pass_context
def check(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    output_format: str,
    output_file: Path | None,
    expand: bool,
    statistics: bool,
    explain_unresolved: bool,
    exit_zero: bool,
    fix: bool,
    unsafe: bool,
    allow_dirty: bool,
    **given: Any,
) -> None:
    """Find transactions that are open while the code does something else.

    PATHS are files and directories of the whole program; the current directory by default.
    """
    from letgo import checking
    from letgo.report import check as report

    if fix:
        repairs = _repair(paths, given, unsafe=unsafe, allow_dirty=allow_dirty)
        _complain("fixed", f"{len(repairs.fixed):,} in {len(repairs.diffs):,} files", "green")
        _warn([f"{path}: not written: {reason}" for path, reason in repairs.skipped])
    settings, followed = _follow(paths, given)
    outcome = checking.check(followed, _places(paths), settings, unresolved=explain_unresolved)
    look = _look(output_file)
    _write(report.render(outcome, output_format, look, expand=expand, statistics=statistics), output_file, look.color)
    if output_format != "text" or output_file:
        _warn(report.problems(outcome))
    ctx.exit(0 if exit_zero and outcome.exit_code == 1 else outcome.exit_code)


@cli.command()
@paths_argument
@_output_options(FIX_FORMATS)
@fix_options
@rule_options
@reading_options
@click.option("--diff", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--interactive", is_flag=True, help="Show each repair with what it cures, and ask.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit 1 when something was repaired.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even when findings are left.")
@click.pass_context
def fix(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    output_format: str,
    output_file: Path | None,
    unsafe: bool,
    allow_dirty: bool,
    diff: bool,
    interactive: bool,
    exit_non_zero_on_fix: bool,
    exit_zero: bool,
    **given: Any,
) -> None:
    """Repair what `letgo check` finds, and prove each repair before it is kept.

    Without --unsafe only what keeps the behaviour for certain is changed. Exits 1 when findings are left.
    """
    from letgo.report import fix as report

    repairs = _repair(paths, given, unsafe=unsafe, allow_dirty=allow_dirty, writing=not diff, interactive=interactive)
    look = _look(output_file)
    _write(report.render(repairs, "diff" if diff else output_format, look), output_file, look.color)
    problems = [*repairs.unreadable, *(f"{path}: not written: {reason}" for path, reason in repairs.skipped)]
    _warn(problems)
    failed = repairs.left or (repairs.fixed and (exit_non_zero_on_fix or diff))
    ctx.exit(2 if problems else int(bool(failed) and not exit_zero))


@cli.command()
@paths_argument
@_output_options(AUDIT_FORMATS)
@reading_options
@click.pass_context
def audit(
    ctx: click.Context, /, paths: tuple[Path, ...], output_format: str, output_file: Path | None, **given: Any
) -> None:
    """Count the handlers with an injected session: who commits and closes, who really holds."""
    from letgo import checking
    from letgo.report import audit as report

    _, followed = _follow(paths, given)
    look = _look(output_file)
    _write(report.render(checking.take_census_of(followed), output_format, color=look.color), output_file, look.color)
    unreadable = checking.unreadable(followed)
    _warn(unreadable)
    ctx.exit(2 if unreadable else 0)


@cli.command()
@click.argument("target", metavar="FILE:FUNCTION")
@paths_argument
@reading_options
@click.pass_context
def trace(ctx: click.Context, /, target: str, paths: tuple[Path, ...], **given: Any) -> None:
    """Show what letgo believes of one function, as a timeline.

    FUNCTION is its name in the file, as in `app/api.py:Tools.create`. PATHS are those of the whole program.
    """
    from letgo import checking
    from letgo.report import trace_text

    file, name = checking.file_and_function(target)
    settings, followed = _follow(paths, given)
    look = _look(None)
    _write(trace_text.render(checking.believe(followed, settings, file, name), look), None, look.color)


@cli.command()
@click.argument("rule", metavar="CODE")
def explain(rule: str) -> None:
    """Show the page of a rule: what it finds, why that is bad, and what to do."""
    from difflib import get_close_matches

    from letgo.report.rule_page import render_page
    from letgo.rules.registry import KNOWN, rule_called

    found = rule_called(rule)
    if found is None:
        close = get_close_matches(rule, KNOWN, n=1)
        raise UserError(f"no rule is called {rule!r}", f"did you mean {close[0]}?" if close else "see `letgo rules`")
    look = _look(None)
    _write(render_page(found, look), None, look.color)


@cli.command()
def rules() -> None:
    """List all rules."""
    from letgo.report.rule_page import render_list

    look = _look(None)
    _write(render_list(look), None, look.color)


@cli.command()
@paths_argument
@rule_options
@reading_options
def config(paths: tuple[Path, ...], **given: Any) -> None:
    """Show the settings that hold for PATHS, and where each comes from."""
    from letgo.source.settings import explain_settings

    _write(explain_settings(_settings(paths, given)), None, False)


@cli.command()
@paths_argument
@click.option("--write", "mode", flag_value="write", help="Count all of today's findings as to be fixed.")
@click.option("--prune", "mode", flag_value="prune", help="Drop what matches nothing any more, from the allowlist too.")
@click.option("--reason", help="Why the findings may wait; kept in the file.")
@rule_options
@reading_options
def baseline(paths: tuple[Path, ...], mode: str | None, reason: str | None, **given: Any) -> None:
    """Write or shrink the baseline, the list of findings that are to be fixed."""
    from letgo import checking

    if mode is None:
        raise click.UsageError("say --write or --prune")
    settings, followed = _follow(paths, given)
    if mode == "write":
        click.echo(checking.write_new_baseline(followed, _places(paths), settings, reason))
    else:
        click.echo(checking.prune_suppressions(followed, _places(paths), settings))


@cli.command()
@click.argument("app", required=False, metavar="[APP]")
@prove_options
@prove_report_options
@click.pass_context
def prove(
    ctx: click.Context,
    /,
    html: Path | None,
    no_html: bool,
    json: Path | None,
    junit: Path | None,
    compare: Path | None,
    earlier: Path | None,
    schema: bool,
    **given: Any,
) -> None:
    """Put APP (package.module:app) under load, watch its Postgres, and judge who held what.

    Without --dsn or DATABASE_URL an embedded Postgres is started, and removed afterwards. Exits with 0 when all
    thresholds hold, with 99 when one is missed, with 2 when the run did not get to its end.
    """
    from letgo.prove import command

    if schema:
        _write(command.schema_text(), None, False)
        return
    look = _look(None)
    reports = command.Reports(None if no_html else html, json, junit, compare, earlier)
    asked = {name: value for name, value in given.items() if value not in (None, ())}
    ctx.exit(command.command(asked, reports, lambda text: _write(text, None, look.color), look))


@cli.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes letgo's commands: `eval "$(letgo completion bash)"`."""
    from click.shell_completion import get_completion_class

    completer = get_completion_class(shell)
    if completer is not None:
        click.echo(completer(cli, {}, "letgo", "_LETGO_COMPLETE").source())


# --- what commands share ---------------------------------------------------------------------------------------------


def _places(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return paths or (Path(),)


def _settings(paths: tuple[Path, ...], given: dict[str, Any]) -> "Settings":
    """The settings of a file with those of the command line over them."""
    from letgo.rules.registry import KNOWN
    from letgo.source.settings import find_settings, overridden, read_settings

    file = given.get("config")
    settings = read_settings(file, KNOWN) if file else find_settings(_places(paths), KNOWN)
    options = {name: value for name, value in given.items() if value is not None and name not in ("config", "no_cache")}
    return overridden(settings, options, KNOWN)


def _follow(paths: tuple[Path, ...], given: dict[str, Any]) -> "tuple[Settings, Followed]":
    """The settings, and the code base at `paths` with its sessions followed."""
    from letgo.checking import follow_paths
    from letgo.terminal import progress

    settings = _settings(paths, given)
    with progress() as show:
        followed = follow_paths(
            _places(paths), settings, use_cache=not given["no_cache"], progress=show, debug=_is_debugged()
        )
    return settings, followed


def _repair(paths: tuple[Path, ...], given: dict[str, Any], *, interactive: bool = False, **how: bool) -> "Repairs":
    """What comes of repairing the code at `paths`."""
    from letgo import repairing
    from letgo.terminal import asking, progress

    settings = _settings(paths, given)
    with progress() as show:
        return repairing.fix(
            _places(paths),
            settings,
            use_cache=not given["no_cache"],
            progress=show,
            debug=_is_debugged(),
            choose=asking(repairing.explain) if interactive else None,
            **how,
        )


def _is_debugged() -> bool:
    return bool(click.get_current_context().find_root().params["debug"])


def _look(output_file: Path | None) -> Any:
    from letgo.picture.look import Look
    from letgo.terminal import look_of

    return Look() if output_file else look_of(sys.stdout)


def _write(report: str, output_file: Path | None, color: bool) -> None:
    if output_file is None:
        # Given its stream, click leaves the encoding alone; otherwise it takes ASCII for a mistake and writes UTF-8.
        click.echo(report, file=sys.stdout, nl=False, color=color)
        return
    from letgo.rules.suppression.files import write_text

    write_text(output_file, report)


def _warn(problems: Sequence[str]) -> None:
    for problem in problems:
        _complain("error", problem, "red")


def _complain(kind: str, message: str, colour: str) -> None:
    from letgo.terminal import look_of

    look = look_of(sys.stderr)
    click.echo(f"{look.paint(f'{kind}:', fg=colour, bold=True)} {message}", file=sys.stderr, color=look.color)


def main() -> None:
    """The console script."""
    gc.disable()  # the run ends before there is garbage to speak of, and looking for it takes a third of the time
    for stream in (sys.stdout, sys.stderr):
        # A path or a line of code may hold what the terminal's encoding does not.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        cli()
    finally:
        gc.freeze()  # Python would look for garbage once more at its end
