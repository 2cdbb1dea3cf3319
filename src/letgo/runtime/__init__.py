"""What an application imports: letting go of database sessions, and seeing who does not."""

from importlib import import_module
from typing import TYPE_CHECKING

from letgo.runtime import request, transactions
from letgo.runtime.dependency import session_dependency
from letgo.runtime.installing import install
from letgo.runtime.releasing import Policy, keep_open
from letgo.runtime.units import UnsavedWork, fresh_session, release

if TYPE_CHECKING:
    from letgo.runtime.guard import Guard, allow
    from letgo.runtime.routes import ReleasingRoute

__all__ = [
    "Guard",
    "Policy",
    "ReleasingRoute",
    "UnsavedWork",
    "allow",
    "fresh_session",
    "install",
    "keep_open",
    "release",
    "session_dependency",
]

request.listen()
transactions.listen()


LAZY = {"Guard": "guard", "allow": "guard", "ReleasingRoute": "routes"}
"""What is imported when it is asked for: only the route class needs FastAPI, and not every application is guarded."""


def __getattr__(name: str) -> object:
    if name in LAZY:
        return getattr(import_module(f"letgo.runtime.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
