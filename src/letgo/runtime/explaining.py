"""Errors of a use after the release, with what SQLAlchemy can't know: who let go, and what to do instead."""

from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.orm.exc import DetachedInstanceError


def explain(error: BaseException, let_go_by: str | None) -> None:
    """Add a note to `error` if it comes of using a session, or an object of one, that has been let go of.

    `let_go_by` names the endpoint after which that happened, None if it has not.
    """
    if any(note.startswith("letgo: ") for note in getattr(error, "__notes__", ())):
        return
    released = f"the session was let go of when {let_go_by} returned" if let_go_by else "the session was closed before"
    if isinstance(error, DetachedInstanceError | MissingGreenlet):
        if (read := _attribute(error)) is not None:
            error.add_note(f"letgo: {_what(read)} was not loaded when it was read; {released}. {_remedy(read)}")
    elif isinstance(error, InvalidRequestError) and "permanently closed" in str(error):
        error.add_note(f"letgo: {released}. In a stream or a background task open a session with fresh_session(...).")


def _what(attribute: QueryableAttribute[object]) -> str:
    return f"{attribute.class_.__name__}.{attribute.key}"


def _remedy(attribute: QueryableAttribute[object]) -> str:
    loading = "selectinload" if isinstance(attribute.property, RelationshipProperty) else "undefer"
    return (
        f"Load it before the endpoint returns: name `{attribute.key}` in the response model, or query with "
        f"{loading}({_what(attribute)}); or read it within a fresh_session(...)."
    )


def _attribute(error: BaseException) -> QueryableAttribute[object] | None:
    """The mapped attribute whose reading failed: the descriptor on the way from the reader to the error."""
    traceback, found = error.__traceback__, None
    while traceback is not None:
        if isinstance(reader := traceback.tb_frame.f_locals.get("self"), QueryableAttribute):
            found = reader
        traceback = traceback.tb_next
    return found
