"""Uploads in parts: a hidden folder beside the target, from which the file is published whole.

``.heavylift-<token>.upload/`` holds ``whole``, the file as it grows; for each finished part an
entry ``<number>-<size>-<crc32c>-<offset>``, written after the part's bytes are durable. A part
whose place in ``whole`` is not known yet (its size differs from part 1's, or part 1 is not
there) keeps its bytes in its own entry (offset ``x``) and is put in place on completion. A killed
writer thus loses only the part it was writing.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from heavylift.checksums import Body
from heavylift.errors import IntegrityError
from heavylift.platforms.local.publishing import instead_of_empty_folder, open_to_write, rename
from heavylift.platforms.ports import PartReceipt

WHOLE = "whole"
_ENTRY = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8})-(\d+|x)")
_COPY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished part. ``offset`` is None while its bytes lie in its own entry."""

    number: int
    size_bytes: int
    crc32c: str
    offset: int | None

    @property
    def name(self) -> str:
        """The entry's file name in the upload's folder."""
        place = "x" if self.offset is None else str(self.offset)
        return f"{self.number}-{self.size_bytes}-{self.crc32c}-{place}"

    def receipt(self) -> PartReceipt:
        """Return the part as the port tells it."""
        return PartReceipt(self.number, self.size_bytes, self.crc32c, self.name)

    def overlaps(self, start: int, size_bytes: int) -> bool:
        """Tell whether this part's bytes lie in ``whole`` within the given range."""
        return (
            self.offset is not None
            and self.offset < start + size_bytes
            and start < self.offset + self.size_bytes
        )


def begin(folder: int, name: str) -> None:
    """Make the hidden folder ``name`` of a new upload in ``folder``."""
    os.mkdir(name, dir_fd=folder)
    with open_upload(folder, name) as upload:
        os.close(os.open(WHOLE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=upload))
        os.fsync(upload)
    os.fsync(folder)


@contextmanager
def open_upload(folder: int, name: str) -> Iterator[int]:
    """Open the upload's folder.

    :raises FileNotFoundError: completed or aborted.
    """
    upload = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield upload
    finally:
        os.close(upload)


def entries(upload: int) -> dict[int, Entry]:
    """Return the finished parts by number.

    :raises FileNotFoundError: the file was already published.
    """
    os.stat(WHOLE, dir_fd=upload, follow_symlinks=False)
    matches = (_ENTRY.fullmatch(name) for name in os.listdir(upload))
    parts = (_entry(match) for match in matches if match)
    return {part.number: part for part in parts}


def _entry(match: re.Match[str]) -> Entry:
    number, size, crc, place = match.groups()
    return Entry(int(number), int(size), crc, None if place == "x" else int(place))


def write_part(upload: int, number: int, body: Body, crc32c: str) -> Entry:
    """Write a part durably and record it; an earlier one of this number is dropped first."""
    parts = entries(upload)
    if earlier := parts.pop(number, None):
        os.unlink(earlier.name, dir_fd=upload)
        os.fsync(upload)
    part = Entry(number, len(body), crc32c, _place(parts, number, len(body)))
    if part.offset is None:
        draft = f"draft-{number}"
        _write_file(upload, draft, os.O_TRUNC, 0, body)
        os.rename(draft, part.name, src_dir_fd=upload, dst_dir_fd=upload)
    else:
        _write_file(upload, WHOLE, 0, part.offset, body)
        os.close(os.open(part.name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666, dir_fd=upload))
    os.fsync(upload)
    return part


def _place(parts: dict[int, Entry], number: int, size_bytes: int) -> int | None:
    first = parts.get(1)
    stride = size_bytes if number == 1 else first.size_bytes if first else None
    if stride is None or size_bytes > stride:
        return None
    start = (number - 1) * stride
    taken = any(part.overlaps(start, size_bytes) for part in parts.values())
    return None if taken else start


def _write_file(upload: int, name: str, flags: int, offset: int, body: Body) -> None:
    file = os.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o666, dir_fd=upload
    )
    try:
        view = memoryview(body)
        while view:
            written = os.pwrite(file, view, offset)
            view, offset = view[written:], offset + written
        os.fdatasync(file)
    finally:
        os.close(file)


@contextmanager
def assembled(upload: int, receipts: Iterable[PartReceipt], what: str) -> Iterator[tuple[str, int]]:
    """Put the parts in place and yield the file's name in ``upload`` and its descriptor.

    Can be killed and repeated at any point: no part's record is dropped.

    :raises IntegrityError: a part is not there, or is another than the receipt tells.
    """
    parts = entries(upload)
    chosen = [_checked(parts, receipt, what) for receipt in sorted(receipts, key=lambda r: r.number)]
    starts = [0]
    for part in chosen:
        starts.append(starts[-1] + part.size_bytes)
    in_place = all(part.offset in {None, start} for part, start in zip(chosen, starts, strict=False))
    name = WHOLE if in_place else "rebuilt"
    file = open_to_write(name, upload, os.O_CREAT)
    try:
        for part, start in zip(chosen, starts, strict=False):
            if part.offset is None or not in_place:
                _copy(upload, part, file, start)
        os.ftruncate(file, starts[-1])
        yield name, file
    finally:
        os.close(file)


def _checked(parts: dict[int, Entry], receipt: PartReceipt, what: str) -> Entry:
    part = parts.get(receipt.number)
    if part is None or (part.size_bytes, part.crc32c) != (receipt.size_bytes, receipt.crc32c):
        raise IntegrityError(
            what,
            got=f"part {receipt.number} as {part.name if part else 'nothing'}",
            expected=f"{receipt.size_bytes} bytes with CRC32C {receipt.crc32c}",
            state="nothing is visible under the key",
            remedy="send the part again",
            code="3212",
        )
    return part


def _copy(upload: int, part: Entry, target: int, start: int) -> None:
    name, offset = (part.name, 0) if part.offset is None else (WHOLE, part.offset)
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=upload)
    try:
        left = part.size_bytes
        while left:
            data = os.pread(source, min(left, _COPY_BYTES), offset)
            if not data:
                raise OSError(errno.EIO, "a part is shorter than recorded", name)
            view = memoryview(data)
            while view:
                written = os.pwrite(target, view, start)
                view, start, offset, left = (
                    view[written:],
                    start + written,
                    offset + written,
                    left - written,
                )
    finally:
        os.close(source)


def publish(upload: int, source: str, file: int, folder: int, name: str, *, create_only: bool) -> None:
    """Make the assembled file durable and visible as ``name`` in ``folder``, in one step.

    :raises FileExistsError: ``create_only`` and the name is taken; nothing was touched.
    """
    os.fsync(file)
    instead_of_empty_folder(
        folder, name, lambda: rename(upload, source, folder, name, create_only=create_only)
    )
    os.fsync(folder)


def drop(folder: int, name: str) -> None:
    """Remove the upload's folder and its parts; nothing where it is already gone."""
    try:
        with open_upload(folder, name) as upload:
            # ``whole`` goes first: without it the upload counts as gone, however far this comes.
            for entry in sorted(os.listdir(upload), key=lambda entry: entry != WHOLE):
                os.unlink(entry, dir_fd=upload)
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return
