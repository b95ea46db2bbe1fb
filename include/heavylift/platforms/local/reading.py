"""Opening one regular file below a root, pinned to the version that was listed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace

from heavylift.errors import IntegrityError, NotFoundError, PreconditionError
from heavylift.platforms.local import xattrs
from heavylift.platforms.local.faults import read_faults
from heavylift.platforms.local.file_facts import facts_of
from heavylift.platforms.local.folders import open_folder
from heavylift.platforms.local.listing import listed_object, version_of
from heavylift.platforms.local.names import segments_to_read
from heavylift.platforms.ports import ObjectHead

CHUNK = 1024 * 1024


@dataclass(slots=True)
class OpenFile:
    """A file being read.

    :param position: next byte to read.
    :param end: first byte not to read.
    """

    file: int
    head: ObjectHead
    position: int
    end: int
    what: str

    def read(self) -> bytes:
        """Return the next chunk, empty at the end.

        :raises PreconditionError: the file was written to meanwhile.
        """
        with read_faults(self.what):
            data = os.pread(self.file, min(CHUNK, self.end - self.position), self.position)
            self.position += len(data)
            if not data or self.position == self.end:
                self._check_unchanged()
        return data

    def _check_unchanged(self) -> None:
        check_version(version_of(os.fstat(self.file)), self.head.object.version, self.what)

    def close(self) -> None:
        """Close the file."""
        os.close(self.file)


def check_version(got: str, expected: str | None, what: str) -> None:
    """Make sure that the file is the version which was listed.

    :raises PreconditionError: it is not.
    """
    if expected is not None and got != expected:
        raise PreconditionError(
            what,
            got=f"version {got}",
            expected=f"version {expected}",
            state="nothing was changed",
            remedy="run again: the new version is then found and moved",
            code="3211",
        )


def open_file(
    root: str,
    key: str,
    what: str,
    *,
    version: str | None,
    offset: int,
    length: int | None,
    carried: frozenset[str] = frozenset(),
) -> OpenFile:
    """Open a regular file for reading, without following any link.

    :param carried: entries of metadata that shall tell what the file is besides its bytes.
    :raises NotFoundError: nothing there, or no regular file.
    :raises PreconditionError: not ``version`` any more, or shorter than ``offset``.
    """
    *folders, name = segments_to_read(key, what)
    with read_faults(what), open_folder(root, folders) as folder:
        # Looked at first, for to open a device can set it in motion; opened without waiting, for
        # a pipe may have come in between.
        _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), what)
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        head = _head(file, key, what, carried)
        check_version(head.object.version, version, what)
        size = head.object.size_bytes
        end = size if length is None else min(size, offset + length)
        return OpenFile(file, head, offset, max(offset, end), what)
    except BaseException:
        os.close(file)
        raise


def read_head(root: str, key: str, what: str, carried: frozenset[str] = frozenset()) -> ObjectHead:
    """Return a file's head.

    :param carried: as of ``open_file``.
    :raises NotFoundError: nothing there, or no regular file.
    """
    opened = open_file(root, key, what, version=None, offset=0, length=0, carried=carried)
    opened.close()
    return opened.head


def _head(file: int, key: str, what: str, carried: frozenset[str]) -> ObjectHead:
    with read_faults(what):
        found = os.fstat(file)
        _check_regular(found, what)
        try:
            attributes = xattrs.read(file)
        except ValueError as error:
            raise IntegrityError(
                what,
                got=f"a damaged extended attribute {xattrs.XATTR}",
                expected="the JSON that Heavylift wrote",
                state="nothing was changed",
                remedy=f"mend or remove it: setfattr -x {xattrs.XATTR} FILE",
                code="3214",
            ) from error
    if carried:
        told = facts_of(found).entries(carried)
        attributes = replace(attributes, metadata={**attributes.metadata, **told})
    return ObjectHead(listed_object(key, found), attributes, tag_count=len(attributes.tags))


def _check_regular(found: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotFoundError(
            what,
            got="something that is no regular file",
            expected="a regular file",
            state="nothing was changed",
            remedy="move links, pipes and devices by other means",
            code="3213",
        )
