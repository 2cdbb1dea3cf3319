"""The leaky bookshop with one line more: the holds that a runtime can cure are gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import URL

BOOKSHOP = Path(__file__).parents[2] / "examples" / "leaky"

# Connections that are checked out when the status goes out, and when the request is over, with the collector off.
LOOK = """
import asyncio, gc, json, sys
from app.database import engine
from app.main import app, stock_the_shelves
stock_the_shelves()
gc.disable()
if sys.argv[1] == "install":
    from letgo.runtime import install
    install(app)

async def look(method, path):
    seen = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        if message["type"] == "http.response.start":
            seen.append(engine.pool.checkedout())
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": method, "path": path, "query_string": b"",
             "headers": [], "root_path": "", "scheme": "http", "server": ("bookshop", 80), "client": ("me", 1)}
    try:
        await app(scope, receive, send)
    except Exception:
        pass
    seen.append(engine.pool.checkedout())
    engine.dispose()
    return seen

print(json.dumps({path: asyncio.run(look(*path.split())) for path in sys.argv[2:]}))
"""

CURED = [
    "GET /responses/books",
    "GET /responses/books/2/offer",
    "POST /responses/books/1/discount",
    "GET /streams/titles",
    "GET /stalls/books/1",
    "GET /stalls/me",
    "GET /sources/books/99/stock",
    "GET /sources/books/99/price",
    "GET /used-again/books/1",
]


def look(database: URL, how: str) -> dict[str, list[int]]:
    url = database.render_as_string(hide_password=False)
    answer = subprocess.check_output(
        [sys.executable, "-c", LOOK, how, *CURED], cwd=BOOKSHOP, env={**os.environ, "DATABASE_URL": url}, text=True
    )
    return json.loads(answer)  # type: ignore[no-any-return]


def test_what_a_runtime_can_cure_is_cured_by_installing_it(database: URL) -> None:
    assert all(any(seen) for seen in look(database, "as it is").values())
    assert look(database, "install") == {path: [0, 0] for path in CURED}
