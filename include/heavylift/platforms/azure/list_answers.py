"""Reading the answers of List Blobs, which are long: only what a listing needs is kept of them.

https://learn.microsoft.com/rest/api/storageservices/list-blobs tells their form. Names that XML cannot
hold come percent-encoded, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.parsers import expat

ListedBlob = dict[str, str]
"""``Name``, and by their names those of its properties that are in :data:`_PROPERTIES`."""

_PROPERTIES = frozenset(
    {"Last-Modified", "Etag", "Content-Length", "Content-MD5", "AccessTier", "ResourceType"}
)
_ROOT = ("EnumerationResults",)
_BLOB = (*_ROOT, "Blobs", "Blob")
_MARKER = (*_ROOT, "NextMarker")
_NAME = (*_BLOB, "Name")
_DEPTH_OF_PROPERTY = len(_BLOB) + 2


@dataclass
class ListPage:
    """One page of a listing.

    :param next_marker: where the next page begins; empty after the last one.
    """

    blobs: list[ListedBlob] = field(default_factory=list)
    next_marker: str = ""


def read_page(body: bytes | bytearray) -> ListPage:
    """Read one answer.

    :raises ValueError: it is no such answer, is malformed, or has a document type.
    """
    return _Reader().read(body)


class _Reader:
    def __init__(self) -> None:
        self._page = ListPage()
        self._path: list[str] = []
        self._blob: ListedBlob = {}
        self._text = ""
        self._encoded = False

    def read(self, body: bytes | bytearray) -> ListPage:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(body, True)
        except expat.ExpatError as error:
            raise ValueError(f"malformed XML: {error}") from None
        return self._page

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        path = self._path
        path.append(name)
        self._text = ""
        self._encoded = bool(attributes) and attributes.get("Encoded") == "true"
        if name == "Blob" and tuple(path) == _BLOB:
            self._blob = {}
        elif len(path) == 1 and name != _ROOT[0]:
            raise ValueError(f"a <{name}> where an <{_ROOT[0]}> belongs")

    def _data(self, text: str) -> None:
        self._text += text

    def _end(self, name: str) -> None:
        path = self._path
        if name in _PROPERTIES:
            if len(path) == _DEPTH_OF_PROPERTY and path[-2] == "Properties":
                self._blob[name] = self._text
        elif name == "Name":
            if tuple(path) == _NAME:
                text = self._text
                self._blob["Name"] = unquote(text, errors="strict") if self._encoded else text
        elif name == "Blob":
            if tuple(path) == _BLOB:
                self._page.blobs.append(self._blob)
        elif name == "NextMarker" and tuple(path) == _MARKER:
            self._page.next_marker = self._text
        path.pop()
        self._text = ""

    def _doctype(self, *_declared: object) -> None:
        # A document type is the only way to define entities; Blob Storage has no use for one.
        raise ValueError("a document type is not allowed")
