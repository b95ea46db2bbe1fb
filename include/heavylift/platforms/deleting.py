"""Deleting one version of an object, and never another.

Each store is asked to hold the condition itself (S3 and Azure ``If-Match``, Cloud Storage
``ifGenerationMatch``). Not every server that speaks one of these protocols heeds it, so the
object is looked at right before as well.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from heavylift.errors import NotFoundError, PreconditionError, UnsupportedError
from heavylift.platforms.ports import ObjectHead, ObjectStore


@runtime_checkable
class DeletesVersions(Protocol):
    """A store that deletes an object only while it is a certain version."""

    async def delete_version(self, key: str, version: str) -> None:
        """Delete ``key`` if it is still ``version``.

        :raises PreconditionError: it is another version now; nothing was deleted.
        """
        ...


async def delete_version(store: ObjectStore, key: str, version: str) -> None:
    """Delete ``key`` while it is ``version``; no error if it has gone meanwhile.

    :raises NotFoundError: there was nothing to begin with.
    :raises PreconditionError: it is another version; nothing was deleted.
    :raises UnsupportedError: the store cannot delete conditionally; nothing was deleted.
    """
    head_of_version(await store.head(key), version, store.location.url_of(key))
    if not isinstance(store, DeletesVersions):
        raise UnsupportedError(
            f"deletion of {store.location.url_of(key)}",
            got="a store that cannot delete one version of an object",
            expected="a store with conditional deletion",
            state="nothing was deleted",
            remedy="set deletes: keep",
            code="3019",
        )
    try:
        await store.delete_version(key, version)
    except NotFoundError:
        # It was there a moment ago: an attempt of ours whose answer was lost has deleted it, or
        # somebody else has. Either way it is gone.
        return


def head_of_version(head: ObjectHead, version: str, url: str) -> ObjectHead:
    """Return ``head`` if it is that of ``version``.

    :raises PreconditionError: it is that of another version.
    """
    if head.object.version == version:
        return head
    raise PreconditionError(
        f"look at {url}",
        got=f"version {head.object.version}",
        expected=f"version {version}",
        state="the object is as it was",
        remedy="run again; what changed is looked at afresh",
        code="3020",
    )
