"""Time, mode and owner of files: read for who carries them, and set on files that are being written."""

from __future__ import annotations

import os

from heavylift.platforms.file_entries import FileFacts

ACCESS = 0o777
"""The bits of a mode that are set. Who may write to a source's metadata shall make nobody root."""


def facts_of(found: os.stat_result) -> FileFacts:
    """Return what the file system tells of a file."""
    return FileFacts(found.st_mtime_ns, found.st_mode, found.st_uid, found.st_gid)


def problems_of(facts: FileFacts) -> list[str]:
    """Return in words what of a file cannot be set here, as this process's user."""
    found = []
    if facts.mode is not None and facts.mode & 0o7000:
        found.append(f"mode {facts.mode:o}: the bits above {ACCESS:o} are lost on purpose")
    if facts.uid is not None and not _may_own(facts.uid):
        found.append(f"owner {facts.uid}: lost, as only root may give files away")
    if facts.gid is not None and not _may_share(facts.gid):
        found.append(f"group {facts.gid}: lost, as this process's user is not in it")
    return found


def set_facts(file: int, facts: FileFacts) -> None:
    """Give an open file what is told and may be set; the time last, for all else would change it.

    :raises OSError: the file system refuses what its own rules allow.
    """
    if facts.mode is not None:
        os.fchmod(file, facts.mode & ACCESS)
    uid = facts.uid if facts.uid is not None and _may_own(facts.uid) else -1
    gid = facts.gid if facts.gid is not None and _may_share(facts.gid) else -1
    if (uid, gid) != (-1, -1):
        os.fchown(file, uid, gid)
    if facts.mtime_ns is not None:
        os.utime(file, ns=(facts.mtime_ns, facts.mtime_ns))


def _may_own(uid: int) -> bool:
    return os.geteuid() in {0, uid}


def _may_share(gid: int) -> bool:
    return os.geteuid() == 0 or gid == os.getegid() or gid in os.getgroups()
