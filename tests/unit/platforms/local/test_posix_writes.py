"""Create-only against any other writer; file systems that lack this or that."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
from pathlib import Path

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    CredentialError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
)
from heavylift.locations import Location
from heavylift.platforms.local import publishing, reading
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.ports import ObjectAttributes, Upload

NONE = ObjectAttributes()
FULL = ObjectAttributes(
    content_type="a/b; c=d",
    content_encoding="gzip",
    cache_control="no-cache",
    content_disposition="inline",
    content_language="de",
    metadata={"mlflow-run": "Zoë", "empty": ""},
    tags={"umlaut": "größe"},
)


@pytest.fixture
async def store(tmp_path: Path):
    opened = PosixStore(Location("file", str(tmp_path)))
    yield opened
    await opened.close()


async def read(store: PosixStore, key: str, **pinned) -> bytes:
    async with store.get(key, **pinned) as stream:
        return b"".join([chunk async for chunk in stream.chunks()])


@pytest.fixture(params=["unnamed", "named", "named, link only"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what some file systems and systems do not have."""
    if request.param != "unnamed":
        monkeypatch.delattr(os, "O_TMPFILE")
    if request.param == "named, link only":
        monkeypatch.setattr(publishing, "_renameat2", lambda: None)


@pytest.mark.usefixtures("file_system")
async def test_of_many_creators_one_wins(store: PosixStore, tmp_path: Path) -> None:
    puts = [store.put("d/k", bytes([n]) * 100, NONE, {}) for n in range(16)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    won = [n for n, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(result, AlreadyExistsError) for n, result in enumerate(results) if n not in won)
    assert await read(store, "d/k") == bytes(won) * 100
    assert os.listdir(tmp_path / "d") == ["k"]


@pytest.mark.usefixtures("file_system")
async def test_an_upload_never_replaces_what_came_meanwhile(store: PosixStore, tmp_path: Path) -> None:
    upload = await store.begin_upload("k", NONE)
    part = await store.put_part(upload, 1, b"part", digest(b"part", Algorithm.CRC32C)[Algorithm.CRC32C])
    (tmp_path / "k").write_bytes(b"other")
    with pytest.raises(AlreadyExistsError):
        await store.complete_upload(upload, [part], NONE, {})
    assert await read(store, "k") == b"other"
    await store.abort_upload(upload)
    assert os.listdir(tmp_path) == ["k"]


async def test_attributes_are_kept_whole(store: PosixStore) -> None:
    assert store.attribute_problems(FULL) == []
    await store.put("k", b"x", FULL, {})
    assert (await store.head("k")).attributes == FULL
    assert await store.tags("k") == FULL.tags


async def test_a_file_system_without_attributes_says_so(
    store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    monkeypatch.setattr(os, "getxattr", refuse)
    assert "lost" in store.attribute_problems(FULL)[0]
    assert store.attribute_problems(NONE) == []
    await store.put("k", b"x", FULL, {})
    assert (await store.head("k")).attributes == NONE


async def test_attributes_too_big_for_the_file_system_are_named(store: PosixStore) -> None:
    big = ObjectAttributes(metadata={"k": "v" * 200_000})
    assert "lost" in store.attribute_problems(big)[0]
    assert store.attribute_problems(FULL) == []
    await store.put("k", b"x", big, {})
    assert (await store.head("k")).attributes == NONE


async def test_damaged_attributes_are_an_error(store: PosixStore, tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"x")
    os.setxattr(tmp_path / "k", "user.heavylift.attributes", b"{")
    with pytest.raises(IntegrityError):
        await store.head("k")


async def test_bytes_that_are_not_what_the_caller_read_are_not_written(
    store: PosixStore, tmp_path: Path
) -> None:
    with pytest.raises(IntegrityError):
        await store.put("k", b"damaged", NONE, digest(b"right", Algorithm.CRC32C))
    assert list(tmp_path.iterdir()) == []


async def test_a_file_changed_while_it_is_read_is_an_error(
    store: PosixStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    for change in (b"12345678 and more", b"123", b"87654321"):
        (tmp_path / "k").write_bytes(b"12345678")
        with pytest.raises(PreconditionError):  # noqa: PT012
            async with store.get("k") as stream:
                async for _ in stream.chunks():
                    (tmp_path / "k").write_bytes(change)
                    os.utime(tmp_path / "k", (1, 1))


async def test_parts_of_unequal_size_make_the_right_whole(store: PosixStore) -> None:
    bodies = {3: b"c" * 10, 2: b"b" * 500, 1: b"a" * 100, 4: b"d" * 100}
    upload = await store.begin_upload("k", NONE)
    for _ in range(2):
        parts = [
            await store.put_part(upload, n, body, digest(body, Algorithm.CRC32C)[Algorithm.CRC32C])
            for n, body in bodies.items()
        ]
    await store.complete_upload(upload, parts, NONE, {})
    assert await read(store, "k") == bodies[1] + bodies[2] + bodies[3] + bodies[4]


async def test_a_part_that_is_not_there_stops_the_completion(store: PosixStore) -> None:
    upload = await store.begin_upload("k", NONE)
    part = await store.put_part(upload, 1, b"x", digest(b"x", Algorithm.CRC32C)[Algorithm.CRC32C])
    other = await store.put_part(upload, 2, b"y", digest(b"y", Algorithm.CRC32C)[Algorithm.CRC32C])
    await store.put_part(upload, 2, b"z", digest(b"z", Algorithm.CRC32C)[Algorithm.CRC32C])
    with pytest.raises(IntegrityError):
        await store.complete_upload(upload, [part, other], NONE, {})
    with pytest.raises(NotFoundError):
        await store.head("k")


@pytest.mark.parametrize("upload_id", ["", "../../etc", "x" * 32, "0" * 31])
async def test_a_foreign_upload_id_is_refused(store: PosixStore, upload_id: str) -> None:
    assert await store.finished_parts(Upload("k", upload_id)) is None
    with pytest.raises(NotFoundError):
        await store.put_part(Upload("k", upload_id), 1, b"", "00000000")


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.EACCES, CredentialError),
        (errno.EROFS, CredentialError),
        (errno.ENOSPC, PermanentError),
        (errno.EDQUOT, PermanentError),
        (errno.EIO, ServerUnavailableError),
        (errno.ESTALE, ServerUnavailableError),
        (errno.EXDEV, PermanentError),
    ],
)
async def test_faults_of_the_system_become_ours(
    store: PosixStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error) as caught:
        await store.put("k", b"x", NONE, {})
    assert errno.errorcode[number] in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("create_only", [True, False])
async def test_a_file_takes_the_place_of_a_folder_that_holds_nothing(
    store: PosixStore, tmp_path: Path, create_only: bool
) -> None:
    (tmp_path / "was" / "a" / "b").mkdir(parents=True)
    (tmp_path / "was" / "c").mkdir()
    await store.put("was", b"now", NONE, digest(b"now", Algorithm.CRC32C), create_only=create_only)
    assert (tmp_path / "was").read_bytes() == b"now"
    (tmp_path / "parts" / "empty").mkdir(parents=True)
    upload = await store.begin_upload("parts", NONE)
    sums = digest(b"now", Algorithm.CRC32C)
    part = await store.put_part(upload, 1, b"now", sums[Algorithm.CRC32C])
    await store.complete_upload(upload, [part], NONE, sums, create_only=create_only)
    assert (tmp_path / "parts").read_bytes() == b"now"


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("create_only", [True, False])
@pytest.mark.parametrize("kind", ["file", "link"])
async def test_no_file_takes_the_place_of_a_folder_that_holds_something(
    store: PosixStore, tmp_path: Path, create_only: bool, kind: str
) -> None:
    (tmp_path / "taken" / "empty").mkdir(parents=True)
    inner = tmp_path / "taken" / "z"
    inner.mkdir()
    if kind == "file":
        (inner / "theirs").write_bytes(b"theirs")
    else:
        (inner / "theirs").symlink_to(tmp_path)
    with pytest.raises(ConflictError) as caught:
        await store.put("taken", b"now", NONE, digest(b"now", Algorithm.CRC32C), create_only=create_only)
    assert caught.value.code == "3203"
    assert sorted(path.name for path in (tmp_path / "taken").rglob("*")) == ["empty", "theirs", "z"]
