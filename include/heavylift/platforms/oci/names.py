"""Names of the OCI distribution API: registries, repositories, tags and digests. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from heavylift.errors import IntegrityError, SpecError

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"(?=.{{1,255}}\Z){_PART}(?:/{_PART})*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
_HOST = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_HUB, _OFFICIAL, _LATEST = "docker.io", "library/", "latest"
_SHOWN = 120


@dataclass(frozen=True)
class Place:
    """A registry, and the start that the repositories there have in common.

    :param prefix: empty, or a path without slashes at its ends.
    """

    host: str
    prefix: str = ""

    def full(self, name: str) -> str:
        """Return a repository's whole name, from its name below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def below(self, repository: str) -> str | None:
        """Return a repository's name below the prefix; None where it lies elsewhere."""
        if not self.prefix:
            return repository
        start = f"{self.prefix}/"
        return repository[len(start) :] if repository.startswith(start) else None

    def __str__(self) -> str:
        return f"{self.host}/{self.prefix}" if self.prefix else self.host


@dataclass(frozen=True)
class Reference:
    """An image by name: its tag, its digest, or both."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse_place(text: str) -> Place:
    """Return the registry that a text such as ``host:5000/team`` names.

    :raises SpecError: it names none.
    """
    host, _, prefix = text.partition("/")
    if _HOST.fullmatch(host) and (not prefix or REPOSITORY.fullmatch(prefix)):
        return Place(host, prefix)
    raise SpecError(
        "reading the name of a registry",
        got=repr(text[:_SHOWN]),
        expected="host[:port][/path], without https:// and in lower case after the host",
        state="nothing was touched",
        remedy="correct it; whether a registry is spoken to over http:// its connection says",
        code="9141",
    )


def parse_reference(text: str, host: str = "") -> Reference:
    """Return the image that a text names, as container runtimes read it.

    Without a registry it is Docker Hub's, without tag and digest it is ``latest``.

    :param host: the registry of a name that has none.
    :raises SpecError: it is no image's name.
    """
    name, at, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        found, path = first, rest
    else:
        found, path = host or _HUB, name
    repository, colon, tag = path.rpartition(":")
    if not colon:
        repository, tag = path, ""
    if found == _HUB and "/" not in repository:
        repository = _OFFICIAL + repository
    if not (colon or at):
        tag = _LATEST
    right = (
        _HOST.fullmatch(found)
        and REPOSITORY.fullmatch(repository)
        and (not (tag or colon) or TAG.fullmatch(tag))
        and (not at or DIGEST.fullmatch(digest))
    )
    if not right:
        raise SpecError(
            "reading the name of an image",
            got=repr(text[:_SHOWN]),
            expected="[host[:port]/]repository[:tag][@sha256:…]",
            state="nothing was touched",
            remedy="correct the name",
            code="9142",
        )
    return Reference(found, repository, tag, digest)


def hasher(digest: str) -> Any:
    """Return a fresh hash of the algorithm that a digest names."""
    return hashlib.new(digest.partition(":")[0])


def digest_of(data: bytes, like: str = "sha256:") -> str:
    """Return the digest of bytes by the algorithm of another digest."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def demand_digest(found: str, wanted: str, what: str, state: str) -> None:
    """Do nothing where two digests are the same.

    :raises IntegrityError: they differ: bytes are not what their name says.
    """
    if found != wanted:
        raise IntegrityError(
            what,
            got=f"bytes of the digest {found}",
            expected=wanted,
            state=state,
            remedy="run again; where it stays, the registry or what stands before it changes bytes",
            code="9143",
        )


def fallback_tag(digest: str) -> str:
    """Return the tag under which registries without the referrers API list what refers to a digest."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm[:32]}-{value[:64]}"


COSIGN_SUFFIXES = (".sig", ".att", ".sbom")
"""Ends of the tags with which cosign keeps signatures, attestations and bills of materials."""
_OF_REFERRERS = re.compile(r"sha(?:256|512)-[a-f0-9]{64}(?:\.(?:sig|att|sbom))?")


def is_of_referrers(tag: str) -> bool:
    """Tell whether a tag lists what refers to an image, or is itself such a thing."""
    return _OF_REFERRERS.fullmatch(tag) is not None
