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

# Loaded by who asks: the route class needs FastAPI, and the guard is not for everyone.
_LATER = {"Guard": "letgo.runtime.guard", "ReleasingRoute": "letgo.runtime.routes", "allow": "letgo.runtime.guard"}

request.listen()
transactions.listen()


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
