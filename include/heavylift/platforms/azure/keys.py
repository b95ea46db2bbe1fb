"""An RSA key of an Azure Key Vault as a wrapping key."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, IntegrityError, PermanentError
from heavylift.platforms.azure.control import told_by_azure
from heavylift.platforms.azure.vaults import vault_api, vault_url_of
from heavylift.platforms.keys import Wrapped

ALGORITHM = "RSA-OAEP-256"
_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")


class KeyVaultKey:
    """One RSA key, by name; a new data key is wrapped by its current version.

    It needs the key permissions ``get`` and ``wrapKey``, and to unwrap ``unwrapKey``. RSA-OAEP binds nothing
    beside the key; the envelope itself binds the object's name, size and version.

    :param connection: type ``azure``; extra ``vault_url``, and what :func:`token_fetcher` takes.
    """

    kind = "azure_key_vault"

    def __init__(self, connection: Connection, name: str) -> None:
        url = vault_url_of(connection)
        if not url or not _NAME.fullmatch(name):
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for a wrapping key",
                got=f"the key {name!r}" if url else "no vault_url",
                expected="the extra field vault_url, such as https://NAME.vault.azure.net, and a key's name",
                state="nothing was touched",
                remedy=f"correct connection {connection.conn_id!r}, or the key's name",
                code="9348",
            )
        self._api = vault_api(connection, told_by_azure)
        self._name = name

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def wrap(self, data_key: bytes, context: str) -> Wrapped:
        """Return the data key, wrapped by the current version of the key."""
        del context
        found = await self._api.send("GET", f"keys/{self._name}", "keys/get")
        current = _path(str(found["key"]["kid"]))
        answer = await self._ask(current, "wrapkey", "keys/wrapKey", data_key)
        return Wrapped(self.kind, str(answer["kid"]), _bytes(answer))

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the data key, by the version of the key that wrapped it."""
        del context
        path = _path(wrapped.key)
        if wrapped.kind != self.kind or path.split("/")[1:2] != [self._name]:
            raise self._wrong(wrapped, f"the key {self._name}")
        try:
            return _bytes(await self._ask(path, "unwrapkey", "keys/unwrapKey", wrapped.data))
        except PermanentError as error:
            if "HTTP 400" in error.got:
                raise self._wrong(wrapped, f"a refusal of the key {self._name} to unwrap it") from None
            raise

    async def _ask(self, path: str, verb: str, permission: str, data: bytes) -> dict[str, Any]:
        value = base64.urlsafe_b64encode(data).decode().rstrip("=")
        body = {"alg": ALGORITHM, "value": value}
        return await self._api.send("POST", f"{path}/{verb}", permission, body=body)

    def _wrong(self, wrapped: Wrapped, got: str) -> IntegrityError:
        return IntegrityError(
            "unwrapping a data key with Azure Key Vault",
            got=got,
            expected=f"the key {wrapped.key} ({wrapped.kind})",
            state="nothing was opened and nothing changed",
            remedy="name the key that sealed it",
            code="9349",
        )


def _path(kid: str) -> str:
    """Return keys/NAME/VERSION of a key's id; its host is that of the connection, whatever the id says."""
    return urlsplit(kid).path.strip("/")


def _bytes(answer: dict[str, Any]) -> bytes:
    value = str(answer.get("value") or "")
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
