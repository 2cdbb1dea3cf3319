"""Putting something around a function of another library."""

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def wrap(owner: Any, names: list[str], wrapper: Callable[[Function], Function]) -> None:
    """Replace the first of `names` that `owner` has by `wrapper` of it, once however often it is called.

    Raises RuntimeError if there is none of them: then that library has become another one.
    """
    name = next((name for name in names if hasattr(owner, name)), None)
    if name is None:
        where = f"{getattr(owner, '__module__', '')} {owner.__name__}".strip()
        raise RuntimeError(f"letgo does not know this version of {where}, which has no {names[0]}")
    original = getattr(owner, name)
    if not hasattr(original, "__letgo__"):
        wrapped: Any = wrapper(original)
        wrapped.__letgo__ = original
        setattr(owner, name, wrapped)
