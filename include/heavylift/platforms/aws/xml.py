"""Reading and writing the XML of S3's API, without any entity expansion.

Listings are the hot path: a regular expression for the order of elements that this server uses
takes in their rows, and a page that it does not wholly account for goes to the strict reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from xml.parsers import expat
from xml.sax.saxutils import escape

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class MalformedXmlError(ValueError):
    """The answer is no XML that this reader accepts."""


@dataclass(slots=True)
class Element:
    """One XML element: local name, text, children."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """Return the text of the first child called ``name``."""
        return next((child.text for child in self.children if child.name == name), default)

    def all(self, name: str) -> Iterator[Element]:
        """Yield the children called ``name``."""
        return (child for child in self.children if child.name == name)


class _Reader:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._top = Element("")
        self._open = [self._top]

    def read(self, body: bytes | bytearray) -> Element:
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError as error:
            raise MalformedXmlError(f"malformed XML: {error}") from None
        return self._top.children[0]

    def _start(self, name: str, _attributes: object) -> None:
        element = Element(name.rpartition(":")[2])
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _data(self, text: str) -> None:
        self._open[-1].text += text

    def _doctype(self, *_declared: object) -> None:
        # A document type is the only way to define entities; S3 has no use for one.
        raise MalformedXmlError("a document type declaration")


def parse(body: bytes | bytearray) -> Element:
    """Return the root element of ``body``.

    :raises MalformedXmlError: not well-formed, or with a document type declaration.
    """
    return _Reader().read(body)


_FIELDS = ("Key", "LastModified", "ETag", "Size", "StorageClass")
# What AWS and others put between the fields.
_OTHER = (
    r"(?:<ChecksumAlgorithm>[^<]*+</ChecksumAlgorithm>|<ChecksumType>[^<]*+</ChecksumType>"
    r"|<Owner/>|<Owner>(?:<\w++>[^<]*+</\w++>|<\w++/>)*+</Owner>)*+"
)
_FIRST = re.compile("<Contents>.*?</Contents>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}

ListedFields = tuple[str, str, str, str, str]
"""Key, LastModified, ETag, Size, StorageClass: raw text."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of ListObjectsV2, keys still in the encoding that the server used."""

    rows: list[ListedFields]
    next_token: str
    truncated: bool
    encoding: str
    prefix: str
    folders: tuple[str, ...] = ()


def parse_list(body: bytes | bytearray) -> ListPage:
    """Read one ListObjectsV2 answer.

    :raises MalformedXmlError: it is none.
    """
    text = body.decode("utf-8", "replace").replace("&quot;", '"').replace("&#34;", '"')
    first = _FIRST.search(text)
    if first is None or "<!" in text:
        return _parse_list_strictly(body)
    pattern, pick = _row_pattern(tuple(child.name for child in parse(first[0].encode()).children))
    rows = pattern.findall(text)
    if len(rows) != text.count("<Contents"):
        return _parse_list_strictly(body)
    together = text.count("</Contents><Contents>") == len(rows) - 1
    rest = parse((_around(text) if together else pattern.sub("", text)).encode())
    rows = rows if pick is None else list(map(pick, rows))
    if "&" in text:
        rows = [row if "&" not in "".join(row) else _unescaped(row) for row in rows]
    return _page(rest, rows)


def _around(text: str) -> str:
    return text[: text.index("<Contents>")] + text[text.rindex("</Contents>") + len("</Contents>") :]


@lru_cache(maxsize=16)
def _row_pattern(children: tuple[str, ...]) -> tuple[re.Pattern[str], Callable[..., ListedFields] | None]:
    """Return the expression for rows whose elements come in the order of ``children``.

    And what puts the fields in our order, unless they are. Other elements are expected where
    this row has them, after the ETag and at the end.
    """
    order = [name for name in dict.fromkeys(children) if name in _FIELDS]
    order += [name for name in _FIELDS if name not in order]
    followed = {"ETag", order[-1]} | {
        before for before, name in pairwise(("", *children)) if name not in _FIELDS and before in _FIELDS
    }
    rows = "".join(
        f"(?:<{name}>([^<]*+)</{name}>)?+" + (_OTHER if name in followed else "") for name in order
    )
    places = [order.index(name) for name in _FIELDS]
    pick = None if places == sorted(places) else itemgetter(*places)
    return re.compile(f"<Contents>{rows}</Contents>"), pick


def _parse_list_strictly(body: bytes | bytearray) -> ListPage:
    root = parse(body)
    rows = [
        (c.get("Key"), c.get("LastModified"), c.get("ETag"), c.get("Size"), c.get("StorageClass"))
        for c in root.all("Contents")
    ]
    return _page(root, rows)


def _page(root: Element, rows: list[ListedFields]) -> ListPage:
    if root.name != "ListBucketResult":
        raise MalformedXmlError(f"a <{root.name}> where a <ListBucketResult> belongs")
    return ListPage(
        rows=rows,
        next_token=root.get("NextContinuationToken"),
        truncated=root.get("IsTruncated") == "true",
        encoding=root.get("EncodingType"),
        prefix=root.get("Prefix"),
        folders=tuple(folder.get("Prefix") for folder in root.all("CommonPrefixes")),
    )


def _unescaped(row: ListedFields) -> ListedFields:
    key, modified, etag, size, storage_class = (_ENTITY.sub(_character, text) for text in row)
    return key, modified, etag, size, storage_class


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        if name not in _NAMED:
            raise MalformedXmlError(f"the undefined entity &{name};")
        return _NAMED[name]
    return chr(int(decimal) if decimal else int(hexadecimal, 16))


def completion(parts: Iterable[tuple[int, str, str]]) -> bytes:
    """Return CompleteMultipartUpload's body of ``(number, etag, base64 crc32c or "")``."""
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{escape(etag)}&quot;</ETag>"
        + (f"<ChecksumCRC32C>{crc}</ChecksumCRC32C>" if crc else "")
        + "</Part>"
        for number, etag, crc in parts
    )
    return f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{rows}</CompleteMultipartUpload>'.encode()


def read_tags(body: bytes | bytearray) -> Mapping[str, str]:
    """Return the tags of a GetObjectTagging answer."""
    sets = parse(body).all("TagSet")
    return {tag.get("Key"): tag.get("Value") for tag_set in sets for tag in tag_set.all("Tag")}
