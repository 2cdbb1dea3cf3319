"""What is measured: plain parsing, letgo in its four ways, and other tools."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Contender
from benchmarks.trees import Edited

PARSE = """\
import ast, sys
from pathlib import Path
trees = [ast.parse(path.read_bytes()) for path in Path(sys.argv[1]).rglob("*.py")]
"""

PARSE_AND_DROP = """\
import ast, sys
from pathlib import Path
for path in Path(sys.argv[1]).rglob("*.py"):
    ast.parse(path.read_bytes())
"""

BASELINE = "ast.parse of all files, in one process"
OTHERS = ("ruff", "flake8", "flake8-async", "pylint", "mypy")


def parsing() -> Iterator[Contender]:
    yield Contender(BASELINE, (sys.executable, "-c", PARSE, "."))
    yield Contender("the same, each tree dropped at once", (sys.executable, "-c", PARSE_AND_DROP, "."))


def letgo(tree: Path, edited: Edited) -> Iterator[Contender]:
    command = (sys.executable, "-c", "from letgo.cli import main; main()", "check", ".", "--exit-zero")
    done = (0, 2)  # 2: some file is no valid Python, which others pass over
    cache = tree / ".letgo_cache"
    yield Contender("letgo check --no-cache", (*command, "--no-cache"), done=done)
    yield Contender("letgo check, cold", command, lambda: shutil.rmtree(cache, ignore_errors=True), done=done)
    yield Contender("letgo check, one file touched", command, edited.touch, done=done)
    yield Contender("letgo check, nothing touched", command, done=done)


def others(directory: Path, limit: float) -> Iterator[Contender]:
    """Other tools, installed into an environment of their own. None where they can't be installed."""
    bin_directory = directory / ("Scripts" if sys.platform == "win32" else "bin")
    if not (bin_directory / "mypy").exists():
        venv.create(directory, with_pip=True, clear=True)
        install = (str(bin_directory / "python"), "-m", "pip", "install", "-qqq", *OTHERS)
        if subprocess.run(install, timeout=600).returncode:
            print("the other tools could not be installed: letgo is measured alone", file=sys.stderr)
            return
    commands = {
        "ruff check": ("ruff", "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "."),
        "flake8 with flake8-async": ("flake8", "--isolated", "--select", "ASYNC", "--exit-zero", "-q", "."),
        "mypy": (
            "mypy",
            "--config-file=",
            "--ignore-missing-imports",
            "--explicit-package-bases",
            "--cache-dir",
            "/dev/null",
            ".",
        ),
        "pylint": ("pylint", "--recursive", "y", "--exit-zero", "--score", "n", "--jobs", "0", "."),
    }
    for name, (program, *arguments) in commands.items():
        yield Contender(name, (str(bin_directory / program), *arguments), limit=limit)
