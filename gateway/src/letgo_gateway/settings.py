"""The settings of a gateway: one typed value, read from the environment.

Each field `pool_size` is the variable `GATEWAY_POOL_SIZE`; `DATABASE_URL` is known by its common name alone.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "GATEWAY_"
DATABASE_VARIABLE = "DATABASE_URL"
ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class WrongSetting(ValueError):
    """A setting can't be used; the message is one line: its variable and what is wrong with it."""


class Settings(BaseModel):
    """What a gateway is told from outside. All times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: str = "sqlite:///letgo-gateway.db"
    """Postgres (`postgresql://...`) or a file of SQLite (`sqlite:///path`)."""
    listen_url: str | None = None
    """Postgres itself, where `database_url` leads through PgBouncer, which can't pass on notifications."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 4444
    workers: Count = 1
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """The names in `Host` and `Origin` by which this gateway may be called; `*` for any."""
    allowed_upstreams: tuple[str, ...] = ()
    """What may be called of what is inside: host names, addresses and networks; `*` for all. What is public may be."""

    pool_size: Count = 10
    """Connections to the database, for each worker."""
    pool_timeout: Seconds = 1.0
    """How long a request waits for a connection before it is answered with 503."""
    pool_waiting: Count = 200
    """How many requests may wait for a connection; one more is answered with 503 at once."""
    changes_interval: Seconds = 0.4
    """How often a worker asks the database for changes that no notification has told of."""

    secret_key: SecretStr | None = None
    """What sessions are signed and stored secrets are encrypted with: 32 characters or more, the same for all hosts."""
    secret_key_file: str = "letgo-gateway.key"
    """Where the key is kept, and made on the first start, when `secret_key` is not set."""
    admin_email: str = "admin@example.com"
    registration: bool = False
    """Whether everybody may make themselves an account."""
    anonymous: bool = False
    """Whether who shows no credentials may read and call what is public."""
    session_seconds: Seconds = 8 * 3600
    login_attempts: Count = 5
    """So many wrong passwords in a row lock an account,"""
    lockout_seconds: Seconds = 15 * 60
    """for so long."""
    password_length: Count = 12
    """The shortest password that may be chosen, in characters."""
    argon2_memory: Annotated[int, Field(ge=64)] = 64 * 1024
    """KiB of memory that hashing a password takes."""

    guard: Literal["off", "observe", "raise", "release"] = "observe"
    """What letgo's guard does with a request that holds a transaction."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    access_log: bool = True
    """Whether each request is a line in the log."""
    metrics_public: bool = False
    """Whether `/metrics` is told to who shows no credentials."""
    body_size: Count = 4 * 1024 * 1024
    """The largest body of a request, in bytes."""
    body_seconds: Seconds = 30.0
    """How long a client may take to send it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.database  # noqa: B018  # raises for what is no URL of a database that is known
        if self.secret_key is not None and len(self.secret_key.get_secret_value()) < 32:
            raise ValueError(
                'secret_key: shorter than 32 characters; python -c "import secrets; print(secrets.token_urlsafe(48))" '
                "makes one"
            )
        return self

    @property
    def database(self) -> URL:
        """`database_url` for the async driver."""
        return async_url("database_url", self.database_url)

    @property
    def direct(self) -> URL:
        """Where notifications of Postgres come from."""
        return async_url("listen_url", self.listen_url) if self.listen_url else self.database


def from_environment(environment: Mapping[str, str], **given: object) -> Settings:
    """The settings in `environment`, and those `given` (if not None) before them. Raises `WrongSetting`.

    A variable that begins with `GATEWAY_` and names no setting is an error too: it is a misspelt one.
    """
    found: dict[str, object] = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    if DATABASE_VARIABLE in environment:
        found["database_url"] = environment[DATABASE_VARIABLE]
    for several in ("allowed_hosts", "allowed_upstreams"):
        if isinstance(given_text := found.get(several), str):
            found[several] = tuple(one.strip() for one in given_text.split(",") if one.strip())
    found |= {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        raise WrongSetting(_one_line(error)) from None


def async_url(setting: str, given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        raise ValueError(f"{setting}: not a URL of a database") from None
    backend = url.get_backend_name()
    if backend not in ASYNC_DRIVERS:
        raise ValueError(f"{setting}: {backend} is not supported; use postgresql:// or sqlite:///")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError(f"{setting}: SQLite needs a file, as in sqlite:///letgo-gateway.db")
    return url.set(drivername=ASYNC_DRIVERS[backend])


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        name, _, said = str(first["ctx"]["error"]).partition(": ")
    else:
        name, said = str(first["loc"][0]), first["msg"].lower()
    if first["type"] == "extra_forbidden":
        said = "there is no such setting"
    variable = DATABASE_VARIABLE if name == "database_url" else PREFIX + name.upper()
    return f"{variable}: {said}"
