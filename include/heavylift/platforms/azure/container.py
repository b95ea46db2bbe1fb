"""What a container's properties tell: immutability, legal hold, encryption scope, public access."""

from __future__ import annotations

from collections.abc import Mapping

from heavylift.errors import CredentialError
from heavylift.platforms.azure.wire import ContainerWire
from heavylift.platforms.containers import ContainerTrait, encrypted, locked, shared, unknown

_SET = "true"
_OF_THE_ACCOUNT = "it is a setting of the account"
_OWN_KEY = "$account-encryption-key"


async def describe(wire: ContainerWire) -> list[ContainerTrait]:
    """Ask for the container's properties; one request
    (https://learn.microsoft.com/rest/api/storageservices/get-container-properties).

    Versioning is a setting of the account, which the data service does not tell. A signature for a container
    alone never allows this request.
    """
    request = wire.request("GET", "properties", None, query={"restype": "container"})
    try:
        return read((await wire.send(request)).headers)
    except CredentialError as error:
        return [unknown("versioning", _OF_THE_ACCOUNT), unknown("settings", error.got)]


def read(headers: Mapping[str, str]) -> list[ContainerTrait]:
    """Return what the properties say is set."""
    found = [unknown("versioning", _OF_THE_ACCOUNT)]
    kept = [
        name
        for name in ("immutability-policy", "legal-hold")
        if headers.get(f"x-ms-has-{name}", "").lower() == _SET
    ]
    if kept:
        found.append(locked(f"the container has a {' and a '.join(kept)}"))
    scope = headers.get("x-ms-default-encryption-scope", _OWN_KEY)
    if scope != _OWN_KEY:
        found.append(encrypted("the container has an encryption scope of its own"))
    if headers.get("x-ms-blob-public-access"):
        found.append(shared("the container is open to the public"))
    return found
