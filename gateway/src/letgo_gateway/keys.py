"""The key of an installation, and what is made with it."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from letgo_gateway.settings import Settings, WrongSetting


class Keys:
    """Keys for each purpose, derived from the one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.sessions = self._derived("sessions")
        self._box = Fernet(base64.urlsafe_b64encode(self._derived("secrets at rest")))

    def _derived(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=b"letgo-gateway", info=purpose.encode()).derive(self._secret)

    @property
    def fingerprint(self) -> str:
        """What tells two secrets apart and gives none away."""
        return self._derived("fingerprint").hex()[:16]

    def seal(self, values: Mapping[str, str]) -> str:
        """Encrypt an object of strings, to be stored."""
        return self._box.encrypt(json.dumps(dict(values)).encode()).decode()

    def unseal(self, sealed: str | None) -> dict[str, str]:
        """What `seal` was given; nothing, for None. Raises `WrongSetting` if another secret has sealed it."""
        if sealed is None:
            return {}
        try:
            values: dict[str, str] = json.loads(self._box.decrypt(sealed.encode()))
        except InvalidToken:
            raise WrongSetting("GATEWAY_SECRET_KEY: not the one with which this database was encrypted") from None
        return values


def keys(settings: Settings) -> Keys:
    """The keys of `settings.secret_key`, or else of the key file, which is made if it is not there.

    Raises `WrongSetting` if the file can't be read or made.
    """
    if settings.secret_key is not None:
        return Keys(settings.secret_key.get_secret_value())
    path = Path(settings.secret_key_file)
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48) + "\n")
        secret = path.read_text().strip()
    except OSError as error:
        raise WrongSetting(f"GATEWAY_SECRET_KEY_FILE: {path}: {error.strerror or error}") from None
    if len(secret) < 32:
        raise WrongSetting(
            f"GATEWAY_SECRET_KEY_FILE: {path}: shorter than 32 characters; delete it to have a new one made"
        )
    return Keys(secret)
