"""A script: asks every handler of the leaky bookshop in the working directory, and prints what the guard finds."""

import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))
from fastapi.testclient import TestClient

from app import partner
from letgo.runtime.guard import Guard, Seen

ARGUMENTS = {"order_id": 1, "customer_id": 1}
BOOKS = (1, 2, 99)
"""One that is there, one that is sold out, and one that is not there."""

PARTNER = 0.4
WAIT = 0.3
"""Seconds that the wholesaler takes, and those that are told as a wait: more than a busy machine makes of nothing."""


def main() -> None:
    partner.SECONDS = PARTNER
    threading.Thread(target=partner.serve, daemon=True).start()
    from app.main import app

    seen: list[Seen] = []
    guard = Guard(app, mode="raise", wait=WAIT, on_finding=seen.append)
    with TestClient(guard, raise_server_exceptions=False, follow_redirects=False) as client:
        paths = client.get("/openapi.json").json()["paths"]
        for path, methods in paths.items():
            for method in methods:
                for book in BOOKS if "{book_id}" in path else BOOKS[:1]:
                    client.request(method, path.format(book_id=book, **ARGUMENTS), params={"password": "open"})
    print(json.dumps([[one.finding.site.path, one.finding.code, one.finding.message] for one in seen]))


if __name__ == "__main__":
    main()
