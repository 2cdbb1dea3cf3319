"""How many connections the app's engine hands out at most, where the code says so."""

from letgo.source.names import Names
from letgo.source.program import Call, Const, Expr, Name
from letgo.source.walk import calls, places

MAKERS = frozenset({"create_engine", "create_async_engine"})
POOL_SIZE, MAX_OVERFLOW = 5, 10
"""SQLAlchemy's defaults: https://docs.sqlalchemy.org/en/20/core/engines.html#sqlalchemy.create_engine"""


def pool_size(names: Names) -> int | None:
    """pool_size + max_overflow of the engines; None where they are not written out, or one engine's differ from
    another's: which of them an endpoint uses is not asked."""
    found = {
        _size(call) for place in places(names, MAKERS) for call in calls(place.function) if _called(call) in MAKERS
    }
    return found.pop() if len(found) == 1 else None


def _called(call: Call) -> str:
    func = call.func
    return func.id if isinstance(func, Name) else getattr(func, "name", "")


def _size(call: Call) -> int | None:
    given = dict(call.keywords)
    if None in given or "poolclass" in given:
        return None
    size = _number(given.get("pool_size"), POOL_SIZE)
    overflow = _number(given.get("max_overflow"), MAX_OVERFLOW)
    return None if size is None or overflow is None else size + overflow


def _number(expr: Expr | None, default: int) -> int | None:
    if expr is None:
        return default
    return expr.value if isinstance(expr, Const) and isinstance(expr.value, int) and expr.value >= 0 else None
