"""The evidence store writes once, reads what was written, and tells when it was changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heavylift.connections import Connection
from heavylift.errors import (
    AlreadyExistsError,
    AuditError,
    ConnectionConfigError,
    IntegrityError,
    NotFoundError,
    PermanentError,
)
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.location import evidence_location
from heavylift.evidence.records import RunKey, ShardResult, Tally
from heavylift.evidence.store import EvidenceStore, open_evidence
from tests.unit.evidence.memory_store import MIB, MemoryStore

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def store(objects: MemoryStore) -> EvidenceStore:
    return EvidenceStore(objects)


def _result() -> ShardResult:
    run = RunKey(migration="m", phase="transfer", run="r")
    none = Tally()
    return ShardResult(
        run=run, dataset="d", shard=0, attempt=1, started_at=NOW, ended_at=NOW,
        found=none, moved=none, unchanged=none, failed=none,
    )  # fmt: skip


async def test_a_record_comes_back_as_it_was_written(store: EvidenceStore, objects: MemoryStore) -> None:
    ref = await store.write_json("m/r.json", _result())
    assert await store.read_record("m/r.json", ShardResult) == _result()
    assert await store.read_verified(ref) == objects.objects["root/m/r.json"]
    assert objects.types["root/m/r.json"] == "application/json"
    assert store.url_of("m/r.json") == "s3://evidence/root/m/r.json"


async def test_the_same_content_may_be_written_twice(store: EvidenceStore) -> None:
    first = await store.write_json("a.json", {"b": 1, "a": [1, 2]})
    assert await store.write_json("a.json", {"a": [1, 2], "b": 1}) == first


async def test_other_content_is_refused_and_the_first_stays(store: EvidenceStore) -> None:
    await store.write_json("a.json", {"n": 1})
    with pytest.raises(AlreadyExistsError, match=r"s3://evidence/root/a\.json") as caught:
        await store.write_json("a.json", {"n": 2})
    assert caught.value.code == "4010"
    assert await store.read_json("a.json") == {"n": 1}


async def test_a_changed_file_is_found(store: EvidenceStore, objects: MemoryStore) -> None:
    ref = await store.write_bytes("a.bin", b"before", "application/octet-stream")
    objects.objects["root/a.bin"] = b"behind"
    with pytest.raises(AuditError, match="was changed"):
        await store.read_verified(ref)
    assert not await store.matches(ref)


async def test_a_store_that_received_other_bytes_is_found(objects: MemoryStore) -> None:
    objects.corrupt = True
    with pytest.raises(IntegrityError, match="crc32c"):
        await EvidenceStore(objects).write_bytes("a.bin", b"x", "application/octet-stream")


async def test_a_cut_download_goes_on_where_it_stopped(objects: MemoryStore, store: EvidenceStore) -> None:
    data = bytes(range(256)) * 20
    await store.write_bytes("a.bin", data, "application/octet-stream")
    objects.cuts_left = 1
    assert await store.read_bytes("a.bin") == data
    assert objects.cuts_left == 0


async def test_a_large_file_goes_in_parts(objects: MemoryStore, store: EvidenceStore, tmp_path: Path) -> None:
    local = tmp_path / "large.parquet"
    local.write_bytes(b"0123456789abcdef" * (17 * MIB // 16))
    ref = await store.write_file("m/large.parquet", local, "application/vnd.apache.parquet")
    assert [len(part) for part in objects.uploads["upload-0"].values()] == [8 * MIB, 8 * MIB, MIB]
    assert await store.matches(ref)
    assert await store.write_file("m/large.parquet", local, "application/vnd.apache.parquet") == ref
    assert len(objects.uploads) == 1, "what is there already is not sent again"
    copy = tmp_path / "copy.parquet"
    await store.fetch("m/large.parquet", copy)
    assert copy.read_bytes() == local.read_bytes()
    assert not copy.with_name("copy.parquet.part").exists()


async def test_a_failed_upload_leaves_no_parts(
    objects: MemoryStore, store: EvidenceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = tmp_path / "large.bin"
    local.write_bytes(bytes(9 * MIB))

    async def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermanentError("complete")

    monkeypatch.setattr(objects, "complete_upload", refuse)
    with pytest.raises(PermanentError):
        await store.write_file("a.bin", local, "application/octet-stream")
    assert objects.uploads == {}
    assert not await store.exists("a.bin")


async def test_a_file_that_changes_while_it_is_written_is_refused(
    objects: MemoryStore, store: EvidenceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = tmp_path / "large.bin"
    local.write_bytes(bytes(17 * MIB))
    put_part = objects.put_part

    async def change_then_put(upload, number, body, crc32c):  # type: ignore[no-untyped-def]
        with local.open("r+b") as file:
            file.seek(16 * MIB)
            file.write(b"changed")
        return await put_part(upload, number, body, crc32c)

    monkeypatch.setattr(objects, "put_part", change_then_put)
    with pytest.raises(IntegrityError, match="changed while it was read"):
        await store.write_file("a.bin", local, "application/octet-stream")
    assert objects.uploads == {}


async def test_names_are_relative_sorted_and_only_of_that_folder(store: EvidenceStore) -> None:
    for path in ("m/b.json", "m/a.json", "m/a/c.json", "m-2/d.json", "m/z.json"):
        await store.write_json(path, {})
    assert await store.names("m") == ["m/a.json", "m/a/c.json", "m/b.json", "m/z.json"]
    assert len(await store.names()) == 5


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a b", "a/.hidden", "a\x00", "é", "x" * 121],
)
async def test_unsafe_paths_are_refused(store: EvidenceStore, objects: MemoryStore, path: str) -> None:
    with pytest.raises(PermanentError) as caught:
        await store.write_json(path, {})
    assert caught.value.code == "4001"
    assert objects.objects == {}


async def test_damaged_records_are_named_without_their_values(
    store: EvidenceStore, objects: MemoryStore
) -> None:
    objects.objects["root/a.json"] = json.dumps({"dataset": "hunter2"}).encode()
    objects.types["root/a.json"] = None
    with pytest.raises(AuditError, match="ShardResult") as caught:
        await store.read_record("a.json", ShardResult)
    assert "hunter2" not in str(caught.value)
    objects.objects["root/a.json"] = b"\xff\xfe[]"
    with pytest.raises(AuditError, match="no JSON object"):
        await store.read_json("a.json")


async def test_missing_evidence_is_not_found(store: EvidenceStore) -> None:
    assert not await store.exists("a.json")
    with pytest.raises(NotFoundError):
        await store.read_json("a.json")


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": NOW, "a": "é\udcff"}) == rb'{"a":"\u00e9\udcff","b":"2026-11-22T00:00:00Z"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def test_the_root_comes_from_url_connection_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Connection("evidence", "file", extra={"path": str(tmp_path / "kept")})
    bucket = Connection("evidence", "aws", extra={"evidence_url": "s3://b/e"})
    assert str(evidence_location("s3://b/x", folder)) == "s3://b/x/"
    assert evidence_location(None, folder).container == str(tmp_path / "kept")
    assert str(evidence_location(None, bucket)) == "s3://b/e/"
    assert evidence_location(None, None).container == str(tmp_path / "evidence")
    with pytest.raises(ConnectionConfigError, match="evidence_url"):
        evidence_location(None, Connection("evidence", "aws"))


async def test_a_folder_is_created_where_it_is_missing(tmp_path: Path) -> None:
    url = (tmp_path / "new" / "evidence").as_uri()
    async with open_evidence(url) as store:
        ref = await store.write_json("m/a.json", {"n": 1})
        assert await store.names() == ["m/a.json"]
        with pytest.raises(AlreadyExistsError):
            await store.write_json("m/a.json", {"n": 2})
    async with open_evidence(url) as store:
        assert await store.read_verified(ref) == b'{"n":1}'
