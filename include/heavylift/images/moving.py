"""One image: read whole, judged, its missing parts brought, its tag put last, and looked at again."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from heavylift.errors import CredentialError, HeavyliftError, IntegrityError, NotFoundError
from heavylift.evidence.image_records import ImageRow
from heavylift.images.blobs import Blobs, Moved
from heavylift.images.opening import OpenRegistry
from heavylift.images.planning import Chosen, Plan
from heavylift.images.requests import ImagesRequest
from heavylift.images.walking import Tree, Walker
from heavylift.platforms.http_errors import FORBIDDEN
from heavylift.platforms.oci.manifest import OCI_INDEX, Manifest
from heavylift.platforms.oci.names import digest_of, fallback_tag
from heavylift.spec.sections_containers import TagConflict

_WHICH = (
    "find out which is right; containers.conflict: overwrite moves the target's tag, skip leaves it as it is"
)


class Copier:
    """Copies images; what it has seen and brought holds for all of them."""

    def __init__(
        self, request: ImagesRequest, source: OpenRegistry, target: OpenRegistry, plan: Plan
    ) -> None:
        self._request, self._target = request, target
        self._walker = Walker(source.registry, plan.tags, referrers=request.wanted.referrers)
        self._blobs = Blobs(request, source, target)
        self._prepared: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ready: set[str] = set()
        self._indexes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def copy(self, chosen: Chosen) -> ImageRow:
        """Bring one image to the target, and tell what became of it; its own errors are part of that."""
        return await told(chosen, self._copied, written=lambda: bool(self._ready))

    async def _copied(self, chosen: Chosen) -> ImageRow:
        source, target = chosen.source, chosen.target
        now = await self._target_digest(chosen)
        if now and now != chosen.digest and self._request.wanted.conflict is not TagConflict.OVERWRITE:
            return self._left(chosen, now)
        tree = await self._walker.tree(source.repository, chosen.digest)
        if not self._request.dry_run and now != chosen.digest:
            await self._prepare(target.repository)
        moved = Moved()
        new = await self._parts(tree, source.repository, target.repository, moved)
        about = about_tree(tree, moved)
        if self._request.dry_run:
            outcome = (
                "to_copy" if new or moved.sent or now != (chosen.digest if target.tag else now) else "equal"
            )
            return row(chosen, outcome, target_digest=now, **about)
        if target.tag and now != chosen.digest:
            self._request.touching()
            root = tree.manifests[tree.root]
            await self._target.registry.put_manifest(target.repository, target.tag, root)
            new += 1
        seen = await self._target_digest(chosen)
        if seen != chosen.digest:
            why = f"the target gives back {seen or 'nothing'} for what was put there"
            return row(
                chosen, "failed", reason=why, remedy="look who else pushes there, and run again", **about
            )
        wrote = bool(new or moved.sent or moved.mounted)
        return row(chosen, "copied" if wrote else "equal", target_digest=seen, **about)

    async def _target_digest(self, chosen: Chosen) -> str:
        target = chosen.target
        seen = await self._target.registry.head(target.repository, target.tag or chosen.digest)
        return seen.digest if seen is not None else ""

    async def _prepare(self, repository: str) -> None:
        """Have the target's platform make the repository where it must be made."""
        async with self._prepared[repository]:
            if repository not in self._ready:
                self._request.touching()
                await self._target.account.prepare(repository)
                self._ready.add(repository)

    def _left(self, chosen: Chosen, now: str) -> ImageRow:
        why = f"the target has this tag at {now}"
        if self._request.wanted.conflict is TagConflict.SKIP:
            return row(chosen, "skipped", target_digest=now, reason=why)
        return row(chosen, "different", target_digest=now, reason=why, remedy=_WHICH)

    async def _parts(self, tree: Tree, source: str, target: str, moved: Moved) -> int:
        """Bring blobs, manifests from the leaves up, and lists of referrers; return how many were put."""
        await each_of([self._blobs.bring(blob, source, target, moved) for blob in tree.blobs.values()])
        new = 0
        told_by_target: set[str] = set()
        for digest, manifest in tree.manifests.items():
            if await self._put(target, digest, manifest, told_by_target):
                new += 1
        for tag, digest in tree.tags.items():
            new += await self._tagged(target, tag, tree.manifests[digest])
        for subject, digests in tree.referrers.items():
            referring = [tree.manifests[each] for each in digests]
            if not all(each.digest in told_by_target for each in referring):
                new += await self._list_referrers(target, subject, referring, tree.lists.get(subject))
        return new

    async def _put(self, target: str, digest: str, manifest: Manifest, listing: set[str]) -> bool:
        if await self._target.registry.head(target, digest) is not None:
            return False
        if self._request.dry_run:
            return True
        self._request.touching()
        if await self._target.registry.put_manifest(target, digest, manifest):
            listing.add(digest)
        return True

    async def _tagged(self, target: str, tag: str, manifest: Manifest) -> int:
        """Give a signature of cosign's its tag; one at another digest is left."""
        seen = await self._target.registry.head(target, tag)
        if seen is not None and seen.digest == manifest.digest:
            return 0
        if seen is not None and self._request.wanted.conflict is not TagConflict.OVERWRITE:
            raise _other_signature(self._target.registry.called(target, tag), seen.digest, manifest.digest)
        if not self._request.dry_run:
            await self._target.registry.put_manifest(target, tag, manifest)
        return 1

    async def _list_referrers(
        self, target: str, subject: str, referring: Sequence[Manifest], listed: Manifest | None
    ) -> int:
        """See to it that the target tells what refers to an image: by itself, or by a tag."""
        kept = await self._target.registry.referrers(target, subject)
        if kept is not None:
            return 0
        async with self._indexes[f"{target}@{subject}"]:
            return await self._fallback(target, subject, referring, listed)

    async def _fallback(
        self, target: str, subject: str, referring: Sequence[Manifest], listed: Manifest | None
    ) -> int:
        tag = fallback_tag(subject)
        rows = await self._rows(target, tag)
        known = {each["digest"] for each in rows}
        missing = [each.descriptor for each in referring if each.digest not in known]
        if not missing or self._request.dry_run:
            return len(missing)
        if listed is not None and not rows:
            await self._target.registry.put_manifest(target, tag, listed)
            return len(missing)
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*rows, *missing]}
        data = json.dumps(document, separators=(",", ":")).encode()
        made = Manifest(digest_of(data), OCI_INDEX, data)
        await self._target.registry.put_manifest(target, tag, made)
        return len(missing)

    async def _rows(self, target: str, tag: str) -> list[dict[str, Any]]:
        """Return what the target's own list says already: it stays, whoever wrote it."""
        try:
            return [dict(each.raw) for each in (await self._target.registry.manifest(target, tag)).children]
        except NotFoundError:
            return []


def _other_signature(what: str, now: str, wanted: str) -> HeavyliftError:
    return IntegrityError(
        f"tagging {what}",
        got=f"{now}, which is there already",
        expected=wanted,
        state="the image is there, its tag is not",
        remedy=_WHICH,
        code="9170",
    )


async def told(chosen: Chosen, act: Any, *, written: Callable[[], bool] = bool) -> ImageRow:
    """Do one thing with an image; what goes wrong with it is part of the row.

    :param written: tells whether something was written by now, so that there is a record to be kept.
    """
    if chosen.refused:
        return row(chosen, "refused", reason=chosen.refused, remedy=chosen.remedy, code=chosen.code)
    try:
        found: ImageRow = await act(chosen)
    except HeavyliftError as error:
        if isinstance(error, CredentialError) and error.code != FORBIDDEN and not written():
            raise  # who we are is refused: it is so for all of them
        reason = f"{error.what}: got {error.got}, expected {error.expected}"
        return row(chosen, "failed", reason=reason, remedy=error.remedy, code=f"HL-{error.code}")
    return found


async def each_of(acts: Iterable[Any]) -> list[Any]:
    """Do all of ``acts`` at once; the first error ends the others."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def about_tree(tree: Tree, moved: Moved | None = None) -> dict[str, Any]:
    """Return the figures of an image for its row."""
    moved = moved or Moved()
    return {
        "media_type": tree.manifests[tree.root].media_type,
        "manifests": len(tree.manifests),
        "referrers": tree.referring,
        "blobs": len(tree.blobs),
        "foreign": len(tree.foreign),
        "sent": moved.sent,
        "mounted": moved.mounted,
        "sent_bytes": moved.sent_bytes,
    }


def row(chosen: Chosen, outcome: Any, **more: Any) -> ImageRow:
    """Return what became of an image."""
    source = str(chosen.source)
    return ImageRow(source=source, target=str(chosen.target), digest=chosen.digest, outcome=outcome, **more)
