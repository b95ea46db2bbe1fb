"""Ports of stores about uploads in parts that nobody may ever end: which there are, and who names them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from heavylift.platforms.ports import ObjectAttributes, Upload


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that the store holds parts of, whoever began it.

    :param place: the key that it is for, as far as the store tells, or where its parts lie.
    """

    upload_id: str
    place: str


@runtime_checkable
class ListsUploads(Protocol):
    """A store in which an upload that nobody ends stays until it is aborted.

    Azure Blob has no such uploads: blocks that were never made part of a blob go by themselves a
    week after the last one was put
    (https://learn.microsoft.com/rest/api/storageservices/put-block).
    """

    def open_uploads(self, prefix: str) -> AsyncIterator[list[OpenUpload]]:
        """Yield the uploads in progress for keys under ``prefix``, in pages; changes nothing."""
        ...


@runtime_checkable
class NamesUploads(Protocol):
    """A store to which the id of an upload is told, so that it can be noted before the upload is there.

    Whoever is killed in between, or never hears the store's answer, leaves no upload that nobody knows. S3
    gives its ids itself.
    """

    def name_upload(self, key: str) -> Upload:
        """Choose the id of an upload; nothing is begun."""
        ...

    async def begin_named(self, upload: Upload, attributes: ObjectAttributes) -> None:
        """Begin the upload; as ``begin_upload`` of the object store's port."""
        ...
