"""The load of `make prove-gateway`, with few users: it asks what it says it asks, and nothing goes wrong."""

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import psycopg
import pytest
from gateway.tests.serving import of_server

GATEWAY = Path(__file__).parents[1]
RUN_SECONDS = 400
"""A busy machine starts six processes slowly."""


@pytest.fixture
def scenario(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GATEWAY))
    return importlib.import_module("load.scenario")


def test_the_mix_has_the_shares_that_it_says(scenario: ModuleType) -> None:
    shares = {visit.__name__: 0.0 for _, visit, _ in scenario.MIX}
    for share, visit, _ in scenario.MIX:
        shares[visit.__name__] += share
    calls = ("rest_by_rpc", "mcp_by_rpc", "modern_call", "legacy_call")
    assert sum(shares.values()) == 100
    assert sum(shares[name] for name in calls) == 37
    writes = ("the_life_of_a_tool", "the_life_of_a_resource", "what_administrators_read")
    assert sum(shares[name] for name in writes) == 10
    [health] = [share for share, visit, _ in scenario.MIX if visit is scenario.health]
    assert health == 5


def test_nothing_fails_and_nothing_is_held_under_the_load(postgres_server: str) -> None:
    name = f"load_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        try:
            done = prove(of_server(postgres_server, name))
        finally:
            connection.execute(f"drop database {name} with (force)")
    assert done.returncode == 0, done.stdout


def prove(dsn: str) -> "subprocess.CompletedProcess[str]":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return subprocess.run(
        [
            *(sys.executable, "-m", "load", "--dsn", dsn, "--workers", "1", "--makers", "1", "--no-html"),
            *("--users", "20", "--ramp-up", "1s", "--hold", "6s", "--start-timeout", "180s", "--timeout", "120s"),
            *("--threshold", "errors.count < 1", "--threshold", "idle_in_transaction.max < 20"),
        ],
        cwd=GATEWAY,
        env={**os.environ, "LOAD_UPSTREAM_PORT": port, "LOAD_USERS": "20"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
    )
