"""The generations of a bucket's objects, and its soft delete.

https://cloud.google.com/storage/docs/object-versioning, https://cloud.google.com/storage/docs/soft-delete
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from heavylift.errors import CredentialError
from heavylift.platforms.gcp.wire import BucketWire, understood
from heavylift.platforms.versions import Afterlife, ObjectVersion

_DAY = 86_400


async def keeps_versions(wire: BucketWire) -> bool:
    """Tell whether the bucket's versioning is on; needs ``storage.buckets.get``."""
    return bool(((await wire.bucket("versioning")).get("versioning") or {}).get("enabled"))


async def list_versions(wire: BucketWire, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
    """Yield the generations under ``prefix``, those that are not current too."""
    async for page in wire.pages(prefix, versions="true"):
        yield understood(f"list of versions of {wire.location}", _rows, page)


async def delete_exactly(wire: BucketWire, key: str, version_id: str) -> None:
    """Delete one generation for good, as far as the bucket's soft delete lets it."""
    await wire.delete(key, generation=version_id)


async def afterlife(wire: BucketWire) -> Afterlife:
    """Read the bucket's soft delete."""
    try:
        policy = (await wire.bucket("softDeletePolicy")).get("softDeletePolicy") or {}
    except CredentialError as error:
        return Afterlife(None, f"the bucket's soft delete could not be read ({error.got})")
    seconds = int(policy.get("retentionDurationSeconds") or 0)
    if not seconds:
        return Afterlife(0, "the bucket has no soft delete")
    return Afterlife(seconds, f"the bucket's soft delete keeps what is deleted for {seconds / _DAY:g} days")


def _rows(page: list[dict[str, Any]]) -> list[ObjectVersion]:
    return [
        ObjectVersion(
            key=each["name"],
            version=str(each["generation"]),
            version_id=str(each["generation"]),
            size_bytes=int(each["size"]),
            modified_us=int(datetime.fromisoformat(each["updated"]).timestamp() * 1_000_000),
            current=True,
        )
        for each in page
    ]
