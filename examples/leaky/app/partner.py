"""The wholesaler: a service on the other end of a wire, and a stand-in for it that always takes its time.

The shop calls whatever listens at `PARTNER_URL`; `python -m app.partner` runs the stand-in there.
"""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx

PARTNER_URL = os.environ.get("PARTNER_URL", "http://127.0.0.1:9000")
SECONDS = 0.1


class Wholesaler:
    """A client two calls away from the handlers that need it."""

    def __init__(self, url: str = PARTNER_URL) -> None:
        self.url = url

    def price(self, title: str) -> int:
        return self._get("/price", title)

    def stock(self, title: str) -> int:
        return self._get("/stock", title)

    def _get(self, path: str, title: str) -> int:
        answer = httpx.get(self.url + path, params={"title": title}, timeout=10)
        return int(answer.raise_for_status().text)


class StandIn(BaseHTTPRequestHandler):
    """Answers every question with 42."""

    def do_GET(self) -> None:
        time.sleep(SECONDS)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"42")

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def serve(url: str = PARTNER_URL) -> None:
    """Answer at `url` until interrupted."""
    address = urlsplit(url)
    ThreadingHTTPServer((address.hostname or "127.0.0.1", address.port or 80), StandIn).serve_forever()


if __name__ == "__main__":
    serve()
