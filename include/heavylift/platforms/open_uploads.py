"""The port of stores that tell which multipart uploads have been begun and not ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


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
