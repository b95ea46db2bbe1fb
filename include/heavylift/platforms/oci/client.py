"""One registry over the OCI distribution API: manifests, tags, referrers, and whether a blob is there."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from heavylift.errors import IntegrityError, NotFoundError, PermanentError
from heavylift.platforms.oci.manifest import (
    ACCEPT,
    MOST_BYTES,
    Descriptor,
    Manifest,
    read_manifest,
    read_referrers,
)
from heavylift.platforms.oci.names import DIGEST, demand_digest, digest_of

if TYPE_CHECKING:
    from heavylift.platforms.http_answer import Answer
    from heavylift.platforms.oci.wire import Wire

_LINK = re.compile(r"<([^>]*)>\s*;[^,]*\brel=\"?next\"?")
_PAGE, _MOST_PAGES = 1000, 100_000
_ANY_JSON = {"Accept": "application/json, */*"}
NOTHING_CHANGED = "nothing was changed"


@dataclass(frozen=True)
class Seen:
    """What a HEAD of a manifest tells."""

    digest: str
    media_type: str


def scope_of(repository: str, *, push: bool = False) -> str:
    """Return the scope of a token for a repository."""
    return f"repository:{repository}:{'pull,push' if push else 'pull'}"


class Registry:
    """Reads a registry, and puts manifests there; close it when done.

    :param host: by which images are named.
    :param writes: tokens are asked for that may push, too.
    """

    def __init__(self, host: str, wire: Wire, *, writes: bool = False) -> None:
        self.host, self.wire, self.writes = host, wire, writes

    async def close(self) -> None:
        """Close connections."""
        await self.wire.close()

    def scope(self, repository: str) -> str:
        """Return the scope of tokens for a repository."""
        return scope_of(repository, push=self.writes)

    def called(self, repository: str, reference: str) -> str:
        """Return what a message calls something of a repository."""
        joint = "@" if DIGEST.fullmatch(reference) else ":"
        return f"{self.host}/{repository}{joint}{reference}"

    async def head(self, repository: str, reference: str) -> Seen | None:
        """Return what a tag or digest is now, or None where there is nothing of the name.

        :raises IntegrityError: the registry names a digest that is none.
        """
        what = f"look at {self.called(repository, reference)}"
        path = f"/v2/{repository}/manifests/{reference}"
        headers = {"Accept": ACCEPT}
        try:
            answer = await self.wire.send("HEAD", path, what, self.scope(repository), headers=headers)
        except NotFoundError:
            return None
        digest = answer.headers.get("Docker-Content-Digest", "")
        if not digest:
            # Registries may leave it out: then the bytes themselves tell.
            found = await self.manifest(repository, reference)
            return Seen(found.digest, found.media_type)
        if not DIGEST.fullmatch(digest):
            raise IntegrityError(
                what,
                got=f"{digest!r:.90} as its digest",
                expected="sha256: and 64 digits of a-f and 0-9",
                state=NOTHING_CHANGED,
                remedy="look at the registry, or at what stands before it",
                code="9156",
            )
        return Seen(digest, answer.headers.get("Content-Type", ""))

    async def manifest(self, repository: str, reference: str) -> Manifest:
        """Return a manifest whose bytes were hashed here.

        :param reference: a tag or a digest; of a digest the bytes must be.
        :raises NotFoundError: there is none.
        :raises IntegrityError: the bytes are not what their name says, or no valid manifest.
        """
        what = f"manifest {self.called(repository, reference)}"
        path = f"/v2/{repository}/manifests/{reference}"
        async with self.wire.opened(path, what, self.scope(repository), {"Accept": ACCEPT}) as answer:
            data = await self._whole(answer, what)
            told = answer.headers.get("Docker-Content-Digest", "")
            media_type = answer.headers.get("Content-Type", "")
        wanted = reference if DIGEST.fullmatch(reference) else told or digest_of(data)
        if not DIGEST.fullmatch(wanted):
            wanted = digest_of(data)
        found = digest_of(data, wanted)
        demand_digest(found, wanted, what, NOTHING_CHANGED)
        return read_manifest(data, media_type, found, what)

    async def _whole(self, answer: Answer, what: str) -> bytes:
        data = bytearray()
        async for piece in self.wire.pieces(answer, what):
            data += piece
            if len(data) > MOST_BYTES:
                raise IntegrityError(
                    what,
                    got=f"more than {MOST_BYTES:,} bytes",
                    expected="a manifest, which registries take up to that size",
                    state=NOTHING_CHANGED,
                    remedy="leave the image out (containers.exclude_tags)",
                    code="9157",
                )
        return bytes(data)

    async def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        """Put a manifest under a tag or its digest; True where the registry keeps lists of referrers itself.

        Idempotency: the same bytes have the same digest. A tag is moved if it was another digest's.

        :raises IntegrityError: the registry says that it holds other bytes now.
        """
        what = f"put of manifest {self.called(repository, reference)}"
        headers = {"Content-Type": manifest.media_type}
        path = f"/v2/{repository}/manifests/{reference}"
        scope = self.scope(repository)
        answer = await self.wire.send("PUT", path, what, scope, headers=headers, body=manifest.data)
        told = answer.headers.get("Docker-Content-Digest", "")
        if told:
            demand_digest(told, manifest.digest, what, f"the registry holds {told[:90]!r} under this name")
        return "OCI-Subject" in answer.headers

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """Return a blob's size, or None where the repository does not have it; -1 where that is not told."""
        what = f"look at blob {self.called(repository, digest)}"
        url = f"/v2/{repository}/blobs/{digest}"
        try:
            answer = await self.wire.send("HEAD", url, what, self.scope(repository))
        except NotFoundError:
            return None
        except PermanentError as error:
            from heavylift.platforms.oci.wire import MovedError

            if isinstance(error, MovedError):
                return -1  # it lies in an object store: it is there, and that store knows how long it is
            raise
        told = answer.headers.get("Docker-Content-Digest", "")
        if told:
            demand_digest(told, digest, what, NOTHING_CHANGED)
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else -1

    @asynccontextmanager
    async def blob(self, repository: str, blob: Descriptor) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a blob; whoever reads it must see whether it is what its name says.

        :raises NotFoundError: the registry does not have it.
        :raises IntegrityError: its size is not that of the manifest.
        """
        what = f"blob {self.called(repository, blob.digest)}"
        path = f"/v2/{repository}/blobs/{blob.digest}"
        async with self.wire.opened(path, what, self.scope(repository)) as answer:
            length = answer.headers.get("Content-Length", "")
            if length.isdigit():
                demand_size(int(length), blob, what)
            yield self.wire.pieces(answer, what)

    async def tags(self, repository: str) -> list[str]:
        """Return all tags of a repository, sorted.

        :raises NotFoundError: there is no such repository.
        """
        what = f"tags of {self.host}/{repository}"
        found: set[str] = set()
        path = f"/v2/{repository}/tags/list?{urlencode({'n': _PAGE})}"
        async for page in self._pages(path, what, self.scope(repository)):
            found.update(_texts(page.get("tags")))
        return sorted(found)

    async def repositories(self) -> list[str]:
        """Return all repositories that the registry lists, sorted; many registries list none.

        :raises PermanentError: it has no catalogue, or does not show it to these credentials.
        """
        found: set[str] = set()
        path = f"/v2/_catalog?{urlencode({'n': _PAGE})}"
        async for page in self._pages(path, f"catalogue of {self.host}", "registry:catalog:*"):
            found.update(_texts(page.get("repositories")))
        return sorted(found)

    async def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
        """Return what refers to a digest; None where the registry does not keep such lists."""
        what = f"referrers of {self.called(repository, digest)}"
        found: list[Descriptor] = []
        path = f"/v2/{repository}/referrers/{quote(digest, safe=':')}"
        try:
            async for page in self._pages(path, what, self.scope(repository)):
                if "manifests" not in page:
                    return None
                found.extend(read_referrers(json.dumps(page).encode(), what))
        except NotFoundError:
            return None
        except PermanentError as error:
            if "HTTP 405" in error.got or "HTTP 400" in error.got or "HTTP 501" in error.got:
                return None
            raise
        return tuple(found)

    async def _pages(self, path: str, what: str, scope: str) -> AsyncIterator[dict[str, Any]]:
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            answer = await self.wire.send("GET", path, what, scope, headers=_ANY_JSON)
            yield _page(bytes(answer.body), what)
            following = _LINK.search(answer.headers.get("Link", ""))
            if following is None or following[1] in seen:
                return
            seen.add(following[1])
            path = following[1]


def demand_size(found: int, blob: Descriptor, what: str) -> None:
    """Do nothing where a blob is as long as its manifest says.

    :raises IntegrityError: it is not.
    """
    if found != blob.size:
        raise IntegrityError(
            what,
            got=f"{found:,} bytes",
            expected=f"{blob.size:,}, as its manifest says",
            state="it is not on the target",
            remedy="run again; where it stays, build and push the image again: its manifest is wrong",
            code="9158",
        )


def _texts(rows: object) -> list[str]:
    return [each for each in rows if isinstance(each, str)] if isinstance(rows, list) else []


def _page(body: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise PermanentError(
        what,
        got="an answer that is no JSON object",
        expected="a page of the OCI distribution API",
        state=NOTHING_CHANGED,
        remedy="check that the address is that of a registry",
        code="9159",
    )
