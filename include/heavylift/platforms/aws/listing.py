"""Listing a bucket: ListObjectsV2 in pages, the next one fetched while this one is used."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import lru_cache, partial
from urllib.parse import unquote, unquote_plus

from heavylift.checksums import Algorithm, Checksums
from heavylift.platforms.aws.headers import iso_date_us
from heavylift.platforms.aws.list_answers import ListAnswer, open_answer
from heavylift.platforms.aws.wire import BucketWire, not_s3
from heavylift.platforms.aws.xml import ListedFields, ListPage, MalformedXmlError
from heavylift.platforms.listed_pages import ListedPage
from heavylift.platforms.ports import ListedColumns, ListedObject

PAGE = 1000
"""Keys of one answer: the most that S3 gives."""


class Listing:
    """Lists one bucket and remembers how its server encodes keys.

    Listings ask for ``encoding-type=url``, without which XML could not carry every key. AWS
    then writes a space as ``+`` and a plus as ``%2B``; some servers write ``%20`` and leave a
    plus as it is; some ignore the parameter and say so. Which it is, is found out, not guessed.

    :param is_aws: the bucket is on AWS itself, whose encoding is known.
    """

    def __init__(self, wire: BucketWire, *, is_aws: bool) -> None:
        self._wire = wire
        self._plus_is_space: bool | None = True if is_aws else None

    async def pages(self, prefix: str, start_after: str) -> AsyncIterator[list[ListedObject]]:
        """Yield the objects under ``prefix``, up to 1,000 a page."""
        async with aclosing(self._pages(prefix, start_after)) as pages:
            async for answer in pages:
                decode = await self._decoder(answer)
                page = self._read(answer)
                keys = _keys(page, decode)
                yield [_object(key, row) for key, row in zip(keys, page.rows, strict=True)]

    async def unread(self, prefix: str, start_after: str) -> AsyncIterator[ListedPage]:
        """Yield the objects under ``prefix`` by pages of up to 1,000 whose rows are read on demand."""
        async with aclosing(self._pages(prefix, start_after)) as pages:
            async for answer in pages:
                decode = await self._decoder(answer)
                yield ListedPage(
                    partial(self._by_column, answer, decode),
                    partial(_digest, answer.digest, decode) if answer.digest else None,
                    partial(self._last_key, answer, decode),
                )

    async def folders(self, prefix: str) -> list[str]:
        """Return the folders directly under ``prefix`` that the first page tells."""
        page = self._read(await self._fetch(prefix, "", "", delimiter="/"))
        if page.encoding != "url":
            return list(page.folders)
        decode = _form_decoded if self._plus_is_space else _path_decoded
        return list(map(decode, page.folders))

    def _read(self, answer: ListAnswer) -> ListPage:
        try:
            return answer.read()
        except MalformedXmlError as error:
            raise not_s3(f"listing of {self._wire.location}", error) from None

    def _last_key(self, answer: ListAnswer, decode: Callable[[str], str]) -> str:
        try:
            key = answer.last_key()
        except MalformedXmlError as error:
            raise not_s3(f"listing of {self._wire.location}", error) from None
        return decode(key) if answer.encoding == "url" else key

    def _by_column(self, answer: ListAnswer, decode: Callable[[str], str]) -> ListedColumns:
        page = self._read(answer)
        _, times, etags, sizes, classes = page.columns
        moments = {text: str(iso_date_us(text)) for text in set(times)}
        return ListedColumns(
            keys=_keys(page, decode),
            sizes=sizes if _all_digits(sizes) else [str(int(size or 0)) for size in sizes],
            versions=etags,
            modified=[moments[text] for text in times],
            checksums={Algorithm.ETAG: _shaped(etags)},
            storage_classes=classes,
        )

    async def _pages(self, prefix: str, start_after: str) -> AsyncGenerator[ListAnswer]:
        """Yield the pages that hold anything; the next is fetched while one is used."""
        following: asyncio.Task[ListAnswer] | None = None
        try:
            page = await self._fetch(prefix, start_after, "")
            while True:
                token = page.next_token if page.truncated else ""
                following = asyncio.create_task(self._fetch(prefix, start_after, token)) if token else None
                if not page.empty:
                    yield page
                if following is None:
                    return
                page = await following
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def probe(self) -> None:
        """Ask for one key, to see whether the bucket exists and may be listed."""
        await self._fetch("", "", "", max_keys=1)

    async def _fetch(
        self, prefix: str, start_after: str, token: str, *, max_keys: int = PAGE, delimiter: str = ""
    ) -> ListAnswer:
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(max_keys)}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"prefix": prefix} if prefix else {}
        if token:
            query["continuation-token"] = token
        elif start_after:
            query["start-after"] = start_after
        request = self._wire.request("GET", "listing of", None, None, b"", **query)
        response = await self._wire.send(request)
        try:
            page = open_answer(response.body)
        except MalformedXmlError as error:
            raise not_s3(request.what, error) from None
        if page.truncated and not page.next_token:
            raise not_s3(request.what, "a truncated listing without a continuation token")
        return page

    async def _decoder(self, answer: ListAnswer) -> Callable[[str], str]:
        """Return how this page's keys are written, as far as they are encoded at all."""
        if not answer.plus:
            return _path_decoded
        if self._plus_is_space is None:
            page = self._read(answer)
            listed = next((key for key in page.keys if "+" in key), None)
            if page.encoding != "url" or listed is None:
                return _path_decoded
            self._plus_is_space = await self._finds_space(listed)
        return _form_decoded if self._plus_is_space else _path_decoded

    async def _finds_space(self, listed: str) -> bool:
        """Return whether ``listed``, which holds a ``+``, stands for a key with a space.

        Lists the keys that begin with what it would then be. If there is none, it was a plus; else
        the key that comes back shows how this server writes a space. SeaweedFS writes ``%20`` in
        the folders of a key and ``+`` in its name, so the one does not rule out the other.
        """
        supposed = _form_decoded(listed)
        page = self._read(await self._fetch(supposed, "", "", max_keys=1))
        return bool(page.keys) and not _path_decoded(page.keys[0]).startswith(supposed)


def _digest(of_bytes: Callable[[], str], decode: Callable[[str], str]) -> str:
    # The same bytes under another decoding are other keys.
    return f"{of_bytes()}{'+' if decode is _form_decoded else ''}"


def _keys(page: ListPage, decode: Callable[[str], str]) -> list[str]:
    together = "".join(page.keys) if page.encoding == "url" else ""
    return list(map(decode, page.keys)) if "%" in together or "+" in together else page.keys


def _path_decoded(key: str) -> str:
    return _decoded(key, _path_part) if "%" in key else key


def _form_decoded(key: str) -> str:
    return _decoded(key, _form_part) if "%" in key or "+" in key else key


def _decoded(key: str, decode: Callable[[str], str]) -> str:
    # Keys of one page share their folders, such as ``dt%3D2026-11-22/``: those are decoded once.
    folder, slash, name = key.rpartition("/")
    return decode(folder) + slash + (decode(name) if "%" in name or "+" in name else name)


@lru_cache(maxsize=4096)
def _path_part(part: str) -> str:
    return unquote(part, errors="surrogateescape")


@lru_cache(maxsize=4096)
def _form_part(part: str) -> str:
    return unquote_plus(part, errors="surrogateescape")


def _object(key: str, row: ListedFields) -> ListedObject:
    _, modified, etag, size, storage_class = row
    # Only a HEAD tells whether the object is encrypted, when its ETag is no MD5.
    sums: Checksums = {Algorithm.ETAG: etag} if _MD5_SHAPE.fullmatch(etag) else _NO_CHECKSUMS
    return ListedObject(key, int(size or 0), etag, iso_date_us(modified), sums, storage_class)


def _all_digits(sizes: list[str]) -> bool:
    return all(sizes) and not "".join(sizes).encode().translate(None, _DIGITS)


def _shaped(etags: list[str]) -> Sequence[str | None]:
    """Return what may be an MD5 or one of parts; most pages hold nothing but MD5s."""
    if set(map(len, etags)) == {_MD5_LENGTH} and not "".join(etags).encode().translate(None, _HEX):
        return etags
    return [etag if _MD5_SHAPE.fullmatch(etag) else None for etag in etags]


_NO_CHECKSUMS: Checksums = {}
_DIGITS, _HEX = b"0123456789", b"0123456789abcdef"
_MD5_LENGTH = 32
_MD5_SHAPE = re.compile(r"[0-9a-f]{32}(?:-[0-9]+)?")
