"""Storage classes: which objects cannot be read yet, and in which class an object arrives.

Facts: S3 https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html, Cloud
Storage https://cloud.google.com/storage/docs/storage-classes, Azure
https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview.
"""

from __future__ import annotations

from collections.abc import Mapping

from heavylift.spec.classes import OFFLINE, StorageClasses
from heavylift.spec.vocabulary import ClassPolicy

# Rank by price for keeping, from what is read often to what hardly ever is.
_RANKS: Mapping[str, Mapping[str, int]] = {
    "s3": {
        "STANDARD": 0,
        "EXPRESS_ONEZONE": 0,
        "REDUCED_REDUNDANCY": 0,
        "INTELLIGENT_TIERING": 0,
        "STANDARD_IA": 1,
        "ONEZONE_IA": 1,
        "GLACIER_IR": 2,
        "GLACIER": 3,
        "DEEP_ARCHIVE": 3,
    },
    "gs": {
        "STANDARD": 0,
        "MULTI_REGIONAL": 0,
        "REGIONAL": 0,
        "DURABLE_REDUCED_AVAILABILITY": 0,
        "NEARLINE": 1,
        "COLDLINE": 2,
        "ARCHIVE": 3,
    },
    "az": {"HOT": 0, "COOL": 1, "COLD": 2, "ARCHIVE": 3},
}
# Only classes that can be read at once: what is written has to be proved.
_BY_RANK: Mapping[str, tuple[str, ...]] = {
    "s3": ("STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER_IR"),
    "gs": ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"),
    "az": ("Hot", "Cool", "Cold", "Cold"),
}


def must_be_restored(scheme: str, storage_class: str) -> bool:
    """Tell whether an object of this class must be restored before it can be read."""
    return storage_class.upper() in OFFLINE.get(scheme, frozenset())


def class_on_target(source: str, target: str, storage_class: str, wanted: StorageClasses) -> str | None:
    """Return the class that an object gets on the target; None for the target's default.

    :param source: the URL scheme of the source; ``target`` likewise.
    :param storage_class: the object's class on the source; empty where the store tells none.
    """
    named = {name.upper(): chosen for name, chosen in wanted.classes.items()}
    if storage_class.upper() in named:
        return named[storage_class.upper()]
    if wanted.policy is ClassPolicy.DEFAULT or target not in _BY_RANK:
        return None
    rank = _RANKS.get(source, {}).get(storage_class.upper())
    if rank is None:
        return None
    if source == target and not must_be_restored(source, storage_class):
        return storage_class
    return _BY_RANK[target][rank]
