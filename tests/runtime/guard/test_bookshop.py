"""The guard names every hold that the leaky bookshop plants, and nothing in its clean half, with the words of check."""

import re
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from starlette.testclient import TestClient

from letgo.runtime.guard import Guard, Seen

BOOKSHOP = Path(__file__).parents[3] / "examples" / "leaky"
EXPECTED = re.compile(r"# expect: (LG\d{3})")
ARGUMENTS = {"book_id": 1, "order_id": 1, "customer_id": 1}
NO_HOLD = {"LG402", "LG503", "LG505", "LG506", "LG601"}
"""What holds no transaction: a read that fails, a closed generator, a missing commit or use, too few threads."""
ON_OTHER_WAYS = ["/responses/books/2/offer", "/sources/books/99/stock", "/sources/books/99/price"]
"""Where only some book shows it: one that is sold out, one that is not there."""


@pytest.fixture
def shop(database: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bookshop's app on a Postgres of its own."""
    monkeypatch.setenv("DATABASE_URL", database.render_as_string(False))
    monkeypatch.syspath_prepend(BOOKSHOP)
    monkeypatch.chdir(BOOKSHOP)
    before = set(sys.modules)
    from app import partner  # type: ignore[import-not-found]
    from app.main import app  # type: ignore[import-not-found]

    server = ThreadingHTTPServer(("127.0.0.1", 0), partner.StandIn)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    for module in [sys.modules[name] for name in sys.modules.keys() - before if name.startswith("app.")]:
        if hasattr(module, "PARTNER_URL"):
            monkeypatch.setattr(module, "PARTNER_URL", address)
    monkeypatch.setattr(partner, "SECONDS", 0.5)  # longer than a busy machine takes to make the call
    monkeypatch.setattr(partner.Wholesaler.__init__, "__defaults__", (address,))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield app
    server.shutdown()
    server.server_close()
    sys.modules["app.database"].engine.dispose()
    for name in sys.modules.keys() - before:
        if name.partition(".")[0] == "app":
            del sys.modules[name]


def planted() -> set[tuple[str, str]]:
    """File and code of each hold that a comment announces."""
    return {
        (path.relative_to(BOOKSHOP).as_posix(), code)
        for path in (BOOKSHOP / "app" / "routers").glob("*.py")
        for code in EXPECTED.findall(path.read_text())
        if code not in NO_HOLD
    }


def test_every_planted_hold_is_named_and_nothing_in_the_clean_half(
    shop: Any, guarded: Callable[..., Guard], seen: list[Seen]
) -> None:
    app = guarded(shop, mode="raise", wait=0.01)
    with TestClient(app, raise_server_exceptions=False) as client:
        paths = client.get("/openapi.json").json()["paths"]
        for path, methods in paths.items():
            for method in methods:
                client.request(method, path.format(**ARGUMENTS), params={"password": "x"}, follow_redirects=False)
        for path in ON_OTHER_WAYS:
            client.get(path, follow_redirects=False)
    found = {(one.finding.site.path, one.finding.code) for one in seen}
    assert planted() - found == set()
    assert {path for path, _ in found if "clean" in path} == set()
    by_function = {(one.finding.handler.function, one.finding.code): one for one in seen}
    restock = by_function["restock", "LG201"]
    assert restock.route == "POST /waiting/books/{book_id}/restock"
    assert restock.finding.message == (
        "transaction open since line 34 while waiting for `httpx.get` in `Wholesaler._get` (partner.py:30)"
    )
    assert restock.hold is not None and restock.hold.session.name == "get_db"
    assert 0.49 < restock.idle <= restock.held
    assert restock.statement.startswith("SELECT books")
