"""Access lists of single objects: whether a bucket has them in force, and what one grants to others.

https://cloud.google.com/storage/docs/access-control/lists
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.platforms.gcp.wire import BucketWire
from heavylift.platforms.grants import EVERYONE

_ALL = {"allUsers": EVERYONE, "allAuthenticatedUsers": "everyone with a Google account"}
_KINDS = {"user": "another account", "group": "a group", "domain": "a domain"}


class ObjectAccessLists:
    """Asks Cloud Storage; needs ``storage.buckets.get`` and ``storage.objects.getIamPolicy``."""

    def __init__(self, wire: BucketWire) -> None:
        self._wire = wire

    async def in_use(self) -> bool:
        """Tell whether lists are in force: not where access is uniform for the bucket."""
        found = await self._wire.bucket("iamConfiguration")
        uniform = (found.get("iamConfiguration") or {}).get("uniformBucketLevelAccess") or {}
        return not uniform.get("enabled")

    async def granted(self, key: str) -> tuple[str, ...]:
        """Return what an object's list grants to others than its owner and its project's roles."""
        query = {"projection": "full", "fields": "owner,acl"}
        return granted(await self._wire.read(self._wire.request("GET", "access list", key, query=query)))


def granted(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what an object's resource grants to others than its owner and its project's roles."""
    owner = str((resource.get("owner") or {}).get("entity", ""))
    found = []
    for entry in resource.get("acl") or ():
        entity = str(entry.get("entity", ""))
        kind = entity.partition("-")[0]
        if entity == owner or kind.startswith("project"):
            continue
        found.append(f"{entry.get('role', '')} to {_ALL.get(entity) or _KINDS.get(kind, 'somebody')}")
    return tuple(dict.fromkeys(found))
