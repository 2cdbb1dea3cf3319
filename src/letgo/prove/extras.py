"""What `letgo prove` needs beyond letgo itself, and the one clear line when it is missing."""

from importlib.util import find_spec

from letgo.source.errors import UserError

EXTRA = {"psycopg": "prove", "httptools": "prove", "uvloop": "prove", "locust": "locust"}
"""Which extra of letgo brings which module."""


def need(*modules: str) -> None:
    """Raises UserError naming the extra to install if one of these can't be imported."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        extra = EXTRA[missing[0]]
        raise UserError(f"this needs {' and '.join(missing)}: pip install 'letgo[{extra}]'")
