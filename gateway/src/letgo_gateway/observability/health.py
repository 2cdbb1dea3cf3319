"""Whether it lives (`/health`), whether it can take requests (`/ready`), and what it is (`/version`)."""

import platform
from importlib.metadata import version
from time import perf_counter

from fastapi import APIRouter, FastAPI, Request, Response

from letgo_gateway.api import Shared
from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.rooms import rooms_of
from letgo_gateway.schemas import Output

router = APIRouter(tags=["observability"])
STALE_SECONDS = 10.0
VERSION = version("letgo-gateway")


class Health(Output):
    status: str
    database_ms: float


class Ready(Output):
    """`changes_seconds`: how long ago this worker last knew all changes of the others."""

    status: str
    changes_seconds: float


class Version(Output):
    name: str
    version: str
    python: str
    database: str


async def read_health(request: Request) -> Response:
    """Asks the database; 503 if it does not answer."""
    began = perf_counter()
    await rooms_of(request).database.ping()
    body = b'{"status":"ok","database_ms":%.2f}' % ((perf_counter() - began) * 1e3)
    return Response(body, media_type="application/json")


def add_health(app: FastAPI) -> None:
    """What load balancers ask all the time: as a route of the app itself."""
    app.add_api_route("/health", read_health, methods=["GET"], response_model=Health, tags=["observability"])


@router.get("/ready")
async def read_ready(rooms: Shared) -> Ready:
    """503 while what this worker knows of others' changes is old."""
    seconds = rooms.changes.age
    if seconds > STALE_SECONDS:
        raise DatabaseBusy(f"the changes of other workers have not been known for {seconds:.0f} s")
    return Ready(status="ready", changes_seconds=round(seconds, 2))


@router.get("/version")
async def read_version(rooms: Shared) -> Version:
    return Version(
        name="letgo-gateway",
        version=VERSION,
        python=platform.python_version(),
        database=rooms.database.engine.dialect.name,
    )
