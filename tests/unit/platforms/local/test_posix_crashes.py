"""A writer killed at any system call leaves no half object, and another can go on."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.locations import Location
from heavylift.platforms.file_entries import ALL
from heavylift.platforms.local import publishing
from heavylift.platforms.local.files import Files, name_upload
from heavylift.platforms.local.listing import Walk
from heavylift.platforms.ports import ObjectAttributes, Upload

CALLS = [
    "open",
    "write",
    "pwrite",
    "fsync",
    "fdatasync",
    "link",
    "unlink",
    "rename",
    "mkdir",
    "rmdir",
    "ftruncate",
    "setxattr",
    "fchmod",
    "fchown",
    "utime",
]
ATTRIBUTES = ObjectAttributes(content_type="a/b")
NOBODY = 65534
# The second part comes before the first, so that it is kept apart and put in place at the end.
PARTS = {2: b"b" * 70_000, 1: b"a" * 70_000, 3: b"c" * 100}
WHOLE = PARTS[1] + PARTS[2] + PARTS[3]


def kill_before_call(number: int) -> None:
    """Make this process kill itself right before its ``number``-th changing system call."""
    left = [number]

    def counted(real: Callable) -> Callable:
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    real = publishing._rename_noreplace
    publishing._rename_noreplace = counted(real)


def survives(work: Callable[[], object], kill_at: int) -> bool:
    """Run ``work`` in a process that is killed at a call; return whether it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            kill_before_call(kill_at)
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def listed(root: Path) -> list[str]:
    return [item.key for page in Walk(str(root), "", "", {}).pages() for item in page]


def crc(body: bytes) -> str:
    return digest(body, Algorithm.CRC32C)[Algorithm.CRC32C]


@pytest.mark.parametrize("unnamed", [True, False])
@pytest.mark.parametrize("create_only", [True, False])
def test_a_killed_put_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool, create_only: bool
) -> None:
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    for kill_at in range(1, 100):
        root = tmp_path / str(kill_at)
        root.mkdir()
        files = Files(Location("file", str(root)))
        if not create_only:
            files.put("d/e/f", b"old", ObjectAttributes(), {}, True)
        done = survives(lambda files=files: files.put("d/e/f", WHOLE, ATTRIBUTES, {}, create_only), kill_at)
        if listed(root):
            assert (root / "d/e/f").read_bytes() in ([WHOLE] if create_only else [b"old", WHOLE])
        files.put("d/e/f", WHOLE, ATTRIBUTES, {}, False)
        assert (root / "d/e/f").read_bytes() == WHOLE
        if done:
            assert kill_at > 4
            return
    pytest.fail("the put never came to its end")


def test_a_killed_upload_goes_on_and_sends_no_finished_part_again(tmp_path: Path) -> None:
    for kill_at in range(1, 200):
        root = tmp_path / str(kill_at)
        root.mkdir()
        files = Files(Location("file", str(root)))
        upload = name_upload("d/big")
        files.begin(upload)
        done = survives(lambda files=files, upload=upload: send_and_complete(files, upload), kill_at)
        assert listed(root) in ([], ["d/big"])
        resumed = Files(Location("file", str(root)))
        if listed(root):
            assert resumed.finished_parts(upload) is None
            resumed.abort(upload)
        else:
            send_and_complete(resumed, upload)
        assert (root / "d/big").read_bytes() == WHOLE
        assert sorted(path.name for path in (root / "d").iterdir()) == ["big"]
        if done:
            assert kill_at > 20
            return
    pytest.fail("the upload never came to its end")


def send_and_complete(files: Files, upload: Upload, attributes: ObjectAttributes = ATTRIBUTES) -> None:
    found = files.finished_parts(upload)
    assert found is not None
    for number, body in PARTS.items():
        if number not in found:
            found[number] = files.put_part(upload, number, body, crc(body))
    files.complete(upload, list(found.values()), attributes, True)


@contextmanager
def as_nobody() -> Iterator[Path]:
    """Act as an ordinary user for the length of the block, in a folder of that user's."""
    with tempfile.TemporaryDirectory() as folder:
        user = os.geteuid()
        if user == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            if user == 0:
                os.seteuid(user)


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_killed_writer_of_a_read_only_file_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    metadata = {"mode": "100444", "mtime": "1000000000.000000001"}
    attributes = ObjectAttributes(content_type="a/b", metadata=metadata)
    with as_nobody() as folder:
        for kill_at in range(1, 200):
            root = folder / str(kill_at)
            root.mkdir()
            files = Files(Location("file", str(root)), ALL)
            upload = name_upload("d/big")
            files.begin(upload)
            done = survives(
                lambda files=files, upload=upload: send_and_complete(files, upload, attributes), kill_at
            )
            if not listed(root):
                send_and_complete(Files(Location("file", str(root)), ALL), upload, attributes)
            files.put("d/big", WHOLE, attributes, {}, False)
            found = (root / "d/big").stat()
            assert (found.st_mode & 0o777, found.st_mtime_ns) == (0o444, 10**18 + 1)
            assert (root / "d/big").read_bytes() == WHOLE
            if done:
                assert kill_at > 20
                return
    pytest.fail("the upload never came to its end")


def test_what_killed_writers_left_is_cleaned_but_not_what_living_ones_write(tmp_path: Path) -> None:
    files = Files(Location("file", str(tmp_path)))
    dead = tmp_path / publishing.own_name("tmp")
    dead.write_bytes(b"left")
    os.utime(dead, (0, 0))
    folder = os.open(tmp_path, os.O_RDONLY)
    living = os.open(tmp_path / publishing.own_name("tmp"), os.O_CREAT | os.O_RDWR)
    publishing.fcntl.flock(living, publishing.fcntl.LOCK_EX)
    os.utime(living, (0, 0))
    upload = name_upload("key")
    files.begin(upload)
    left = sorted(path.suffix for path in tmp_path.iterdir())
    assert left == [".tmp", ".upload"]
    os.close(living)
    assert publishing.clean_drafts(folder) == 1
    os.close(folder)
    files.abort(upload)
    assert list(tmp_path.iterdir()) == []
