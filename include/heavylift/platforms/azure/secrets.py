"""Azure Key Vault as a store of secrets, through its REST API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, IntegrityError, NotFoundError
from heavylift.platforms.azure.control import told_by_azure
from heavylift.platforms.azure.vaults import vault_api, vault_url_of
from heavylift.platforms.rest_faults import Told
from heavylift.platforms.secrets import MARK, Dressing, Held, SecretInfo
from heavylift.secret_values import SecretValue

BASE64 = "application/x-heavylift-base64"
"""The content type of a value that stands for bytes: Key Vault keeps nothing but text."""
MOVED = "set by the move of secrets"
"""The content type of what Heavylift wrote; Terraform makes its shells with it, so that nothing drifts."""
SHELL = "not set yet"
"""What such a shell has for a value."""
_MOST_TAGS, _LONGEST = 15, 256
_SET, _GET, _LIST = "secrets/set", "secrets/get", "secrets/list"


class KeyVaultStore:
    """The secrets of one vault.

    Content type and tags belong to a version: what Heavylift wrote is known by them for as long as nobody
    writes another one.

    :param connection: type ``azure``; extra ``vault_url``, and what :func:`token_fetcher` takes.
    """

    store = "key_vault"

    def __init__(self, connection: Connection) -> None:
        url = vault_url_of(connection)
        if connection.conn_type not in ("azure", "azure_key_vault") or not url:
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for Azure Key Vault",
                got=f"the type {connection.conn_type!r}" + ("" if url else " and no vault_url"),
                expected="the type azure, and the extra field vault_url, such as https://NAME.vault.azure.net",
                state="nothing was touched",
                remedy=f"correct connection {connection.conn_id!r}",
                code="8808",
            )
        self._api = vault_api(connection, _reason)

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def listed(self) -> AsyncIterator[SecretInfo]:
        """Yield all secrets, those that are switched off and those of certificates included."""
        async for page in self._api.pages("secrets", _LIST, {"maxresults": "25"}, "nextLink", "", {}):
            for each in page.get("value") or ():
                yield _info(each)

    async def read(self, name: str) -> Held | None:
        """Return one secret with its current version's value, or None."""
        try:
            found = await self._api.send("GET", f"secrets/{name}", _GET)
        except NotFoundError:
            return None
        except CredentialError as error:
            if "SecretDisabled" not in error.got:
                raise
            info = SecretInfo(name=name, store=self.store, refused="it is switched off")
            return Held(info, None)
        info, kind = _info(found), found.get("contentType")
        version = str(found["id"]).rstrip("/").rpartition("/")[2]
        value = SecretValue.of_text(str(found.get("value") or ""))
        info = replace(info, version=version, ours=kind in (MOVED, BASE64))
        if kind == MOVED and found.get("value") == SHELL:
            return Held(info, None)
        return Held(info, _decoded(name, value) if kind == BASE64 else value)

    async def create(self, name: str, value: SecretValue, dressing: Dressing) -> str:
        """Set the first version of a secret; Key Vault cannot be asked to do so only where there is none."""
        return await self._set(name, value, _tags(dressing))

    async def replace(self, held: Held, value: SecretValue, dressing: Dressing) -> str:
        """Set a new version, which becomes the current one; those before stay."""
        found = await self._api.send("GET", f"secrets/{held.info.name}", _GET)
        return await self._set(held.info.name, value, found.get("tags") or {})

    async def _set(self, name: str, value: SecretValue, tags: Mapping[str, str]) -> str:
        data = value.reveal()
        text = data.decode() if value.text else base64.b64encode(data).decode()
        kind = MOVED if value.text else BASE64
        body: dict[str, Any] = {"value": text, "tags": dict(tags), "contentType": kind}
        made = await self._api.send("PUT", f"secrets/{name}", _SET, body=body)
        return str(made["id"]).rstrip("/").rpartition("/")[2]


def _decoded(name: str, value: SecretValue) -> SecretValue:
    try:
        return SecretValue(base64.b64decode(value.reveal(), validate=True), text=False)
    except binascii.Error:
        raise IntegrityError(
            f"reading secret {name!r}",
            got=f"a value that is no base64, though its content type is {BASE64}",
            expected="what Heavylift wrote",
            state="nothing was written",
            remedy="find out who changed it; delete the secret on the target to have it made anew",
            code="8809",
        ) from None


def _reason(answer: Mapping[str, Any]) -> Told:
    error = answer.get("error")
    inner = error.get("innererror") if isinstance(error, Mapping) else None
    if isinstance(inner, Mapping) and inner.get("code"):
        return str(inner["code"]), ""
    return told_by_azure(answer)


def _tags(dressing: Dressing) -> dict[str, str]:
    found = dict(sorted(dressing.labels.items()))
    if dressing.description:
        found.setdefault("description", dressing.description)
    fit = [(k, v) for k, v in found.items() if len(k) <= _LONGEST and len(v) <= _LONGEST and k != MARK]
    return {MARK: dressing.migration[:_LONGEST], **dict(fit[: _MOST_TAGS - 1])}


def _info(found: Mapping[str, Any]) -> SecretInfo:
    attributes = found.get("attributes") or {}
    tags = {str(k): str(v) for k, v in (found.get("tags") or {}).items() if k != MARK}
    refused = "" if attributes.get("enabled", True) else "it is switched off"
    description = tags.pop("description", "")
    expires = attributes.get("exp")
    return SecretInfo(
        name=urlsplit(str(found["id"])).path.split("/")[2],
        store=KeyVaultStore.store,
        refused="it is the private half of a certificate" if found.get("managed") else refused,
        expires=datetime.fromtimestamp(int(expires), UTC).isoformat() if expires else "",
        kind=str(found.get("contentType") or ""),
        description=description,
        labels=tags,
    )
