"""Reading and writing the XML of S3's API, without any entity expansion.

Listings are the hot path: a regular expression for the order of elements that this server uses
takes in their rows, and a page that it does not wholly account for goes to the strict reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from xml.parsers import expat
from xml.sax.saxutils import escape

from heavylift.platforms.aws.headers import unquoted

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
        finally:
            # Parser and reader hold each other, and would wait for the collector.
            del self._parser
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
_OPEN, _CLOSE = "<Contents>", "</Contents>"
_QUOTE = re.compile(r"<ETag>(&quot;|&#34;|\")?")

ListedFields = tuple[str, str, str, str, str]
"""Key, LastModified, ETag without quotes, Size, StorageClass: as text."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of ListObjectsV2, keys still in the encoding that the server used.

    :param columns: one for each of :data:`ListedFields`, all as long; none where nothing is listed.
    """

    columns: list[list[str]]
    next_token: str
    truncated: bool
    encoding: str
    prefix: str
    folders: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The first column."""
        return self.columns[0] if self.columns else []

    @property
    def rows(self) -> list[ListedFields]:
        """The objects, one by one."""
        return list(zip(*self.columns, strict=True))


def parse_list(body: bytes | bytearray, around: Element | None = None) -> ListPage:
    """Read one ListObjectsV2 answer.

    :param around: the answer without its rows, where that has been read already.
    :raises MalformedXmlError: it is none.
    """
    try:
        page = _parse_list_quickly(body.decode(), around)
    except (UnicodeDecodeError, MalformedXmlError):
        page = None
    return page or _parse_list_strictly(body)


def _parse_list_quickly(text: str, root: Element | None) -> ListPage | None:
    """Read a page whose rows are all like its first, and lie together; None where they are not."""
    begin, end = text.find(_OPEN), text.rfind(_CLOSE) + len(_CLOSE)
    if root is None:
        around = f"{text[:begin]}<Contents/>{text[end:]}"
        root = None if begin < 0 or end < begin or "<!" in around else parse(around.encode())
    if root is None or sum(child.name == "Contents" for child in root.children) != 1:
        return None
    first = text[begin : text.index(_CLOSE, begin) + len(_CLOSE)]
    quote = (_QUOTE.search(first) or ("", ""))[1] or ""
    pattern, order = _row_pattern(tuple(child.name for child in parse(first.encode()).children), quote)
    # The fields, and before, between and behind the rows what is no such row: nothing. References
    # other than the quotes are left to the strict reader.
    pieces = pattern.split(text[begin:end])
    width = len(order) + 1
    if any(pieces[::width]) or "&" in "".join(pieces):
        return None
    nothing = [""] * (len(pieces) // width)
    columns = [pieces[order.index(name) + 1 :: width] if name in order else nothing for name in _FIELDS]
    if not quote:
        columns[2] = list(map(unquoted, columns[2]))
    return _page(root, columns)


@lru_cache(maxsize=16)
def _row_pattern(children: tuple[str, ...], quote: str) -> tuple[re.Pattern[str], list[str]]:
    """Return the expression for rows with the fields that ``children`` has, and their order.

    Other elements are let pass where this row has them, after the ETag and at the end.
    """
    order = [name for name in dict.fromkeys(children) if name in _FIELDS]
    followed = {"ETag", *order[-1:]} | {
        before for before, name in pairwise(("", *children)) if name not in _FIELDS and before in _FIELDS
    }
    quoted = rf'{quote}([^<&"]*+){quote}'
    rows = "".join(
        f"<{name}>{quoted if quote and name == 'ETag' else '([^<]*+)'}</{name}>"
        + (_OTHER if name in followed else "")
        for name in order
    )
    return re.compile(f"{_OPEN}{rows}{_CLOSE}"), order


def _parse_list_strictly(body: bytes | bytearray) -> ListPage:
    root = parse(body)
    rows = [
        (c.get("Key"), c.get("LastModified"), unquoted(c.get("ETag")), c.get("Size"), c.get("StorageClass"))
        for c in root.all("Contents")
    ]
    return _page(root, [list(column) for column in zip(*rows, strict=True)])


def _page(root: Element, columns: list[list[str]]) -> ListPage:
    if root.name != "ListBucketResult":
        raise MalformedXmlError(f"a <{root.name}> where a <ListBucketResult> belongs")
    return ListPage(
        columns=columns,
        next_token=root.get("NextContinuationToken"),
        truncated=root.get("IsTruncated") == "true",
        encoding=root.get("EncodingType"),
        prefix=root.get("Prefix"),
        folders=tuple(folder.get("Prefix") for folder in root.all("CommonPrefixes")),
    )


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
