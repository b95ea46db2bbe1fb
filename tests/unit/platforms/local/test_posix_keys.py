"""Which keys are paths below a root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.locations import Location
from heavylift.platforms.local.names import is_own_name, key_problem, own_name
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.ports import ObjectAttributes

UNHOLDABLE = [
    "",
    "/absolute",
    "trailing/",
    "double//slash",
    "..",
    "../out",
    "a/../../out",
    "a/./b",
    ".",
    "nul\0",
    "n" * 256,
    "é" * 128,
    "/".join(["p" * 200] * 21),
    "undecodable\udcff",
    "\ud800",
    "a/.heavylift-0123456789abcdef0123456789abcdef.tmp",
]


@pytest.mark.parametrize("key", UNHOLDABLE)
async def test_an_unholdable_key_is_named_and_refused(key: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    store = PosixStore(Location("file", str(root)))
    assert store.key_problem(key)
    with pytest.raises(UnsupportedError):
        await store.put(key, b"x", ObjectAttributes(), {}, create_only=False)
    with pytest.raises(UnsupportedError):
        await store.begin_upload(key, ObjectAttributes())
    assert list(tmp_path.rglob("*")) == [root]
    await store.close()


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "a/../../secret", ".", "", "nul\0"])
async def test_reading_never_leaves_the_root(key: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root" / "a").mkdir(parents=True)
    store = PosixStore(Location("file", str(tmp_path / "root")))
    with pytest.raises(NotFoundError):
        await store.head(key)
    with pytest.raises(NotFoundError):
        async with store.get(key):
            pass
    await store.delete(key)
    assert (tmp_path / "secret").exists()
    await store.close()


@pytest.mark.parametrize(
    "key", ["a", ".hidden", "...", "a/..b", "n" * 255, "new\nline", " ", "back\\slash", "😀"]
)
def test_odd_but_holdable_keys_have_no_problem(key: str) -> None:
    assert key_problem(key, "/root") is None


def test_the_root_counts_towards_the_path() -> None:
    key = "/".join(["p" * 100] * 40)
    assert key_problem(key, "/r") is None
    assert "bytes" in str(key_problem(key, "/" + "r" * 60))


def test_own_names_are_just_ours() -> None:
    assert is_own_name(own_name("tmp"))
    assert is_own_name(own_name("upload"))
    assert not is_own_name(".heavylift-notes")
    assert own_name("tmp") != own_name("tmp")


async def test_an_undecodable_name_is_passed_by_named_and_readable(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"1")
    (tmp_path / os.fsdecode(b"bad\xff")).write_bytes(b"2")
    (tmp_path / os.fsdecode(b"f\xe9")).mkdir()
    (tmp_path / os.fsdecode(b"f\xe9") / "inside").write_bytes(b"3")
    store = PosixStore(Location("file", str(tmp_path)))
    [page] = [page async for page in store.list_pages()]
    assert [item.key for item in page] == ["good"]
    assert sorted(store.unlisted) == ["bad\\xff", "f\\xe9/inside"]
    assert all("UTF-8" in reason for reason in store.unlisted.values())
    assert "UTF-8" in str(store.key_problem("bad\udcff"))
    async with store.get("bad\udcff") as stream:
        assert [chunk async for chunk in stream.chunks()] == [b"2"]
    await store.close()
