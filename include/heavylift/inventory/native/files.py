"""What a file system holds: the folders at its top, with numbers and bytes, counted within bounds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.native.fields import LINKS, link
from heavylift.inventory.native.plane import NativePlane, Question
from heavylift.inventory.rows import Extra, Row
from heavylift.platforms.control import Account, Answer, Limits, denied

MOST = 2_000_000
"""Entries that are counted below one folder; beyond, the sums are told to be at least."""
_PERMISSION = "read and search permission on the folder and all below it"

ROWS = (
    Row(
        "files", "Files::FileSystem", Kind.VOLUME, "root", "rows", "file://{account}", "name", is_global=True,
        size_bytes="used_bytes",
    ),
    Row(
        "files", "Files::Folder", Kind.DATASET, "folders", "rows", "file://{account}/{name}", "name",
        is_global=True,
        last_used="sums.newest", size_bytes="sums.bytes", objects="sums.files", owner="owner",
        extras=(Extra("count", {"name": "name"}, "sums", "sums"),),
    ),
)  # fmt: skip
"""Every type of a file system that is read: files that lie at the top itself count as the folder ``.``."""


class FilesPlane(NativePlane):
    """Reads one folder of this machine, as a connection of type ``fs`` or ``file`` names it.

    :param most: entries that are counted below one folder.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        *,
        most: int = MOST,
    ) -> None:
        path = connection.text("path") or connection.host or ""
        self._root = Path(path)
        if connection.conn_type not in ("fs", "file") or not path.startswith("/") or not self._root.is_dir():
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for a file system",
                got=f"the type {connection.conn_type!r} and the path {path!r}",
                expected="the type fs (or file), and the absolute path of a folder in the extra field path",
                state="nothing was touched",
                remedy=f"complete the connection {connection.conn_id!r}",
                code="7682",
            )
        self._root, self._most = self._root.resolve(), most
        questions = {
            "root": Question(self._about, _PERMISSION),
            "folders": Question(self._folders, _PERMISSION),
            "count": Question(self._count, _PERMISSION),
        }
        super().__init__(limits, Account(str(self._root), "files"), questions)

    def _about(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        found = os.statvfs(self._root)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        row = {"name": str(self._root), "used_bytes": used, "size_bytes": found.f_blocks * found.f_frsize}
        yield {"rows": [row]}

    def _folders(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        links = [link("root", f"file://{self._root}", "belongs_to")]
        rows = []
        try:
            with os.scandir(self._root) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        owner = str(entry.stat(follow_symlinks=False).st_uid)
                        rows.append({"name": entry.name, "owner": owner, LINKS: links})
                    elif not any(row["name"] == "." for row in rows):
                        rows.append({"name": ".", "owner": "", LINKS: links})
        except PermissionError as error:
            raise denied(f"listing {self._root}", str(error), _PERMISSION) from error
        yield {"rows": sorted(rows, key=lambda row: str(row["name"]))}

    def _count(self, _region: str, arguments: Answer) -> Iterator[Answer]:
        name = str(arguments["name"])
        try:
            yield {"sums": self._sums(self._root / name, deep=name != ".")}
        except PermissionError as error:
            raise denied(f"counting {self._root / name}", str(error), _PERMISSION) from error

    def _sums(self, start: Path, *, deep: bool) -> dict[str, Any]:
        """Add up what lies below ``start``; links are counted and not followed."""
        files = size = links = others = 0
        newest = 0.0
        entries = _below(start, deep=deep)
        for about in islice(entries, self._most):
            if stat.S_ISREG(about.st_mode):
                files, size, newest = files + 1, size + about.st_size, max(newest, about.st_mtime)
            elif not stat.S_ISDIR(about.st_mode):
                links, others = links + stat.S_ISLNK(about.st_mode), others + 1
        told = datetime.fromtimestamp(newest, UTC).isoformat() if files else ""
        # What was not counted to its end has no size: one that is too small would be planned with.
        told_as = "" if next(entries, None) is None else "_at_least"
        sums = {f"files{told_as}": files, f"bytes{told_as}": size}
        return {**sums, "newest": told, "links": links, "not_files": others}


def _below(start: Path, *, deep: bool) -> Iterator[os.stat_result]:
    """Yield all that lies in a folder, and below it; what vanishes meanwhile was no part of it."""
    waiting = [str(start)]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    if deep and stat.S_ISDIR(about.st_mode):
                        waiting.append(entry.path)
                    yield about
