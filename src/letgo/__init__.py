"""letgo: no transaction outlives its work."""

__version__ = "0.1.0"
