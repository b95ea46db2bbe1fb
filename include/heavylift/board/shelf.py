"""The specs of a directory, read again only where a file has changed: a thousand cost a listing."""

from __future__ import annotations

import threading
from pathlib import Path

from heavylift.spec import LoadedSpec, SpecFileError, SpecSet, load_specs
from heavylift.spec.load import load_files, specs_in

_Stamp = tuple[int, int]


class SpecShelf:
    """Reads specs and keeps them; safe to be asked by several threads."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[_Stamp, LoadedSpec | SpecFileError]] = {}
        self._lock = threading.Lock()

    def specs(self, directory: Path) -> SpecSet:
        """Return all specs of ``directory``; of two with one name the first counts, as for the DAGs."""
        with self._lock:
            try:
                files = specs_in([directory])
            except OSError:
                return load_specs(directory)
            self._kept = {file: self._read(file) for file in files}
            valid: dict[str, LoadedSpec] = {}
            broken = []
            for _, found in self._kept.values():
                if isinstance(found, SpecFileError):
                    broken.append(found)
                else:
                    valid.setdefault(found.spec.migration, found)
            return SpecSet(tuple(valid.values()), tuple(broken))

    def _read(self, file: Path) -> tuple[_Stamp, LoadedSpec | SpecFileError]:
        try:
            seen = file.stat()
            stamp = (seen.st_mtime_ns, seen.st_size)
        except OSError:
            stamp = (0, 0)
        kept = self._kept.get(file)
        if kept is not None and kept[0] == stamp:
            return kept
        found = load_files([file])
        return stamp, found.valid[0] if found.valid else found.broken[0]
