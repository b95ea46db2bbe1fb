"""Reading the XML of Blob Storage's answers, without any entity expansion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.parsers import expat


@dataclass(slots=True)
class Element:
    """One XML element: name, text, children; ``encoded`` where its text is percent-encoded."""

    name: str
    encoded: bool = False
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the text of the first child called ``name``, or an empty one."""
        return next((child.value for child in self.children if child.name == name), "")

    @property
    def value(self) -> str:
        """The text, decoded: names that XML cannot hold come percent-encoded."""
        return unquote(self.text, errors="strict") if self.encoded else self.text

    def iter(self, name: str) -> Iterator[Element]:
        """Yield all elements called ``name`` below this one."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.iter(name)


class _Reader:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.top = Element("")
        self._open = [self.top]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = Element(name, encoded=attributes.get("Encoded") == "true")
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _data(self, text: str) -> None:
        self._open[-1].text += text

    def _doctype(self, *_: object) -> None:
        raise ValueError("a document type is not allowed")


def parse(body: bytes | bytearray) -> Element:
    """Return the document's root element.

    :raises ValueError: malformed, or with a document type.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(f"malformed XML: {error}") from None
    return reader.top.children[0]
