"""Walking a folder tree in the byte order of whole keys, with bounded memory."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from heavylift.errors import PreconditionError
from heavylift.platforms.local.faults import GONE, read_faults
from heavylift.platforms.local.folders import open_folder
from heavylift.platforms.local.names import UNDECODABLE, is_own_name
from heavylift.platforms.ports import ListedObject

PAGE = 1000
BATCH = 65_536
"""Entries of one folder held at a time; a larger folder is scanned once for each batch."""

_OTHER_KINDS = {
    stat.S_IFLNK: "symbolic link: not followed",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}


def version_of(found: os.stat_result) -> str:
    """Return what pins a file's content: inode, modification time and size."""
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


def listed_object(key: str, found: os.stat_result) -> ListedObject:
    """Return the listing's row of a file."""
    return ListedObject(key, found.st_size, version_of(found), found.st_mtime_ns // 1000)


@dataclass(slots=True)
class Walk:
    """One listing.

    :param unlisted: is filled with what was met and is no object: path, as text, → reason.
    """

    root: str
    prefix: str
    start_after: str
    unlisted: dict[str, str]
    batch: int = BATCH
    _prefix: bytes = field(init=False)
    _after: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._prefix = os.fsencode(self.prefix)
        self._after = os.fsencode(self.start_after)

    def pages(self) -> Iterator[list[ListedObject]]:
        """Yield the objects in pages, keys in byte order.

        :raises NotFoundError: the root folder does not exist.
        :raises CredentialError: a folder may not be read.
        """
        objects = self._objects()
        while page := list(islice(objects, PAGE)):
            yield page

    def _objects(self) -> Iterator[ListedObject]:
        root = self._root_identity()
        base = self.prefix.rpartition("/")[0]
        # A stack and not recursion: trees may be deeper than Python's calls.
        stack = [self._entries(os.fsencode(base + "/") if base else b"")] if _possible(base) else []
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif isinstance(entry, bytes):
                stack.append(self._entries(entry))
            else:
                yield entry
        if self._root_identity() != root:
            raise self._root_replaced()

    def _root_identity(self) -> tuple[int, int]:
        with read_faults(f"list of {self.root}"), open_folder(self.root, []) as root:
            found = os.fstat(root)
            return found.st_dev, found.st_ino

    def _root_replaced(self) -> PreconditionError:
        return PreconditionError(
            f"list of {self.root}",
            got="another folder at the end of the listing than at its beginning",
            expected="the same folder: a file system was mounted, unmounted or moved meanwhile",
            state="the listing is incomplete and must not be used",
            remedy="mount the file system, then run again",
            code="3210",
        )

    def _entries(self, folder: bytes) -> Iterator[ListedObject | bytes]:
        """Yield a folder's files as objects and its folders as keys ending in ``/``, in order."""
        last = b""
        while True:
            chosen, rows = self._batch(folder, last)
            yield from rows
            if len(chosen) < self.batch:
                return
            last = chosen[-1]

    def _batch(self, folder: bytes, last: bytes) -> tuple[list[bytes], list[ListedObject | bytes]]:
        names = os.fsdecode(folder).split("/")[:-1]
        with read_faults(f"list of {self.root}/{os.fsdecode(folder)}"):
            try:
                with open_folder(self.root, names) as opened, os.scandir(opened) as entries:
                    keys = (_key(folder, entry) for entry in entries if not is_own_name(entry.name))
                    chosen = heapq.nsmallest(self.batch, (k for k in keys if k > last and self._wanted(k)))
                    return chosen, [row for key in chosen if (row := self._row(opened, folder, key))]
            except OSError as error:
                if error.errno not in GONE:
                    raise
                # Deleted or replaced since its parent was read: as if it had been so before.
                return [], []

    def _wanted(self, key: bytes) -> bool:
        if key.endswith(b"/"):
            passed = key <= self._after and not self._after.startswith(key)
            return not passed and (key.startswith(self._prefix) or self._prefix.startswith(key))
        return key > self._after and key.startswith(self._prefix)

    def _row(self, opened: int, folder: bytes, key: bytes) -> ListedObject | bytes | None:
        if key.endswith(b"/"):
            return key
        try:
            found = os.stat(key[len(folder) :], dir_fd=opened, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            kind = _OTHER_KINDS.get(stat.S_IFMT(found.st_mode), "no regular file any more")
        elif text := _text_of(key):
            return listed_object(text, found)
        else:
            kind = f"{UNDECODABLE}; bytes are shown as \\x.."
        self.unlisted[key.decode(errors="backslashreplace")] = kind
        return None


def _text_of(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return ""


def _key(folder: bytes, entry: os.DirEntry[str]) -> bytes:
    return folder + os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b"")


def _possible(base: str) -> bool:
    return not base or not {"", ".", ".."} & set(base.split("/"))
