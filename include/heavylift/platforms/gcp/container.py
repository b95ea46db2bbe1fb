"""What a bucket's resource tells: versioning, retention, default key, access lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.errors import CredentialError
from heavylift.platforms.containers import ContainerTrait, encrypted, locked, shared, unknown, versioned
from heavylift.platforms.gcp.wire import BucketWire

_FIELDS = "versioning,retentionPolicy,objectRetention,defaultEventBasedHold,encryption,iamConfiguration"


async def describe(wire: BucketWire) -> list[ContainerTrait]:
    """Ask for the bucket's resource; one request, which needs ``storage.buckets.get``
    (https://cloud.google.com/storage/docs/json_api/v1/buckets).
    """
    try:
        return read(await wire.bucket(_FIELDS))
    except CredentialError as error:
        return [unknown("settings", error.got)]


def read(bucket: Mapping[str, Any]) -> list[ContainerTrait]:
    """Return what a bucket's resource says is set."""
    found: list[ContainerTrait] = []
    if (bucket.get("versioning") or {}).get("enabled"):
        found.append(versioned())
    if any(bucket.get(name) for name in ("retentionPolicy", "objectRetention", "defaultEventBasedHold")):
        found.append(locked("the bucket has a retention policy, object retention or a default hold"))
    if (bucket.get("encryption") or {}).get("defaultKmsKeyName"):
        found.append(encrypted("the bucket encrypts by a key of its owner's"))
    uniform = ((bucket.get("iamConfiguration") or {}).get("uniformBucketLevelAccess") or {}).get("enabled")
    if bucket.get("iamConfiguration") and not uniform:
        found.append(shared("the bucket's objects may have access lists of their own"))
    return found
