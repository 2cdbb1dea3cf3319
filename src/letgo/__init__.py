"""letgo: no transaction outlives its work."""

from importlib import import_module

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`letgo.allow` is the runtime's; whoever only checks code must not load SQLAlchemy for it."""
    if name == "allow":
        return import_module("letgo.runtime").allow
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
