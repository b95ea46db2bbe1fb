"""Soft delete of blobs: a setting of the account, which the blob service tells.

https://learn.microsoft.com/rest/api/storageservices/get-blob-service-properties
"""

from __future__ import annotations

from heavylift.errors import HeavyliftError, TransientError
from heavylift.platforms.azure.wire import ContainerWire
from heavylift.platforms.azure.xml import parse
from heavylift.platforms.versions import Afterlife

_DAY = 86_400


async def afterlife(wire: ContainerWire) -> Afterlife:
    """Read the account's setting; a signature for one container may not, and then it is unknown."""
    request = wire.service_request(
        "GET", "blob service properties", {"restype": "service", "comp": "properties"}
    )
    try:
        root = parse((await wire.send(request)).body)
    except TransientError:
        raise
    except (HeavyliftError, ValueError) as error:
        why = error.got if isinstance(error, HeavyliftError) else "an answer that is no XML"
        return Afterlife(None, f"the account's soft delete could not be read ({why})")
    policy = next(root.iter("DeleteRetentionPolicy"), None)
    if policy is None or policy.get("Enabled").lower() != "true":
        return Afterlife(0, "the account has no soft delete; versions and snapshots were not looked for")
    days = int(policy.get("Days") or 0)
    return Afterlife(days * _DAY, f"the account's soft delete keeps deleted blobs for {days} days")
