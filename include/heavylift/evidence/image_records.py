"""The records of copied container images: names, digests, counts and outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now

IMAGES_FOLDER = "~images"

ImageOutcome = Literal["copied", "equal", "skipped", "different", "missing", "refused", "failed", "to_copy"]
NOT_COPIED: frozenset[str] = frozenset({"different", "missing", "refused", "failed"})
"""Outcomes that let a copy or a comparison fail."""


class ImageRow(Record):
    """What became of one image.

    :param source: registry, repository and tag, or digest where it has no tag.
    :param digest: what the tag was when it was read; both sides' where they are equal.
    :param manifests: manifests that belong to it: itself, its platforms, what refers to them.
    :param referrers: those of them that refer to it: signatures, attestations, bills of materials.
    :param blobs: configurations and layers; ``sent`` of them crossed, ``mounted`` were taken from another
        repository of the target's, all others were there.
    :param foreign: layers that registries do not hold; they stay where they are.
    """

    source: str
    target: str
    outcome: ImageOutcome
    digest: str = ""
    target_digest: str = ""
    media_type: str = ""
    manifests: int = 0
    referrers: int = 0
    blobs: int = 0
    sent: int = 0
    mounted: int = 0
    sent_bytes: int = 0
    foreign: int = 0
    reason: str = ""
    remedy: str = ""
    code: str = ""


class ImagesRecord(Record):
    """One copy, or one comparison.

    Adds up: ``found = copied + equal + skipped + failed + planned``.

    :param failed: different, missing, refused or failed.
    :param planned: what a dry run or a list would copy.
    """

    schema_version: Literal["heavylift/images/v1"] = "heavylift/images/v1"
    run: RunKey
    act: Literal["list", "copy", "verify"]
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    found: int
    copied: int
    equal: int
    skipped: int
    failed: int
    planned: int
    sent: int
    sent_bytes: int
    digest: str
    passed: bool
    rows: tuple[ImageRow, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The figures by name."""
        names = ("found", "copied", "equal", "skipped", "failed", "planned", "sent", "sent_bytes")
        return {name: getattr(self, name) for name in names}


class ImageMap(Record):
    """Which image of the target's registry, by digest, takes the place of which of the source's."""

    schema_version: Literal["heavylift/image-map/v1"] = "heavylift/image-map/v1"
    images: dict[str, str]


def image_map(rows: Iterable[ImageRow]) -> ImageMap:
    """Return the map of all images that are proved to be on the target, or that a list would copy.

    An image is in it by its tag, and by its digest.
    """
    found: dict[str, str] = {}
    for each in rows:
        if each.outcome not in {"copied", "equal", "to_copy"} or not each.digest:
            continue
        repositories = [_repository(name) for name in (each.source, each.target)]
        new = f"{repositories[1]}@{each.digest}"
        found[each.source] = found[f"{repositories[0]}@{each.digest}"] = new
    return ImageMap(images=dict(sorted(found.items())))


def _repository(name: str) -> str:
    whole = name.partition("@")[0]
    host, slash, path = whole.partition("/")
    return f"{host}{slash}{path.partition(':')[0]}"


def images_path(run: RunKey, act: str, number: int) -> str:
    """Return the path of a run's ``number``-th record of an act, from 1."""
    return f"{run.folder}/{IMAGES_FOLDER}/{act}-{number}.json"
