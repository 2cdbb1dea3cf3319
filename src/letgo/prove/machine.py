"""What a run ran on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from letgo.prove.outcome import Machine

TOLD = (
    "fastapi",
    "starlette",
    "sqlalchemy",
    "sqlmodel",
    "psycopg",
    "psycopg2",
    "psycopg2-binary",
    "asyncpg",
    "uvicorn",
    "granian",
    "locust",
)
"""Distributions whose versions decide how a run goes."""


def this_machine(postgres: str) -> Machine:
    versions = {"python": platform.python_version(), "postgres": postgres}
    for name in TOLD:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(f"{platform.system()} {platform.release()} {platform.machine()}", _cores(), _memory(), versions)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
