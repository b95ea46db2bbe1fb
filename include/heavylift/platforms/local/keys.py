"""A wrapping key that a connection holds, and so the backend of secrets that keeps the connection."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, IntegrityError
from heavylift.platforms.keys import Wrapped
from heavylift.secret_values import SecretValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_BYTES, _NONCE = 32, 12


class LocalKey:
    """A key of 32 bytes, in base64 the password of a connection of type ``envelope_key``.

    What it wrapped names it by a fingerprint that tells nothing of it, so that a wrong key is told as such.
    """

    kind = "local"

    def __init__(self, connection: Connection) -> None:
        self._conn_id = connection.conn_id
        try:
            data = base64.b64decode(connection.password or "", validate=True)
        except binascii.Error:
            data = b""
        if len(data) != _BYTES:
            raise ConnectionConfigError(
                f"reading the key of connection {connection.conn_id!r}",
                got="no password" if not connection.password else "a password of another form",
                expected=f"{_BYTES} random bytes in base64",
                state="nothing was touched",
                remedy="make one with 'openssl rand -base64 32', and keep it in Airflow's backend of secrets",
                code="9342",
            )
        self._secret = SecretValue(data, text=False)
        self._name = f"{connection.conn_id}/{_fingerprint(data)}"

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    async def wrap(self, data_key: bytes, context: str) -> Wrapped:
        """Return the data key, wrapped by AES-256-GCM."""
        nonce = os.urandom(_NONCE)
        return Wrapped(self.kind, self._name, nonce + self._gcm().encrypt(nonce, data_key, context.encode()))

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the data key; the connection may have another id than the one that wrapped it."""
        from cryptography.exceptions import InvalidTag

        same = wrapped.key.rpartition("/")[2] == self._name.rpartition("/")[2]
        try:
            nonce, sealed = wrapped.data[:_NONCE], wrapped.data[_NONCE:]
            if wrapped.kind == self.kind and same:
                return bytes(self._gcm().decrypt(nonce, sealed, context.encode()))
            why = f"the key {self._name}"
        except (InvalidTag, ValueError):
            why = f"a wrapped key that {self._name} did not wrap for this object"
        raise IntegrityError(
            f"unwrapping a data key with connection {self._conn_id!r}",
            got=why,
            expected=f"the key {wrapped.key} ({wrapped.kind})",
            state="nothing was opened and nothing changed",
            remedy="name the connection that holds the key that sealed it",
            code="9343",
        )

    def _gcm(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._secret.reveal())


def _fingerprint(data: bytes) -> str:
    return hmac.new(data, b"heavylift envelope key", "sha256").hexdigest()[:16]
