"""Time, mode and owner of files: as entries of metadata, set on what is written, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.locations import Location
from heavylift.platforms.file_entries import ALL, FileFacts, entries_of, taken_out
from heavylift.platforms.local.file_facts import problems_of
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.ports import ObjectAttributes

TIME = entries_of(["time"])


@given(st.integers(-(10**19), 10**19), st.integers(0, 0o177777), st.integers(0, 2**32 - 2))
def test_entries_tell_all_and_are_read_again(mtime_ns: int, mode: int, number: int) -> None:
    facts = FileFacts(mtime_ns, mode, number, number)
    entries = facts.entries(ALL)
    assert taken_out({**entries, "own": "x"}, ALL) == (facts, {"own": "x"})
    assert taken_out(entries, TIME) == (
        FileFacts(mtime_ns),
        {k: v for k, v in entries.items() if k != "mtime"},
    )


@pytest.mark.parametrize(
    ("text", "mtime_ns"),
    [
        ("1354040105.123456789", 1_354_040_105_123_456_789),
        ("1354040105", 1_354_040_105 * 10**9),
        ("-1.5", -1_500_000_000),
        ("2012-11-27T18:15:05.123456789Z", 1_354_040_105_123_456_789),
        ("2012-11-27T19:15:05.1+01:00", 1_354_040_105_100_000_000),
        ("2012-11-27T18:15:05Z", 1_354_040_105 * 10**9),
    ],
)
def test_times_as_rclone_keeps_them_are_read(text: str, mtime_ns: int) -> None:
    assert taken_out({"mtime": text}, ALL) == (FileFacts(mtime_ns), {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mtime", "yesterday"), ("mtime", "1e9"), ("mtime", "9" * 12), ("mtime", "2012-11-27"), ("mtime", ""),
        ("mtime", "2012-11-27T18:15:05"), ("mtime", "2012-11-27T18:15:05.Z"), ("mtime", "1.1234567890"),
        ("mtime", "\u0661"), ("mode", "rwx"), ("mode", "8"), ("mode", "1" * 8),
        ("uid", "root"), ("uid", "-1"),
        ("uid", str(2**32 - 1)), ("gid", "1" * 11), ("gid", "\u00b2"),
    ],
)  # fmt: skip
def test_what_has_another_form_stays_metadata(name: str, value: str) -> None:
    assert taken_out({name: value}, ALL) == (FileFacts(), {name: value})


async def test_a_file_gets_what_its_metadata_tells_and_tells_it_again(tmp_path: Path) -> None:
    wanted = {
        "mtime": "1000000000.000000007",
        "mode": "100640",
        "uid": str(os.getuid()),
        "gid": str(os.getgid()),
    }
    store = PosixStore(Location("file", str(tmp_path)), carried=ALL)
    attributes = ObjectAttributes(content_type="a/b", metadata={**wanted, "own": "x"})
    receipt = await store.put("d/f", b"body", attributes, {})
    found = (tmp_path / "d/f").stat()
    assert (found.st_mtime_ns, stat.S_IMODE(found.st_mode)) == (10**18 + 7, 0o640)
    head = await store.head("d/f")
    assert (head.object.version, head.attributes) == (receipt.version, attributes)
    assert (await store.fetch("d/f")).head == head
    assert store.attribute_problems(attributes) == []
    await store.close()
    # Who does not ask is told what was given beside the file, and nothing of the file itself.
    plain = PosixStore(Location("file", str(tmp_path)))
    assert (await plain.head("d/f")).attributes.metadata == {"own": "x"}
    await plain.close()


async def test_only_what_is_asked_for_is_set(tmp_path: Path) -> None:
    store = PosixStore(Location("file", str(tmp_path)), carried=TIME)
    metadata = {"mtime": "1000000000.000000007", "mode": "100600", "uid": "4711"}
    await store.put("f", b"x", ObjectAttributes(metadata=metadata), {})
    found = (tmp_path / "f").stat()
    assert (found.st_mtime_ns, found.st_uid) == (10**18 + 7, os.getuid())
    assert stat.S_IMODE(found.st_mode) != 0o600
    assert (await store.head("f")).attributes.metadata == metadata
    await store.close()


@pytest.mark.parametrize("bits", ["104755", "102755", "101777", "107777"])
async def test_nobody_becomes_root_by_an_objects_metadata(tmp_path: Path, bits: str) -> None:
    store = PosixStore(Location("file", str(tmp_path)), carried=ALL)
    attributes = ObjectAttributes(metadata={"mode": bits, "uid": "0"})
    (told, *_) = store.attribute_problems(attributes)
    assert told == f"mode {bits}: the bits above 777 are lost on purpose"
    await store.put("f", b"#!/bin/sh", attributes, {})
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == int(bits, 8) & 0o777
    await store.close()


def test_an_ordinary_user_is_told_what_only_root_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [1000, 27])
    assert problems_of(FileFacts(0, 0o644, 1000, 27)) == []
    assert problems_of(FileFacts(0, 0o644, 0, 0)) == [
        "owner 0: lost, as only root may give files away",
        "group 0: lost, as this process's user is not in it",
    ]
