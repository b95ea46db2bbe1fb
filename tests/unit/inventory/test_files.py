"""A file system is counted while others work on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heavylift.connections import connection_from_fields
from heavylift.inventory.native import files

REAL = os.scandir


def test_what_vanishes_while_it_is_counted_was_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "gone folder").mkdir(parents=True)
    for name in ("gone", "kept"):
        (tmp_path / "data" / name).write_bytes(b"x" * 5)

    @contextmanager
    def scandir(path: str) -> Iterator[list[os.DirEntry[str]]]:
        with REAL(path) as found:
            entries = list(found)
        (tmp_path / "data" / "gone").unlink(missing_ok=True)
        yield entries
        # Known by now, and not yet looked into.
        if (tmp_path / "data" / "gone folder").exists():
            (tmp_path / "data" / "gone folder").rmdir()

    monkeypatch.setattr(files.os, "scandir", scandir)
    plane = files.FilesPlane(
        connection_from_fields("f", {"conn_type": "fs", "extra": {"path": str(tmp_path)}})
    )
    sums = plane.call("files", "count", "server", {"name": "data"})["sums"]
    assert (sums["files"], sums["bytes"]) == (1, 5)
