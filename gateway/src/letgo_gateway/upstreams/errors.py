"""What can go wrong between the gateway and an upstream."""


class UpstreamError(Exception):
    """An upstream could not be asked, or gave no answer that can be used. The message may be shown to a client."""

    counts = True
    """Whether it speaks against the health of the upstream."""


class Unreachable(UpstreamError):
    """No connection, or it broke."""


class TooSlow(UpstreamError):
    """No answer in time."""


class Garbage(UpstreamError):
    """An answer that is not what the protocol allows."""


class Refused(UpstreamError):
    """An answer with an HTTP status that says no; `status` is it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.counts = status >= 500


class SessionLost(UpstreamError):
    """The upstream does not know our session any more: it has not done what it was asked to do."""

    counts = False


class Forbidden(UpstreamError):
    """An address that must not be called."""

    counts = False


class Busy(UpstreamError):
    """So many calls to this upstream are under way that one more would hurt the others."""

    counts = False


class CircuitOpen(UpstreamError):
    """The upstream has failed again and again, and is left alone for a while."""

    counts = False
