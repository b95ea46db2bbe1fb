"""Nothing outside the root is reached, and what is no regular file is named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from heavylift.errors import ConflictError, NotFoundError
from heavylift.locations import Location
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.ports import ObjectAttributes


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
async def store(tmp_path: Path, outside: Path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("x")
    (root / "to-file").symlink_to(outside / "secret")
    (root / "to-folder").symlink_to(outside)
    (root / "to-inside").symlink_to(root / "file")
    (root / "dangling").symlink_to(root / "none")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "socket"))
    opened = PosixStore(Location("file", str(root)))
    yield opened
    await opened.close()


async def test_a_listing_names_what_it_passes_by(store: PosixStore) -> None:
    pages = [page async for page in store.list_pages()]
    assert [item.key for page in pages for item in page] == ["file"]
    assert store.unlisted == {
        "dangling": "symbolic link: not followed",
        "pipe": "named pipe",
        "socket": "socket",
        "to-file": "symbolic link: not followed",
        "to-folder": "symbolic link: not followed",
        "to-inside": "symbolic link: not followed",
    }


@pytest.mark.parametrize(
    "key", ["to-file", "to-folder", "to-folder/secret", "to-inside", "dangling", "pipe", "socket"]
)
async def test_what_is_no_regular_file_is_not_found(store: PosixStore, key: str) -> None:
    with pytest.raises(NotFoundError):
        await store.head(key)
    with pytest.raises(NotFoundError):
        async with store.get(key):
            pass


@pytest.mark.parametrize("prefix", ["to-folder/", "to-folder/sec", "file/", "../outside/"])
async def test_no_listing_leads_out(store: PosixStore, prefix: str) -> None:
    assert [page async for page in store.list_pages(prefix)] == []


async def test_no_write_leads_out(store: PosixStore, outside: Path) -> None:
    with pytest.raises(ConflictError):
        await store.put("to-folder/new", b"x", ObjectAttributes(), {}, create_only=False)
    with pytest.raises(ConflictError):
        await store.begin_upload("to-folder/new", ObjectAttributes())
    assert sorted(os.listdir(outside)) == ["secret"]


async def test_an_overwrite_replaces_the_link_and_not_its_target(store: PosixStore, outside: Path) -> None:
    await store.put("to-file", b"new", ObjectAttributes(), {}, create_only=False)
    assert (outside / "secret").read_text() == "secret"
    assert (await store.head("to-file")).object.size_bytes == 3


@pytest.mark.parametrize("key", ["to-file", "to-folder", "pipe"])
async def test_deleting_touches_regular_files_only(store: PosixStore, outside: Path, key: str) -> None:
    await store.delete(key)
    assert os.path.lexists(Path(store.location.container) / key)
    assert (outside / "secret").exists()


async def test_a_file_where_a_folder_is_needed_is_a_conflict(store: PosixStore) -> None:
    with pytest.raises(ConflictError):
        await store.put("file/below", b"x", ObjectAttributes(), {})
    await store.put("folder/below", b"x", ObjectAttributes(), {})
    for create_only in (True, False):
        with pytest.raises(ConflictError):
            await store.put("folder", b"x", ObjectAttributes(), {}, create_only=create_only)
