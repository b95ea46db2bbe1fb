"""What a manifest says, read without trusting it: kinds, sizes, digests, and what it points to. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import IntegrityError, UnsupportedError
from heavylift.platforms.oci.names import DIGEST

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
# Schema 1 is asked for, too: some registries would convert to it in silence if nothing else fits.
ACCEPT = ", ".join((*INDEXES, *MANIFESTS, *SCHEMA_1))
MOST_BYTES = 4 * 2**20
"""Registries must take manifests of 4 MiB, and take no larger ones."""
MOST_SIZE = 2**46
_FOREIGN = ("foreign", "nondistributable")


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of something that it points to."""

    media_type: str
    digest: str
    size: int
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def foreign(self) -> bool:
        """Whether its bytes are not for registries to hand out."""
        return any(word in self.media_type for word in _FOREIGN)


@dataclass(frozen=True)
class Manifest:
    """One manifest or index, with the bytes that its digest is of.

    :param children: manifests of an index.
    :param blobs: configuration and layers, each once; ``foreign`` are those that registries do not hold.
    :param subject: what it refers to, as signatures do.
    """

    digest: str
    media_type: str
    data: bytes = field(repr=False)
    children: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    foreign: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def descriptor(self) -> dict[str, Any]:
        """What an index of referrers says of it."""
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.data),
        }
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found


def read_manifest(data: bytes, told_type: str, digest: str, what: str) -> Manifest:
    """Return what a manifest's bytes say.

    :param told_type: of the answer's Content-Type.
    :raises IntegrityError: it contradicts itself, or names something that is no digest.
    :raises UnsupportedError: schema 1, or a type that is neither an image nor an index.
    """
    found = _json(data, what)
    inside = found.get("mediaType")
    told = told_type.partition(";")[0].strip()
    if told in SCHEMA_1 or (inside is None and found.get("schemaVersion") == 1):
        raise UnsupportedError(
            what,
            got="a manifest of Docker's schema 1",
            expected="OCI, or Docker's version 2 schema 2",
            state="nothing of this image was copied",
            remedy="pull it with a current client, push it again (which makes another digest), copy that",
            code="9144",
        )
    if inside is not None and told not in {inside, "", "application/json", "application/octet-stream"}:
        raise _wrong(what, f"mediaType {inside!r:.90} in an answer of {told!r:.90}", "the same in both")
    media_type = str(inside) if inside is not None else told or _guessed(found)
    if media_type in INDEXES:
        return _index(found, data, media_type, digest, what)
    if media_type in MANIFESTS:
        return _image(found, data, media_type, digest, what)
    raise UnsupportedError(
        what,
        got=f"a manifest of the type {media_type!r:.120}",
        expected=f"one of {', '.join((*MANIFESTS, *INDEXES))}",
        state="nothing of this image was copied",
        remedy="leave it out (containers.exclude_tags; containers.referrers where it refers to an image)",
        code="9145",
    )


def _guessed(found: Mapping[str, Any]) -> str:
    return OCI_INDEX if "manifests" in found else OCI_MANIFEST


def _json(data: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _wrong(what, "no JSON object", "a manifest")
    return found


def _index(found: Mapping[str, Any], data: bytes, media_type: str, digest: str, what: str) -> Manifest:
    if "layers" in found or "config" in found:
        raise _wrong(what, "an index with layers", "an index or an image, not both")
    return Manifest(
        digest,
        media_type,
        data,
        children=_several(found.get("manifests"), what, "manifests"),
        subject=_subject(found, what),
        artifact_type=_text(found.get("artifactType")),
        annotations=_annotations(found),
    )


def _image(found: Mapping[str, Any], data: bytes, media_type: str, digest: str, what: str) -> Manifest:
    if "manifests" in found:
        raise _wrong(what, "an image with manifests", "an index or an image, not both")
    config = _descriptor(found.get("config"), what, "config")
    layers = _several(found.get("layers"), what, "layers")
    once = {each.digest: each for each in (*layers, config)}
    if any(once[each.digest].size != each.size for each in layers):
        raise _wrong(what, "two sizes of one digest", "one size for each digest")
    return Manifest(
        digest,
        media_type,
        data,
        blobs=tuple(each for each in once.values() if not each.foreign),
        foreign=tuple(each for each in once.values() if each.foreign),
        subject=_subject(found, what),
        artifact_type=_text(found.get("artifactType")) or config.media_type,
        annotations=_annotations(found),
    )


def _subject(found: Mapping[str, Any], what: str) -> Descriptor | None:
    return _descriptor(found["subject"], what, "subject") if found.get("subject") is not None else None


def _annotations(found: Mapping[str, Any]) -> dict[str, str]:
    given = found.get("annotations")
    return {str(key): str(text) for key, text in given.items()} if isinstance(given, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _several(rows: object, what: str, name: str) -> tuple[Descriptor, ...]:
    if not isinstance(rows, list):
        raise _wrong(what, f"no list as {name}", "a list of descriptors")
    return tuple(_descriptor(each, what, f"{name}[{at}]") for at, each in enumerate(rows))


def _descriptor(row: object, what: str, name: str) -> Descriptor:
    if not isinstance(row, dict):
        raise _wrong(what, f"no descriptor as {name}", "mediaType, digest and size")
    digest, size, media_type = row.get("digest"), row.get("size"), row.get("mediaType")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise _wrong(
            what, f"{str(digest)!r:.90} as the digest of {name}", "sha256: and 64 digits of a-f and 0-9"
        )
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MOST_SIZE:
        raise _wrong(what, f"{str(size)!r:.40} as the size of {name}", f"a number from 0 to {MOST_SIZE:,}")
    return Descriptor(_text(media_type), digest, size, row)


def read_referrers(data: bytes, what: str) -> tuple[Descriptor, ...]:
    """Return the descriptors of an index of referrers.

    :raises IntegrityError: it is no such index.
    """
    return _several(_json(data, what).get("manifests"), what, "manifests")


def _wrong(what: str, got: str, expected: str) -> IntegrityError:
    return IntegrityError(
        what,
        got=got,
        expected=expected,
        state="nothing of this image was copied after that",
        remedy="build and push the image again: what its registry holds is no valid image",
        code="9146",
    )
