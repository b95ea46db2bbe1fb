"""Answers to ListObjectsV2 whose rows are read when somebody asks for them.

What stands around the rows (where the next page begins) is read at once. The rows are pinned by a
digest of their bytes, which costs a hundredth of reading them; request ids, tokens and whatever
else a server may say anew each time is not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from heavylift.platforms.aws.xml import Element, ListPage, MalformedXmlError, parse, parse_list

_OPEN, _CLOSE, _ROOT = b"<Contents>", b"</Contents>", b"<ListBucketResult"
_ABOUT_THE_PAGE = (b"NextContinuationToken", b"IsTruncated", b"EncodingType", b"!")
"""Without brackets, as these are found faster; a key with one of them costs some time, no more."""


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """One page of ListObjectsV2.

    :param empty: it has no rows.
    :param digest: tells the digest of the rows as they were sent, with all that tells how to read
        them; None where the page is like no other's, and was read at once.
    :param plus: a ``+`` is in the rows.
    :param last_key: reads the last row's key, as it was sent; as ``read``.
    :param read: reads the rows. Raises MalformedXmlError where they cannot be.
    """

    next_token: str
    truncated: bool
    encoding: str
    empty: bool
    digest: Callable[[], str] | None
    plus: bool
    last_key: Callable[[], str]
    read: Callable[[], ListPage]


def open_answer(body: bytes | bytearray) -> ListAnswer:
    """Read what stands around the rows of an answer.

    :raises MalformedXmlError: it is no such answer.
    """
    begin, end = body.find(_OPEN), body.rfind(_CLOSE) + len(_CLOSE)
    root = _around(body, begin, end)
    if root is None:
        page = parse_list(body)
        plus = any("+" in key for key in page.keys)
        return ListAnswer(
            page.next_token,
            page.truncated,
            page.encoding,
            empty=not page.columns,
            digest=None,
            plus=plus,
            last_key=lambda: page.keys[-1],
            read=lambda: page,
        )
    token, encoding = root.get("NextContinuationToken"), root.get("EncodingType")
    rows = memoryview(body)[begin:end]

    def digest() -> str:
        sha256 = hashlib.sha256(body[: body.find(_ROOT)] + f"\0{encoding}\0".encode())
        sha256.update(rows)
        return sha256.hexdigest()

    truncated = root.get("IsTruncated") == "true"
    plus = body.find(b"+", begin, end) >= 0
    last_row = bytes(body[body.rfind(_OPEN) : end])
    return ListAnswer(
        token,
        truncated,
        encoding,
        empty=False,
        digest=digest,
        plus=plus,
        last_key=lambda: parse(last_row).get("Key"),
        read=cache(partial(parse_list, body, root)),
    )


def _around(body: bytes | bytearray, begin: int, end: int) -> Element | None:
    """Return the answer without its rows; None where it does not tell all by itself."""
    if begin < 0 or end < begin:
        return None
    around = b"%s<Contents/>%s" % (body[:begin], body[end:])
    # A comment or a declaration may reach into the rows.
    if b"<!" in around:
        return None
    try:
        root = parse(around)
    except MalformedXmlError:
        return None
    names = [child.name for child in root.children]
    if root.name != "ListBucketResult" or names.count("Contents") != 1 or "IsTruncated" not in names:
        return None
    # Said among the rows, these would not be seen here; and a comment may begin there.
    return None if any(body.find(tag, begin, end) >= 0 for tag in _ABOUT_THE_PAGE) else root
