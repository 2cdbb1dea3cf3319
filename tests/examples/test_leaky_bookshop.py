"""The demo's patient is a real app: it runs, and its handlers answer."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

BOOKSHOP = Path(__file__).parents[2] / "examples" / "leaky"
ARGUMENTS = {"book_id": 1, "order_id": 1, "customer_id": 1}


def free_address() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()


def wait_until_it_listens(address: tuple[str, int], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(address).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def bookshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    shop, partner = free_address(), free_address()
    env = os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('shop') / 'bookshop.db'}",
        "PARTNER_URL": f"http://127.0.0.1:{partner[1]}",
    }
    commands = ["app.partner"], ["uvicorn", "app.main:app", "--port", str(shop[1])]
    servers = [subprocess.Popen([sys.executable, "-m", *command], cwd=BOOKSHOP, env=env) for command in commands]
    try:
        wait_until_it_listens(partner)
        wait_until_it_listens(shop)
        # uvicorn hangs up after an unhandled error, so no connection is used twice.
        once = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{shop[1]}", follow_redirects=True, limits=once) as client:
            yield client
    finally:
        for server in servers:
            server.terminate()
            server.wait(timeout=10)


def test_every_handler_answers_and_the_detached_read_answers_with_an_error(bookshop: httpx.Client) -> None:
    paths = bookshop.get("/openapi.json").json()["paths"]
    answers = {
        path: bookshop.request(method, path.format(**ARGUMENTS), params={"password": "open sesame"}).status_code
        for path, methods in paths.items()
        for method in methods
    }
    assert len(answers) > 30
    assert {path: status for path, status in answers.items() if status != 200} == {
        "/used-again/orders/{order_id}/title": 500
    }


def test_a_sold_out_book_redirects_while_another_gets_its_offer(bookshop: httpx.Client) -> None:
    assert "price" in bookshop.get("/responses/books/1/offer").json()
    assert bookshop.get("/responses/books/2/offer").url.path == "/responses/books"
