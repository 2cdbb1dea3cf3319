"""The error that is meant for the person at the keyboard."""


class UserError(Exception):
    """Misuse or broken input: `message` says what is wrong and where, `hint` what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
