"""What requests and answers are made of."""

import base64
import json
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

T = TypeVar("T")
DEEPEST = 64

IN_ID = r"^[0-9a-f]{32}$"
EntryId = Annotated[str, Path(pattern=IN_ID)]
Reference = Annotated[str, StringConstraints(pattern=IN_ID)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class Input(BaseModel):
    """The base of bodies: unknown fields are errors, and so is text that no database takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, given: Any) -> Any:
        check_storable(given)
        return given


def check_storable(value: Any, depth: int = 0) -> None:
    """Raises `ValueError` for what a database has no room for, or JSON no word (NUL, halves of characters, numbers that
    are not finite, such as 1e400), and for deep nesting.
    """
    if depth > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    match value:
        case str():
            if "\x00" in value or (not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value)):
                raise ValueError("text can't hold NUL or a lone surrogate")
        case float() if not isfinite(value):
            raise ValueError("a number must be finite")
        case Mapping():
            for key, inner in value.items():
                check_storable(key, depth + 1)
                check_storable(inner, depth + 1)
        case list() | tuple():
            for inner in value:
                check_storable(inner, depth + 1)


def storable(text: str) -> str:
    check_storable(text)
    return text


def _email(given: str) -> str:
    """Enough to tell an address from a slip; whether it is one, only a mail to it can tell."""
    name, at, domain = given.strip().lower().rpartition("@")
    if not (at and name and domain) or any(char.isspace() or not char.isprintable() for char in given.strip()):
        raise ValueError("not an e-mail address")
    return f"{name}@{domain}"


Email = Annotated[str, Field(max_length=320), AfterValidator(_email)]


class Output(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class Page(Output, Generic[T]):
    """`next_cursor` leads to the page after this one; None on the last."""

    items: list[T]
    next_cursor: str | None = None


def cursor_of(*position: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position_of(cursor: str, length: int) -> list[str]:
    """The place in the order that a cursor stands for. Raises `ValueError` for one that is not ours."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        position = None
    if not isinstance(position, list) or len(position) != length or not all(isinstance(part, str) for part in position):
        raise ValueError("not a cursor of this list")
    check_storable(position)
    return position
