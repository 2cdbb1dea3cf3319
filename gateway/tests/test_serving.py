"""`letgo-gateway serve`, as one does it: from an empty directory to a first login, with two workers."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from gateway.tests.serving import Prepared, quick

from letgo_gateway.preparing import prepare
from letgo_gateway.settings import WrongSetting

START_SECONDS = 120.0
"""A busy machine imports slowly."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def test_it_serves_from_nothing_with_a_one_time_password(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "letgo_gateway", "serve", "--port", str(port), "--workers", "2"]
    environment = {**os.environ, "GATEWAY_ARGON2_MEMORY": "64", "GATEWAY_METRICS_PUBLIC": "yes"}
    with (tmp_path / "out").open("w") as out:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_for(f"{address}/health", server)
            told = re.search(r"administrator is admin@example.com, with the one-time password (\S+)", said(tmp_path))
            assert told is not None
            login = {"email": "admin@example.com", "password": told[1]}
            assert httpx.post(f"{address}/auth/login", json=login, timeout=60).json()["must_change"]
            assert "letgo_gateway_request_seconds_count" in httpx.get(f"{address}/metrics", timeout=60).text
        finally:
            server.send_signal(signal.SIGTERM)
            ended = server.wait(timeout=START_SECONDS)
    assert ended in (0, -signal.SIGTERM)


def test_the_password_is_told_once(prepared: Prepared, database_url: str) -> None:
    assert asyncio.run(prepare(quick(database_url))) is None


def test_another_secret_key_than_the_databases_is_told(prepared: Prepared, database_url: str) -> None:
    with pytest.raises(WrongSetting, match="GATEWAY_SECRET_KEY: another one"):
        asyncio.run(prepare(quick(database_url, secret_key="another key, of thirty-two characters")))


def test_it_takes_as_many_connections_as_it_may_have() -> None:
    asked = "import resource as r; from letgo_gateway.cli import allow_connections as a; a()"
    run = f"ulimit -S -n 256; exec {sys.executable} -c '{asked}; print(*r.getrlimit(r.RLIMIT_NOFILE))'"
    soft, hard = subprocess.run(["sh", "-c", run], capture_output=True, check=True, text=True).stdout.split()
    assert soft == hard


def said(directory: Path) -> str:
    return (directory / "out").read_text()


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("it does not serve")
