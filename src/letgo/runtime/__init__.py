"""What an application imports: letting go of database sessions, and seeing who does not."""

from typing import TYPE_CHECKING

from letgo.runtime import request, transactions
from letgo.runtime.dependency import session_dependency
from letgo.runtime.installing import install
from letgo.runtime.releasing import Policy, keep_open
from letgo.runtime.units import UnsavedWork, fresh_session, release

if TYPE_CHECKING:
    from letgo.runtime.routes import ReleasingRoute

__all__ = [
    "Policy",
    "ReleasingRoute",
    "UnsavedWork",
    "fresh_session",
    "install",
    "keep_open",
    "release",
    "session_dependency",
]

request.listen()
transactions.listen()


def __getattr__(name: str) -> object:
    """Only who asks for the route class needs FastAPI."""
    if name == "ReleasingRoute":
        from letgo.runtime.routes import ReleasingRoute

        return ReleasingRoute
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
