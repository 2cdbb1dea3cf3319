"""Sessions: a signed statement of who has logged in, and until when."""

from dataclasses import dataclass
from time import time

import jwt

ALGORITHM = "HS256"
ISSUER = "letgo-gateway"


@dataclass(frozen=True, slots=True)
class Session:
    """`epoch` is that of the user when it began: another one has ended it. `expires` is in seconds since 1970."""

    user: str
    epoch: int
    expires: float


def issue(key: bytes, user: str, epoch: int, seconds: float) -> str:
    now = time()
    claims = {"iss": ISSUER, "sub": user, "epoch": epoch, "iat": int(now), "exp": int(now + seconds)}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read(key: bytes, token: str) -> Session | None:
    """None if it is not ours, or over."""
    try:
        claims = jwt.decode(
            token, key, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["sub", "epoch", "exp"]}
        )
    except jwt.InvalidTokenError:
        return None
    return Session(claims["sub"], int(claims["epoch"]), float(claims["exp"]))
