"""A script: asks every handler of the leaky bookshop in the working directory, and prints the answers as JSON."""

import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))
from fastapi.testclient import TestClient

from app import partner

ARGUMENTS = {"book_id": 1, "order_id": 1, "customer_id": 1}


def main() -> None:
    partner.SECONDS = 0
    threading.Thread(target=partner.serve, daemon=True).start()
    from app.main import app

    answers = {}
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        paths = client.get("/openapi.json").json()["paths"]
        # An order is saved only after the repair: whoever lists orders is asked before.
        for path in sorted(paths, key=lambda path: (path.endswith("/order"), path)):
            for method in paths[path]:
                for number in (1, 2):
                    asked = path.format(**{**ARGUMENTS, "book_id": number})
                    answer = client.request(method, asked, params={"password": "open"})
                    said = [answer.status_code, answer.text, answer.headers.get("location")]
                    answers[f"{method} {asked} {number}"] = said
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
