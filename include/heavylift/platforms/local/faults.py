"""What the operating system's errors mean for an object."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    CredentialError,
    HeavyliftError,
    NoRoomError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    UnsupportedError,
)

_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENOTEMPTY, errno.ENXIO})
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_PASSING = frozenset(
    {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}
)


@contextmanager
def read_faults(what: str) -> Iterator[None]:
    """Turn an OSError of a reading act into ours; what cannot be a regular file is not found."""
    try:
        yield
    except OSError as error:
        if error.errno in IN_THE_WAY or error.errno == errno.ENOENT:
            raise _not_found(what, error) from error
        raise _common(what, error) from error


@contextmanager
def write_faults(what: str) -> Iterator[None]:
    """Turn an OSError of a writing act into ours."""
    try:
        yield
    except OSError as error:
        raise _of_write(what, error) from error


def _of_write(what: str, error: OSError) -> HeavyliftError:
    if error.errno == errno.EEXIST:
        return AlreadyExistsError(
            what,
            got="a file with this name",
            expected="none",
            state="the existing file was not touched",
            remedy="compare it with the source, then remove it or allow overwriting in the spec",
            code="3202",
        )
    if error.errno in IN_THE_WAY:
        return ConflictError(
            what,
            got=f"{_name(error)}: a file, folder or symbolic link stands where the path leads",
            expected="folders up to the last name, and no folder at the last",
            state="nothing was written",
            remedy="move the file, folder or link away; a path is never followed through a link",
            code="3203",
        )
    if error.errno == errno.ENOENT:
        return _not_found(what, error)
    return _common(what, error)


def _common(what: str, error: OSError) -> HeavyliftError:
    if error.errno in _REFUSED:
        return CredentialError(
            what,
            got=_name(error),
            expected="permission",
            state="this file was not changed",
            remedy="give this process's user the permission, or remount the file system writable",
            code="3204",
        )
    if error.errno in _FULL:
        return NoRoomError(
            what,
            got=_name(error),
            expected="room for the file",
            state="nothing of this file is visible",
            remedy="free space or raise the quota, then run again",
            code="3205",
        )
    if error.errno in _PASSING:
        return ServerUnavailableError(
            what,
            got=_name(error),
            expected="an answer of the file system",
            state="nothing of this file is visible",
            remedy="check the disk or mount, then run again",
            code="3206",
        )
    if error.errno == errno.ENAMETOOLONG:
        return UnsupportedError(
            what,
            got=_name(error),
            expected="a shorter name",
            state="nothing was written",
            remedy="exclude the object or rename it at the source",
            code="3207",
        )
    return PermanentError(
        what,
        got=_name(error),
        expected="success",
        state="nothing of this file is visible",
        remedy="see the system's message",
        code="3208",
    )


def _not_found(what: str, error: OSError) -> NotFoundError:
    return NotFoundError(
        what,
        got=_name(error),
        expected="an existing regular file below an existing root folder",
        state="nothing was changed",
        remedy="check the path and that it was not deleted meanwhile",
        code="3201",
    )


def _name(error: OSError) -> str:
    code = errno.errorcode.get(error.errno or 0, "error")
    return f"{code} ({error.strerror})"
