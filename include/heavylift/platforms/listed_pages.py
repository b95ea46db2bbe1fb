"""Pages of a listing whose rows are read when somebody asks for them.

Most pages of a listing are those of the last one. Who remembers the digests of pages need not read
the rows of such a page at all.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from typing import Protocol, runtime_checkable

from heavylift.platforms.ports import ListedColumns


class ListedPage:
    """One page: a digest that pins its rows, and the rows.

    :param read: reads the rows, once.
    :param digest: tells what is equal only for pages whose rows are equal in all that listings tell;
        None: it is computed from the rows.
    :param last_key: tells the last row's key for less than reading all of them.
    """

    __slots__ = ("_columns", "_digest", "_last_key", "_read", "_tell_digest")

    def __init__(
        self,
        read: Callable[[], ListedColumns],
        digest: Callable[[], str] | None = None,
        last_key: Callable[[], str] | None = None,
    ) -> None:
        self._read = read
        self._tell_digest = digest
        self._digest: str | None = None
        self._last_key = last_key
        self._columns: ListedColumns | None = None

    @property
    def columns(self) -> ListedColumns:
        """The rows, by column."""
        if self._columns is None:
            self._columns = self._read()
        return self._columns

    @property
    def digest(self) -> str:
        """What is the same only where the rows are."""
        if self._digest is None:
            self._digest = self._tell_digest() if self._tell_digest else _digest_of(self.columns)
        return self._digest

    def until(self, end: str) -> tuple[ListedPage | None, bool]:
        """Return what of the page comes up to ``end``, None where nothing, and whether it is all."""
        last = self._last_key() if self._last_key else self.columns.keys[-1]
        if last <= end:
            return self, True
        keys = self.columns.keys
        count = bisect_right(keys, end)
        return (page_of(self.columns.only([True] * count)) if count else None), False


def page_of(columns: ListedColumns) -> ListedPage:
    """Return a page whose rows have been read already."""
    return ListedPage(lambda: columns)


@runtime_checkable
class ListsPages(Protocol):
    """A store whose pages have digests that cost less than reading them."""

    def list_unread(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[ListedPage]:
        """Yield the objects under ``prefix``, a page at a time; none of them is empty."""
        ...


def _digest_of(columns: ListedColumns) -> str:
    digest = hashlib.sha256()
    sums = [part for name, values in sorted(columns.checksums.items()) for part in ([name], values)]
    for values in (
        columns.keys,
        columns.sizes,
        columns.versions,
        columns.modified,
        columns.storage_classes or (),
        *sums,
    ):
        # Lengths before the texts: no two columns look alike, whatever is in a key.
        lengths = ",".join(["-" if value is None else str(len(value)) for value in values])
        together = "".join([value or "" for value in values])
        digest.update(f"{lengths};{together};".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
