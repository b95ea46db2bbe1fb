"""A key of Google Cloud KMS as a wrapping key, through its REST API."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from heavylift.checksums import crc32c_of
from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, IntegrityError, PermanentError
from heavylift.platforms.gcp.control import told_by_google
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.platforms.keys import Wrapped
from heavylift.platforms.secret_api import SecretApi

_SCOPES = ("https://www.googleapis.com/auth/cloudkms",)
_PUBLIC = "https://cloudkms.googleapis.com"
_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")


class CloudKmsKey:
    """One symmetric key, by its whole name. It needs ``cloudkms.cryptoKeyVersions.useToEncrypt`` and, to
    unwrap, ``useToDecrypt``. What is wrapped is bound to the object by additional authenticated data.

    :param connection: extra ``endpoint_url`` replaces Google's address, with the service's name behind it.
    """

    kind = "google_kms"

    def __init__(self, connection: Connection, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for a wrapping key",
                got=f"the name {name!r}",
                expected="projects/…/locations/…/keyRings/…/cryptoKeys/…",
                state="nothing was touched",
                remedy="correct --key, or key.name in the spec",
                code="9345",
            )
        own = connection.text("endpoint_url")
        fetch = None if is_anonymous(connection) else token_fetcher(connection, _SCOPES)
        endpoint = f"{own.rstrip('/')}/cloudkms" if own else _PUBLIC
        self._api = SecretApi(connection.conn_id, endpoint, told_by_google, fetch=fetch)
        self._name = name

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def wrap(self, data_key: bytes, context: str) -> Wrapped:
        """Return the data key, encrypted by the key's primary version."""
        answer = await self._ask("encrypt", "Encrypt", "plaintext", data_key, context)
        data = base64.b64decode(answer.get("ciphertext") or "")
        arrived = answer.get("verifiedPlaintextCrc32c") and answer.get(
            "verifiedAdditionalAuthenticatedDataCrc32c"
        )
        if not arrived or str(_crc32c(data)) != str(answer.get("ciphertextCrc32c")):
            raise self._damaged("wrapping")
        return Wrapped(self.kind, str(answer.get("name") or self._name), data)

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the data key; Google finds the version by itself."""
        foreign = wrapped.kind != self.kind or not f"{wrapped.key}/".startswith(f"{self._name}/")
        if foreign:
            raise self._wrong(wrapped, f"the key {self._name}")
        try:
            answer = await self._ask("decrypt", "Decrypt", "ciphertext", wrapped.data, context)
        except PermanentError as error:
            if "HTTP 400" in error.got:
                raise self._wrong(wrapped, f"a refusal of the key {self._name} to decrypt it") from None
            raise
        data = base64.b64decode(answer.get("plaintext") or "")
        if str(_crc32c(data)) != str(answer.get("plaintextCrc32c")):
            raise self._damaged("unwrapping")
        return data

    async def _ask(
        self, verb: str, permission: str, field: str, data: bytes, context: str
    ) -> Mapping[str, Any]:
        bound = context.encode()
        body = {
            field: base64.b64encode(data).decode(),
            f"{field}Crc32c": str(_crc32c(data)),
            "additionalAuthenticatedData": base64.b64encode(bound).decode(),
            "additionalAuthenticatedDataCrc32c": str(_crc32c(bound)),
        }
        return await self._api.send(
            "POST", f"v1/{self._name}:{verb}", f"cloudkms.cryptoKeyVersions.useTo{permission}", body=body
        )

    def _wrong(self, wrapped: Wrapped, got: str) -> IntegrityError:
        return IntegrityError(
            "unwrapping a data key with Cloud KMS",
            got=got,
            expected=f"the key {wrapped.key} ({wrapped.kind})",
            state="nothing was opened and nothing changed",
            remedy="name the key that sealed it",
            code="9346",
        )

    def _damaged(self, act: str) -> IntegrityError:
        return IntegrityError(
            f"{act} a data key with {self._name}",
            got="bytes that do not have the checksum that came with them",
            expected="what was sent, as Cloud KMS had it",
            state="nothing was written",
            remedy="run again; if it stays, look at what stands between here and Google",
            code="9347",
        )


def _crc32c(data: bytes) -> int:
    return int(crc32c_of(data), 16)
