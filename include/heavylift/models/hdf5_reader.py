"""Reads a file of HDF5 in a process of its own, and tells what is in it beside plain numbers.

Started as a file by :mod:`heavylift.models.hdf5`, behind the launcher: the library of HDF5 is C, and the file
is anybody's. It knows nothing of Heavylift. What it tells is a list of problems, and all texts.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import h5py
import numpy

_MOST_OBJECTS = 200_000
_MOST_TEXT = 64 * 2**20
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
"""Filters that the library brings along; all others are plugins, which are machine code from a folder."""
_RATIO, _FREE = 2000, 64 * 2**20
"""Numbers pack at most so well; smaller arrays may be as empty as they like."""
_WIDEST_OPAQUE = 2
"""Bytes of a number that HDF5 has no type for: bfloat16 is kept so."""
_PYTABLES = frozenset({"PYTABLES_FORMAT_VERSION", "pandas_type", "encoding_type"})
_TABLES_CLASSES = frozenset(
    {"GROUP", "ARRAY", "CARRAY", "EARRAY", "VLARRAY", "TABLE", "UNIMPLEMENTED", "ROOT"}
)


class Reader:
    """Walks through a file once."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        self.texts: list[tuple[str, str, str]] = []
        self.length = 0

    def read(self, path: str) -> dict[str, Any]:
        """Return ``problems`` (rule and detail) and ``texts`` (place, name and text) of a file."""
        with h5py.File(path, "r", locking=False) as file:
            self._walk(file.id)
        return {"problems": list(dict.fromkeys(self.problems)), "texts": self.texts}

    def _add(self, detail: str, rule: str = "unscanned-file") -> None:
        self.problems.append((rule, detail))

    def _walk(self, root: Any) -> None:
        waiting: list[tuple[str, Any]] = [("/", h5py.h5g.open(root, b"/"))]
        seen: set[Any] = set()
        while waiting:
            place, found = waiting.pop()
            where = h5py.h5o.get_info(found)
            if (where.fileno, where.addr) in seen:
                continue
            seen.add((where.fileno, where.addr))
            if len(seen) > _MOST_OBJECTS:
                self._add(f"it has more than {_MOST_OBJECTS} objects")
                return
            if isinstance(found, h5py.h5g.GroupID):
                waiting += self._links(place, found)
            elif isinstance(found, h5py.h5d.DatasetID):
                self._dataset(place, found)
            else:
                self._add(f"{place[:200]!r} is neither a group nor an array")
                continue
            self._attributes(place, found)

    def _links(self, place: str, group: Any) -> list[tuple[str, Any]]:
        """Return what lies in a group; links that lead elsewhere are told, and never followed."""
        held = []
        for name in group:
            below = f"{place.rstrip('/')}/{_word(name)}"
            kind = group.links.get_info(name).type
            if kind == h5py.h5l.TYPE_HARD:
                held.append((below, h5py.h5o.open(group, name)))
            elif kind == h5py.h5l.TYPE_EXTERNAL:
                self._add(f"{below[:200]!r} is a link into another file", "path-outside")
            else:
                self._add(f"{below[:200]!r} is no plain link")
        return held

    def _dataset(self, place: str, found: Any) -> None:
        shown, plan = place[:200], found.get_create_plist()
        layout = plan.get_layout()
        if layout == h5py.h5d.VIRTUAL:
            self._add(f"{shown!r} takes its numbers from other files", "path-outside")
            return
        if plan.get_external_count():
            self._add(f"{shown!r} keeps its numbers in another file", "path-outside")
            return
        for number in range(plan.get_nfilters()):
            code = plan.get_filter(number)[0]
            if code not in _FILTERS:
                self._add(f"{shown!r} needs the plugin of filter {code}")
                return
        logical = found.get_type().get_size() * int(numpy.prod(found.shape or (0,), dtype=object))
        if logical > _FREE + _RATIO * found.get_storage_size():
            self._add(f"{shown!r} would become {logical} bytes of {found.get_storage_size()}")
            return
        kind = found.get_type()
        if not self._is_plain(kind):
            self._add(f"{shown!r} holds values of a kind that is not known ({type(kind).__name__})")
        elif isinstance(kind, h5py.h5t.TypeStringID) and found.shape is not None:
            if logical > _MOST_TEXT:
                self._add(f"{shown!r} has too much text")
                return
            self._take(place, "", h5py.Dataset(found)[()])

    def _attributes(self, place: str, found: Any) -> None:
        kept = h5py.Dataset(found) if isinstance(found, h5py.h5d.DatasetID) else h5py.Group(found)
        for number in range(h5py.h5a.get_num_attrs(found)):
            attribute = h5py.h5a.open(found, index=number)
            name, kind = _word(attribute.name), attribute.get_type()
            shown = f"{place[:200]}@{name[:100]}"
            if not self._is_plain(kind):
                self._add(f"{shown!r} holds values of a kind that is not known ({type(kind).__name__})")
                continue
            if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL:
                continue
            if isinstance(kind, h5py.h5t.TypeStringID):
                value = kept.attrs[name]
                self._take(place, name, value)
                self._note_pickles(shown, name, value)

    def _note_pickles(self, shown: str, name: str, value: Any) -> None:
        """Note the marks of a library that keeps Python's objects in attributes, and unpickles them."""
        of_tables = name == "CLASS" and _text(value) in _TABLES_CLASSES
        if name in _PYTABLES or of_tables:
            self._add(f"{shown!r}: it is PyTables' (pandas' to_hdf), whose reader unpickles attributes")

    def _take(self, place: str, name: str, value: Any) -> None:
        for each in numpy.ravel(numpy.asarray(value, dtype=object)):
            text = _text(each)
            self.length += len(text)
            if self.length > _MOST_TEXT:
                self._add("it has too much text")
                return
            self.texts.append((place, name, text))

    def _is_plain(self, kind: Any) -> bool:
        """Tell whether values of a kind are numbers or texts, and nothing that points elsewhere."""
        if isinstance(kind, h5py.h5t.TypeOpaqueID):
            return bool(kind.get_size() <= _WIDEST_OPAQUE)
        if isinstance(kind, h5py.h5t.TypeEnumID):
            return True
        if isinstance(kind, h5py.h5t.TypeCompoundID):
            numbers = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)
            return all(isinstance(kind.get_member_type(each), numbers) for each in range(kind.get_nmembers()))
        if isinstance(kind, h5py.h5t.TypeArrayID):
            return self._is_plain(kind.get_super())
        return isinstance(kind, (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeStringID))


def _word(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def main(path: str, answer: str) -> None:
    """Read the file ``path`` and write what was found to the file ``answer``."""
    found = Reader().read(path)
    with open(answer, "w", encoding="ascii") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
