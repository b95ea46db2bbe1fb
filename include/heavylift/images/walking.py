"""One image as a whole: its manifests from the leaves up, and what refers to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heavylift.errors import IntegrityError, NotFoundError
from heavylift.platforms.oci.client import Registry
from heavylift.platforms.oci.manifest import Descriptor, Manifest
from heavylift.platforms.oci.names import COSIGN_SUFFIXES, fallback_tag

MOST_MANIFESTS, _MOST_DEPTH, _MOST_BYTES = 10_000, 16, 64 * 2**20


@dataclass
class Tree:
    """Everything that belongs to one image.

    :param manifests: children before what names them, and all before what refers to them.
    :param referrers: subject → digests that refer to it, as the source's list has them.
    :param tags: tags of cosign's, each with its digest.
    :param lists: subject → the manifest that lists what refers to it, where the source keeps it by a tag.
    """

    root: str
    manifests: dict[str, Manifest] = field(default_factory=dict)
    referrers: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    lists: dict[str, Manifest] = field(default_factory=dict)
    size: int = 0

    @property
    def blobs(self) -> dict[str, Descriptor]:
        """Every blob once, by its digest."""
        return {blob.digest: blob for each in self.manifests.values() for blob in each.blobs}

    @property
    def foreign(self) -> dict[str, Descriptor]:
        """Every layer that registries do not hold."""
        return {blob.digest: blob for each in self.manifests.values() for blob in each.foreign}

    @property
    def referring(self) -> int:
        """How many manifests are there only because they refer to others."""
        return len({*self.tags.values(), *(each for rows in self.referrers.values() for each in rows)})


class Walker:
    """Reads whole images of one registry.

    :param tags: repository → its tags; what refers to an image may be found by them.
    :param referrers: what refers to an image belongs to it.
    """

    def __init__(self, registry: Registry, tags: dict[str, frozenset[str]], *, referrers: bool) -> None:
        self._registry, self._tags, self._referrers = registry, tags, referrers
        self._lists: dict[str, bool] = {}

    async def tree(self, repository: str, digest: str) -> Tree:
        """Return everything that belongs to an image.

        :raises NotFoundError: a manifest that another names is not there.
        :raises IntegrityError: bytes are not what their name says, or a manifest is none.
        :raises UnsupportedError: a manifest of a kind that cannot be copied.
        """
        tree = Tree(digest)
        await self._down(tree, repository, digest, 0)
        if self._referrers:
            pending = list(tree.manifests)
            while pending:
                pending = await self._referring(tree, repository, pending)
        return tree

    async def _down(
        self, tree: Tree, repository: str, digest: str, depth: int, told: Descriptor | None = None
    ) -> None:
        if digest in tree.manifests:
            return
        what = f"reading image {self._registry.called(repository, tree.root)}"
        if depth > _MOST_DEPTH or len(tree.manifests) >= MOST_MANIFESTS:
            raise _too_many(what)
        found = await self._registry.manifest(repository, digest)
        tree.size += len(found.data)
        if tree.size > _MOST_BYTES:
            raise _too_many(what)
        if told is not None and told.size != len(found.data):
            raise _size_lie(what, told, len(found.data))
        for child in found.children:
            await self._down(tree, repository, child.digest, depth + 1, child)
        tree.manifests[digest] = found

    async def _referring(self, tree: Tree, repository: str, subjects: Iterable[str]) -> list[str]:
        """Add what refers to ``subjects``; return what is new, to which others may refer."""
        before = set(tree.manifests)
        for subject in subjects:
            listed = await self._listed(tree, repository, subject)
            if listed:
                tree.referrers[subject] = [each.digest for each in listed]
            for each in listed:
                await self._down(tree, repository, each.digest, 0, each)
            for suffix in COSIGN_SUFFIXES:
                tag = fallback_tag(subject) + suffix
                if tag in self._tags.get(repository, ()):
                    seen = await self._registry.head(repository, tag)
                    if seen is not None:
                        await self._down(tree, repository, seen.digest, 0)
                        tree.tags[tag] = seen.digest
        return [each for each in tree.manifests if each not in before]

    async def _listed(self, tree: Tree, repository: str, subject: str) -> tuple[Descriptor, ...]:
        """Return what refers to a digest, by the registry's own list or by the tag that stands for it."""
        found = None
        if self._lists.get(repository, True):
            found = await self._registry.referrers(repository, subject)
            self._lists[repository] = found is not None
        if found is None:
            tag = fallback_tag(subject)
            if tag not in self._tags.get(repository, ()):
                return ()
            try:
                tree.lists[subject] = await self._registry.manifest(repository, tag)
            except NotFoundError:
                return ()
            found = tree.lists[subject].children
        return tuple({each.digest: each for each in found}.values())


def _too_many(what: str) -> IntegrityError:
    return IntegrityError(
        what,
        got=f"manifests {_MOST_DEPTH} deep, {MOST_MANIFESTS:,} of them, or {_MOST_BYTES:,} bytes, and more",
        expected="an image",
        state="nothing of this image was copied",
        remedy="leave it out (containers.exclude_tags)",
        code="9168",
    )


def _size_lie(what: str, told: Descriptor, found: int) -> IntegrityError:
    return IntegrityError(
        what,
        got=f"a manifest {told.digest} of {found:,} bytes",
        expected=f"{told.size:,}, as what names it says",
        state="nothing of this image was copied",
        remedy="build and push the image again: what its registry holds is no valid image",
        code="9169",
    )
