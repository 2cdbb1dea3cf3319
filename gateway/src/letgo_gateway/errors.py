"""What a caller is told when something can't be done. Each becomes an answer in one place (`app`)."""


class Refused(Exception):
    """The base of all answers that are errors: a status, a message for people, and headers."""

    status = 400

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class Invalid(Refused):
    status = 422


class Unauthenticated(Refused):
    """No credentials, or none that are good."""

    status = 401

    def __init__(self, message: str) -> None:
        super().__init__(message, {"WWW-Authenticate": "Bearer"})


class Forbidden(Refused):
    status = 403


class NotFound(Refused):
    """It is not there, or not for the one who asks: the same, so that nobody learns of what they can't see."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Conflict(Refused):
    status = 409


class TooMany(Refused):
    """Try again after so many seconds."""

    status = 429

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message, {"Retry-After": str(max(1, round(after)))})
