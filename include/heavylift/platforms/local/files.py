"""The blocking half of the POSIX store: each method is one thread's work."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import AbstractContextManager
from dataclasses import replace

from heavylift.checksums import Algorithm, Body, Checksums
from heavylift.errors import NotFoundError, PreconditionError, UnsupportedError
from heavylift.locations import Location
from heavylift.platforms.file_entries import FileFacts, taken_out
from heavylift.platforms.integrity import check_crc32c
from heavylift.platforms.local import names, uploads, xattrs
from heavylift.platforms.local.faults import read_faults, write_faults
from heavylift.platforms.local.file_facts import problems_of, set_facts
from heavylift.platforms.local.folders import open_folder
from heavylift.platforms.local.listing import listed_object, version_of
from heavylift.platforms.local.publishing import clean_drafts, draft_in
from heavylift.platforms.local.reading import OpenFile, open_file, read_head
from heavylift.platforms.ports import ObjectAttributes, ObjectHead, PartReceipt, PutReceipt, Upload

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")


def name_upload(key: str) -> Upload:
    """Choose the id of an upload."""
    return Upload(key, secrets.token_hex(16))


class Files:
    """The files below the root of ``location``; errors and semantics are the port's.

    :param carried: entries of metadata by which time, mode and owner of files come and go.
    """

    def __init__(self, location: Location, carried: frozenset[str] = frozenset()) -> None:
        self._location = location
        self._carried = carried
        self._root = location.container
        self._room = xattrs.Room(self._root)

    def what(self, act: str, key: str) -> str:
        """Return the act and object for an error message."""
        return f"{act} of {self._location.url_of(key)}"

    def check(self) -> None:
        """Make sure that the root is a folder that may be listed."""
        what = f"check of {self._location}"
        with read_faults(what), open_folder(self._root, []) as root, os.scandir(root):
            pass

    def open(
        self, key: str, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> tuple[OpenFile, bytes]:
        """Open a file and read its first chunk: a small file costs one thread switch."""
        what = self.what("get", key)
        opened = open_file(
            self._root, key, what, version=version, offset=offset, length=length, carried=self._carried
        )
        try:
            return opened, opened.read()
        except BaseException:
            opened.close()
            raise

    def head(self, key: str) -> ObjectHead:
        """Return what the file system tells about a file."""
        return read_head(self._root, key, self.what("head", key), self._carried)

    def fetch(
        self, key: str, version: str | None, offset: int, length: int | None, into: bytearray | None = None
    ) -> tuple[ObjectHead, Body]:
        """Read a file, or a range of it, whole, and no more than once into memory.

        :param into: where it may be put, if there is room.
        """
        opened, first = self.open(key, version, offset, length)
        try:
            begin = opened.position - len(first)
            if opened.position >= opened.end:
                return opened.head, first
            wanted = opened.end - begin
            fits = into is not None and len(into) >= wanted
            whole: bytearray | memoryview = memoryview(into)[:wanted] if into and fits else bytearray(wanted)
            filled, piece = 0, first
            while piece:
                whole[filled : filled + len(piece)] = piece
                filled += len(piece)
                piece = opened.read() if filled < wanted else b""
            return opened.head, whole[:filled] if filled < wanted else whole
        finally:
            opened.close()

    def put(
        self, key: str, body: Body, attributes: ObjectAttributes, checksums: Checksums, create_only: bool
    ) -> PutReceipt:
        """Write a file whole and durably."""
        what = self.what("put", key)
        if crc32c := checksums.get(Algorithm.CRC32C):
            check_crc32c(body, crc32c, what, code="3217")
        folders, name = self._path_to_write(key, what)
        with (
            write_faults(what),
            open_folder(self._root, folders, create=True) as folder,
            draft_in(folder) as draft,
        ):
            view = memoryview(body)
            while view:
                view = view[os.write(draft.file, view) :]
            self._keep_attributes(draft.file, attributes)
            draft.publish(name, create_only=create_only)
            return PutReceipt(listed_object(key, os.fstat(draft.file)).version)

    def delete(self, key: str) -> None:
        """Delete one regular file; its folders stay."""
        what = self.what("delete", key)
        try:
            *folders, name = names.segments_to_read(key, what)
            with read_faults(what), open_folder(self._root, folders) as folder:
                if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=folder)
        except NotFoundError:
            return

    def delete_version(self, key: str, version: str) -> None:
        """Delete one regular file if inode, time and size are still those of ``version``."""
        what = self.what("delete", key)
        *folders, name = names.segments_to_read(key, what)
        with read_faults(what), open_folder(self._root, folders) as folder:
            found = version_of(os.stat(name, dir_fd=folder, follow_symlinks=False))
            if found != version:
                raise PreconditionError(
                    what,
                    got=f"version {found}",
                    expected=f"version {version}",
                    state="the file was not deleted",
                    remedy="run again; what changed is looked at afresh",
                    code="3219",
                )
            os.unlink(name, dir_fd=folder)

    def begin(self, upload: Upload) -> None:
        """Make an upload's hidden folder, and clean up after killed writers in the same place."""
        what = self.what("upload", upload.key)
        folders, _ = self._path_to_write(upload.key, what)
        with write_faults(what), open_folder(self._root, folders, create=True) as folder:
            clean_drafts(folder)
            uploads.begin(folder, _upload_folder(upload))

    def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Write one part durably."""
        what = self.what(f"put of part {number}", upload.key)
        check_crc32c(body, crc32c, what, code="3218")
        with (
            write_faults(what),
            self._parent(upload, what) as folder,
            uploads.open_upload(folder, _upload_folder(upload)) as opened,
        ):
            return uploads.write_part(opened, number, body, crc32c).receipt()

    def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that are durably written, or None where the upload is gone."""
        what = self.what("list of parts", upload.key)
        try:
            with (
                read_faults(what),
                self._parent(upload, what) as folder,
                uploads.open_upload(folder, _upload_folder(upload)) as opened,
            ):
                return {number: part.receipt() for number, part in uploads.entries(opened).items()}
        except NotFoundError:
            return None

    def complete(
        self, upload: Upload, parts: list[PartReceipt], attributes: ObjectAttributes, create_only: bool
    ) -> PutReceipt:
        """Publish the file of ``parts``, then drop what is left of the upload."""
        what = self.what("completion", upload.key)
        name = upload.key.split("/")[-1]
        hidden = _upload_folder(upload)
        with write_faults(what), self._parent(upload, what) as folder:
            with (
                uploads.open_upload(folder, hidden) as opened,
                uploads.assembled(opened, parts, what) as (source, file),
            ):
                self._keep_attributes(file, attributes)
                uploads.publish(opened, source, file, folder, name, create_only=create_only)
                receipt = PutReceipt(listed_object(upload.key, os.fstat(file)).version)
            uploads.drop(folder, hidden)
        return receipt

    def abort(self, upload: Upload) -> None:
        """Drop the upload; nothing where it is already gone."""
        what = self.what("abort", upload.key)
        try:
            with write_faults(what), self._parent(upload, what) as folder:
                uploads.drop(folder, _upload_folder(upload))
        except NotFoundError:
            return

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return what would be lost, having asked the file system itself once for each size."""
        facts, kept = self._apart(attributes)
        data, problems = xattrs.encode(kept), problems_of(facts)
        with write_faults(f"probe of extended attributes at {self._location}"):
            if not data or self._room.has_room_for(data):
                return problems
        return [
            *problems,
            f"all {len(data)} bytes of attributes and tags are lost: "
            "the file system has no extended attributes of that size",
        ]

    def _apart(self, attributes: ObjectAttributes) -> tuple[FileFacts, ObjectAttributes]:
        """Return what the file itself is given, and what is kept beside it."""
        if not self._carried:
            return FileFacts(), attributes
        facts, rest = taken_out(attributes.metadata, self._carried)
        return facts, replace(attributes, metadata=rest)

    def _keep_attributes(self, file: int, attributes: ObjectAttributes) -> None:
        facts, kept = self._apart(attributes)
        data = xattrs.encode(kept)
        # attribute_problems has named those for which there is no room.
        if data and self._room.has_room_for(data):
            os.setxattr(file, xattrs.XATTR, data)
        set_facts(file, facts)

    def _path_to_write(self, key: str, what: str) -> tuple[list[str], str]:
        if problem := names.key_problem(key, self._root):
            raise UnsupportedError(
                what,
                got=f"the key {key!r}",
                expected=f"a key that a file system can hold: {problem}",
                state="nothing was written",
                remedy="exclude the object or rename it at the source",
                code="3215",
            )
        *folders, name = key.split("/")
        return folders, name

    def _parent(self, upload: Upload, what: str) -> AbstractContextManager[int]:
        folders, _ = self._path_to_write(upload.key, what)
        return open_folder(self._root, folders)


def _upload_folder(upload: Upload) -> str:
    if not _UPLOAD_ID.fullmatch(upload.upload_id):
        raise NotFoundError(
            f"use of upload {upload.upload_id!r}",
            got="an id that this store never gave out",
            expected="32 hexadecimal digits",
            state="nothing was touched",
            remedy="begin the upload anew",
            code="3216",
        )
    return f".heavylift-{upload.upload_id}.upload"
