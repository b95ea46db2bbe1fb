"""AzureBlobStore against a server that fails as a script says: what no emulator does."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heavylift.checksums import Algorithm, digest, hex_to_base64
from heavylift.connections import Connection
from heavylift.errors import (
    AlreadyExistsError,
    CredentialError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
    UnsupportedError,
)
from heavylift.locations import Location
from heavylift.platforms.azure import wire
from heavylift.platforms.azure.blob import AzureBlobStore
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ObjectAttributes, Upload
from heavylift.platforms.tokens import Token
from tests.contract.platforms.scripted import Act, ScriptedServer, answer, hang_up, scripted

SETTINGS = HttpSettings(attempts=3, base_delay_seconds=0.001, max_delay_seconds=0.01, stall_seconds=5)
NONE = ObjectAttributes()
BODY = b"bytes"
KEY = base64.b64encode(b"key").decode()
UPLOAD = Upload("k", "0" * 32)
CRC = digest(BODY, Algorithm.CRC32C)[Algorithm.CRC32C]


def fault(status: int, code: str) -> Act:
    return answer(status, x_ms_error_code=code)


def blob(
    body: bytes = BODY, status: int = 200, *, md5_of: bytes = BODY, etag: str = "0x1", **how: Any
) -> Act:
    md5 = hex_to_base64(digest(md5_of, Algorithm.MD5)[Algorithm.MD5])
    modified = "Sun, 22 Nov 2026 18:49:40 GMT"
    return answer(status, body, ETag=f'"{etag}"', Last_Modified=modified, Content_MD5=md5, **how)


@asynccontextmanager
async def container(*script: Act) -> AsyncIterator[tuple[AzureBlobStore, ScriptedServer]]:
    async with scripted(*script) as server:
        connection = Connection("a", "wasb", login="dev", password=KEY, host=f"{server.url}/dev")
        store = AzureBlobStore(Location("az", "c"), connection, settings=SETTINGS)
        try:
            yield store, server
        finally:
            await store.close()


async def put(store: AzureBlobStore, **how: Any):
    return await store.put("k", BODY, NONE, digest(BODY, Algorithm.MD5), **how)


async def read(store: AzureBlobStore, **how: Any) -> bytes:
    async with store.get("k", **how) as stream:
        return b"".join([chunk async for chunk in stream.chunks()])


async def test_a_put_whose_answer_was_lost_is_known_again() -> None:
    async with container(hang_up, fault(409, "BlobAlreadyExists"), blob()) as (store, server):
        receipt = await put(store)
    assert receipt.version == "0x1"
    assert receipt.checksums == digest(BODY, Algorithm.MD5)
    assert [request.method for request in server.requests] == ["PUT", "PUT", "HEAD"]


async def test_another_blob_there_is_not_taken_for_our_lost_put() -> None:
    script = hang_up, fault(409, "BlobAlreadyExists"), blob(md5_of=b"other")
    async with container(*script) as (store, _):
        with pytest.raises(AlreadyExistsError):
            await put(store)


async def test_an_equal_blob_that_was_there_before_is_not_ours() -> None:
    async with container(fault(409, "BlobAlreadyExists"), blob()) as (store, server):
        with pytest.raises(AlreadyExistsError):
            await put(store)
    assert len(server.requests) == 1


async def test_a_server_that_stored_other_bytes_is_found_out() -> None:
    async with container(blob(b"", 201, md5_of=b"other")) as (store, _):
        with pytest.raises(IntegrityError):
            await put(store)


async def test_every_request_is_signed_afresh() -> None:
    async with container(fault(503, "ServerBusy"), blob(b"", 201)) as (store, server):
        await put(store)
    assert all(request.headers["authorization"].startswith("SharedKey dev:") for request in server.requests)
    assert all(request.headers["x-ms-date"].endswith("GMT") for request in server.requests)


async def test_an_overwriting_put_sends_no_condition() -> None:
    async with container(blob(b"", 201)) as (store, server):
        await put(store, create_only=False)
        await put(store)
    assert [request.headers.get("if-none-match") for request in server.requests] == [None, "*"]


@pytest.mark.parametrize("body", [b"byte", b"bytes and more"])
async def test_a_body_of_another_length_than_announced_is_an_error(body: bytes) -> None:
    ranged = blob(body, 206, Content_Range="bytes 1-5/6")
    async with container(ranged) as (store, _):
        with pytest.raises(ServerUnavailableError):
            await read(store, offset=1)


async def test_a_body_that_is_cut_short_is_an_error() -> None:
    async with container(blob(b"by", announced=5)) as (store, _):
        with pytest.raises(ServerUnavailableError):
            await read(store)


async def test_a_server_that_sends_the_whole_for_a_range_is_found_out() -> None:
    async with container(blob()) as (store, _):
        with pytest.raises(UnsupportedError):
            await read(store, offset=2)


async def test_a_server_that_passes_over_the_version_is_found_out() -> None:
    async with container(blob(etag="0x2")) as (store, server):
        with pytest.raises(PreconditionError):
            await read(store, version="0x1")
    assert server.requests[0].headers["if-match"] == '"0x1"'


async def test_a_changed_blob_is_told_from_one_that_is_gone() -> None:
    async with container(fault(412, "ConditionNotMet"), blob()) as (store, _):
        with pytest.raises(PreconditionError):
            await read(store, version="0x1")
    async with container(fault(412, "ConditionNotMet"), fault(404, "BlobNotFound")) as (store, _):
        with pytest.raises(NotFoundError):
            await read(store, version="0x1")


@pytest.mark.parametrize("body", [b"", b"<html>", b"<!DOCTYPE a><a/>", b"<L><Blob><Name>k</Name></Blob></L>"])
async def test_a_listing_that_is_not_blob_storages_is_an_error(body: bytes) -> None:
    async with container(answer(200, body)) as (store, _):
        with pytest.raises(PermanentError) as caught:
            [page async for page in store.list_pages()]
    assert caught.value.code == "3381"


async def test_answers_without_the_headers_of_a_blob_are_errors() -> None:
    async with container(answer(200)) as (store, _):
        for act in (store.head("k"), put(store), read(store)):
            with pytest.raises(PermanentError) as caught:
                await act
            assert caught.value.code == "3381"


async def test_a_refused_token_is_renewed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = iter(range(1, 9))
    monkeypatch.setattr(
        wire, "token_fetcher", lambda _connection: lambda: Token(f"s3cret-{next(issued)}", 1e12)
    )
    refused = fault(401, "InvalidAuthenticationInfo")
    async with scripted(refused, blob(), refused, refused) as server:
        connection = Connection("a", "wasb", host=f"{server.url}/dev")
        store = AzureBlobStore(Location("az", "c"), connection, settings=SETTINGS)
        await store.head("k")
        with pytest.raises(CredentialError) as caught:
            await store.head("k")
        await store.close()
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer s3cret-{n}" for n in (1, 2, 2, 3)]
    assert "s3cret" not in str(caught.value)


async def test_folders_of_a_hierarchical_namespace_are_no_objects_and_every_page_is_read() -> None:
    def row(name: str, kind: str = "") -> str:
        more = f"<ResourceType>{kind}</ResourceType>" if kind else ""
        return (
            f"<Blob><Name>{name}</Name><Properties><Etag>0x1</Etag><Content-Length>5</Content-Length>"
            f"<Last-Modified>Sun, 22 Nov 2026 18:49:40 GMT</Last-Modified>{more}</Properties></Blob>"
        )

    def page(rows: str, marker: str = "") -> Act:
        text = (
            f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
        )
        return answer(200, text.encode())

    script = page(row("a", "directory") + row("a/b", "file"), "m/+="), page(""), page(row("z"))
    async with container(*script[:2], page("", "n"), script[2]) as (store, server):
        assert [[item.key for item in page] async for page in store.list_pages()] == [["a/b"]]
        assert [[item.key for item in page] async for page in store.list_pages("z")] == [["z"]]
    assert "marker=m%2F%2B%3D" in server.requests[1].target


def block_list(*names: str, kind: str) -> Act:
    rows = "".join(f"<Block><Name>{name}</Name><Size>5</Size></Block>" for name in names)
    return answer(200, f"<BlockList><{kind}>{rows}</{kind}></BlockList>".encode())


def block(upload_id: str = "0" * 32, number: int = 1) -> str:
    return base64.b64encode(f"{upload_id}-{number:05}-{CRC}".encode()).decode()


async def test_a_completion_whose_answer_was_lost_is_known_again_by_its_blocks() -> None:
    exists = fault(409, "BlobAlreadyExists")
    async with container(
        answer(201), hang_up, exists, block_list(block(), kind="CommittedBlocks"), blob()
    ) as (store, _):
        part = await store.put_part(UPLOAD, 1, BODY, CRC)
        assert part.token == block()
        assert (await store.complete_upload(UPLOAD, [part], NONE, {})).version == "0x1"
    other = block_list(block("1" * 32), kind="CommittedBlocks")
    async with container(hang_up, exists, other) as (store, _):
        with pytest.raises(AlreadyExistsError):
            await store.complete_upload(UPLOAD, [part], NONE, {})


async def test_blocks_of_others_do_not_count() -> None:
    names = [block(number=3), block("1" * 32), "AAAA", "bm90IG91cnM=", "%%%"]
    async with container(block_list(*names, kind="UncommittedBlocks")) as (store, _):
        parts = await store.finished_parts(UPLOAD)
    assert parts is not None
    assert set(parts) == {3}


async def test_a_known_md5_of_the_whole_is_kept_with_the_blob() -> None:
    async with container(answer(201), blob(b"", 201)) as (store, server):
        part = await store.put_part(UPLOAD, 1, BODY, CRC)
        await store.complete_upload(UPLOAD, [part], NONE, digest(BODY, Algorithm.MD5))
        await store.complete_upload(UPLOAD, [part], NONE, {})
    sent = [request.headers.get("x-ms-blob-content-md5") for request in server.requests]
    assert sent == [None, hex_to_base64(digest(BODY, Algorithm.MD5)[Algorithm.MD5]), None]


async def test_a_part_that_is_not_what_was_read_is_not_sent() -> None:
    async with container(answer(201)) as (store, server):
        with pytest.raises(IntegrityError):
            await store.put_part(UPLOAD, 1, b"other", CRC)
        with pytest.raises(NotFoundError):
            await store.put_part(Upload("k", "../x"), 1, BODY, CRC)
    assert server.requests == []
