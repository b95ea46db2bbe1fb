"""Compares images on both sides through the registries' API; writes nothing."""

from __future__ import annotations

from heavylift.errors import NotFoundError
from heavylift.evidence.image_records import ImageRow
from heavylift.images.moving import about_tree, each_of, row, told
from heavylift.images.opening import OpenRegistry
from heavylift.images.planning import Chosen, Plan
from heavylift.images.requests import ImagesRequest
from heavylift.images.walking import Tree, Walker
from heavylift.platforms.oci.client import demand_size
from heavylift.platforms.oci.manifest import Descriptor
from heavylift.platforms.oci.names import demand_digest, fallback_tag, hasher
from heavylift.spec.sections_containers import TagConflict

_COPY, _SHOWN = "copy it: heavylift images copy", 3


class Comparer:
    """Compares single images: tag, every manifest's bytes, every blob, and what refers to them."""

    def __init__(
        self, request: ImagesRequest, source: OpenRegistry, target: OpenRegistry, plan: Plan
    ) -> None:
        self._request, self._target = request, target.registry
        self._walker = Walker(source.registry, plan.tags, referrers=request.wanted.referrers)

    async def verify(self, chosen: Chosen) -> ImageRow:
        """Compare one image, and tell what was found."""
        return await told(chosen, self._compared)

    async def _compared(self, chosen: Chosen) -> ImageRow:
        target = chosen.target
        tree = await self._walker.tree(chosen.source.repository, chosen.digest)
        about = about_tree(tree)
        seen = await self._target.head(target.repository, target.tag or chosen.digest)
        if seen is None:
            return row(chosen, "missing", reason="the target has no such image", remedy=_COPY, **about)
        about["target_digest"] = seen.digest
        if seen.digest != chosen.digest:
            why = f"the target has it at {seen.digest}"
            if self._request.wanted.conflict is TagConflict.SKIP:
                return row(chosen, "skipped", reason=why, **about)
            return row(chosen, "different", reason=why, remedy="copy it, or find out who pushed it", **about)
        lacking = await self._lacking(tree, target.repository)
        if lacking:
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            why = f"the target lacks {', '.join(lacking[:_SHOWN])}{more}"
            return row(chosen, "missing", reason=why, remedy=_COPY, **about)
        return row(chosen, "equal", **about)

    async def _lacking(self, tree: Tree, repository: str) -> list[str]:
        """Return what the target does not have of an image; what it has in another form is an error."""
        found = [await self._manifest(repository, digest) for digest in tree.manifests]
        blobs = [self._blob(repository, each) for each in tree.blobs.values()]
        found += await each_of(blobs)
        for tag, digest in tree.tags.items():
            seen = await self._target.head(repository, tag)
            found.append("" if seen is not None and seen.digest == digest else f"tag {tag}")
        for subject, digests in tree.referrers.items():
            found += await self._list(repository, subject, digests)
        return [each for each in found if each]

    async def _manifest(self, repository: str, digest: str) -> str:
        try:
            await self._target.manifest(repository, digest)
        except NotFoundError:
            return f"manifest {digest}"
        return ""

    async def _blob(self, repository: str, blob: Descriptor) -> str:
        what = f"blob {self._target.called(repository, blob.digest)}"
        if not self._request.deep:
            size = await self._target.blob_size(repository, blob.digest)
            if size is not None and size >= 0:
                demand_size(size, blob, what)
            return f"blob {blob.digest}" if size is None else ""
        hashed, size = hasher(blob.digest), 0
        try:
            async with self._target.blob(repository, blob) as pieces:
                async for piece in pieces:
                    hashed.update(piece)
                    size += len(piece)
        except NotFoundError:
            return f"blob {blob.digest}"
        demand_size(size, blob, what)
        found = f"{blob.digest.partition(':')[0]}:{hashed.hexdigest()}"
        demand_digest(found, blob.digest, what, "the target holds other bytes under this name")
        return ""

    async def _list(self, repository: str, subject: str, digests: list[str]) -> list[str]:
        kept = await self._target.referrers(repository, subject)
        if kept is None:
            try:
                kept = (await self._target.manifest(repository, fallback_tag(subject))).children
            except NotFoundError:
                kept = ()
        known = {each.digest for each in kept}
        return [f"{each} in the list of referrers" for each in digests if each not in known]
