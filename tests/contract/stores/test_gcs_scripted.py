"""GcsStore against a server that fails as a script says: what no emulator does."""

from __future__ import annotations

import json
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
from heavylift.platforms.gcp import wire
from heavylift.platforms.gcp.gcs import GcsStore
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ObjectAttributes, PartReceipt, Upload
from heavylift.platforms.tokens import Token
from tests.contract.platforms.scripted import Act, ScriptedServer, answer, hang_up, scripted

SETTINGS = HttpSettings(attempts=3, base_delay_seconds=0.001, max_delay_seconds=0.01, stall_seconds=5)
NONE = ObjectAttributes()
BODY = b"bytes"


def resource(body: bytes = BODY, generation: str = "7", **more: Any) -> dict[str, Any]:
    sums = digest(body, Algorithm.CRC32C)
    return {
        "name": "k",
        "size": str(len(body)),
        "generation": generation,
        "updated": "2026-11-22T18:49:40Z",
        "crc32c": hex_to_base64(sums[Algorithm.CRC32C]),
        **more,
    }


def told(value: Any, status: int = 200) -> Act:
    return answer(status, json.dumps(value).encode())


def fault(status: int, reason: str = "", message: str = "") -> Act:
    return told({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}, status)


@asynccontextmanager
async def bucket(*script: Act) -> AsyncIterator[tuple[GcsStore, ScriptedServer]]:
    async with scripted(*script) as server:
        connection = Connection(
            "g", "google_cloud_platform", extra={"endpoint_url": server.url, "anonymous": True}
        )
        store = GcsStore(Location("gs", "b"), connection, settings=SETTINGS)
        try:
            yield store, server
        finally:
            await store.close()


async def put(store: GcsStore, **how: Any):
    return await store.put("k", BODY, NONE, digest(BODY, Algorithm.CRC32C), **how)


async def test_a_put_whose_answer_was_lost_is_known_again() -> None:
    async with bucket(hang_up, fault(412), told(resource())) as (store, server):
        receipt = await put(store)
    assert receipt.version == "7"
    assert [request.method for request in server.requests] == ["POST", "POST", "GET"]


async def test_another_object_there_is_not_taken_for_our_lost_put() -> None:
    async with bucket(hang_up, fault(412), told(resource(b"other"))) as (store, _):
        with pytest.raises(AlreadyExistsError):
            await put(store)


async def test_an_equal_object_that_was_there_before_is_not_ours() -> None:
    async with bucket(fault(412), told(resource())) as (store, server):
        with pytest.raises(AlreadyExistsError):
            await put(store)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [resource(b"OTHER"), resource(b"cut"), {**resource(), "crc32c": hex_to_base64("00000000")}],
)
async def test_a_put_that_arrived_damaged_is_deleted_and_an_error(wrong: dict[str, Any]) -> None:
    async with bucket(told(wrong), answer(204)) as (store, server):
        with pytest.raises(IntegrityError, match="was deleted") as told_of:
            await put(store)
    assert told_of.value.left_version == ""
    assert server.requests[1].method == "DELETE"
    assert server.requests[1].target.endswith("/o/k?generation=7")


async def test_a_damaged_object_that_cannot_be_deleted_is_told_of() -> None:
    async with bucket(told(resource(b"OTHER")), fault(403, "forbidden")) as (store, _):
        with pytest.raises(IntegrityError, match="still there") as told_of:
            await put(store)
    assert told_of.value.left_version == "7"  # so that the next attempt may replace it


async def test_the_servers_own_refusal_of_damaged_bytes_is_an_integrity_error() -> None:
    message = 'Provided CRC32C "a" doesn\'t match calculated CRC32C "b".'
    async with bucket(fault(400, "invalid", message)) as (store, _):
        with pytest.raises(IntegrityError):
            await put(store)


async def test_an_overwriting_put_sends_no_condition() -> None:
    async with bucket(told(resource())) as (store, server):
        await put(store, create_only=False)
        await put(store)
    assert ["ifGenerationMatch=0" in request.target for request in server.requests] == [False, True]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"size": "x"}', b'{"size": "5", "crc32c": "?"}'])
async def test_an_answer_that_is_not_cloud_storages_is_an_error(body: bytes) -> None:
    async with bucket(answer(200, body)) as (store, _):
        with pytest.raises(PermanentError) as caught:
            await put(store)
        assert caught.value.code == "3270"
        with pytest.raises(PermanentError):
            await store.head("k")


def media(body: bytes = BODY, status: int = 200, generation: str = "7", **how: Any) -> Act:
    return answer(status, body, x_goog_generation=generation, **how)


async def read(store: GcsStore, **how: Any) -> bytes:
    async with store.get("k", **how) as stream:
        return b"".join([chunk async for chunk in stream.chunks()])


async def test_stored_bytes_are_asked_for_and_not_decompressed() -> None:
    async with bucket(told(resource(contentEncoding="gzip")), media(Content_Encoding="gzip")) as (
        store,
        server,
    ):
        assert await read(store) == BODY
    assert server.requests[1].headers["accept-encoding"] == "gzip"
    assert "ifGenerationMatch=7" in server.requests[1].target


@pytest.mark.parametrize("body", [b"byte", b"bytes and more"])
async def test_a_body_of_another_length_than_the_object_is_an_error(body: bytes) -> None:
    async with bucket(told(resource()), media(body)) as (store, _):
        with pytest.raises(ServerUnavailableError):
            await read(store)


async def test_a_body_that_is_cut_short_is_an_error() -> None:
    async with bucket(told(resource()), media(b"by", announced=5)) as (store, _):
        with pytest.raises(ServerUnavailableError):
            await read(store)


async def test_a_server_that_sends_the_whole_for_a_range_is_found_out() -> None:
    async with bucket(told(resource()), media()) as (store, _):
        with pytest.raises(UnsupportedError):
            await read(store, offset=2)


async def test_a_server_that_passes_over_the_version_is_found_out() -> None:
    # Both answers are alike, for they are asked for at the same time.
    changed = answer(200, json.dumps(resource(generation="8")).encode(), x_goog_generation="8")
    async with bucket(changed) as (store, _):
        with pytest.raises(PreconditionError):
            await read(store, version="7")


async def test_a_changed_object_is_told_from_one_that_is_gone() -> None:
    async with bucket(fault(412), fault(412), told(resource())) as (store, _):
        with pytest.raises(PreconditionError):
            await read(store, version="7")
    async with bucket(fault(412), fault(412), fault(404)) as (store, _):
        with pytest.raises(NotFoundError):
            await read(store, version="7")


async def test_a_refused_token_is_renewed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = iter(range(1, 9))
    monkeypatch.setattr(wire, "is_anonymous", lambda _connection: False)
    monkeypatch.setattr(
        wire, "token_fetcher", lambda _connection: lambda: Token(f"s3cret-{next(issued)}", 1e12)
    )
    async with bucket(fault(401), told(resource()), fault(401), fault(401)) as (store, server):
        await store.head("k")
        with pytest.raises(CredentialError) as caught:
            await store.head("k")
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer s3cret-{n}" for n in (1, 2, 2, 3)]
    assert "s3cret" not in str(caught.value)


async def test_every_page_of_a_listing_is_read() -> None:
    first = {"items": [resource()], "nextPageToken": "t/+="}
    async with bucket(told(first), told({}), told({"items": [resource()]})) as (store, server):
        pages = [page async for page in store.list_pages("p/")]
        with_after = [page async for page in store.list_pages(start_after="k")]
    assert [len(page) for page in pages] == [1]
    assert "pageToken=t%2F%2B%3D" in server.requests[1].target
    assert with_after == []


async def test_a_composition_that_differs_from_its_parts_is_deleted() -> None:
    upload = Upload("k", "0" * 32)
    part = PartReceipt(1, 5, digest(BODY, Algorithm.CRC32C)[Algorithm.CRC32C], "name")
    async with bucket(fault(404), told(resource(b"OTHER")), answer(204)) as (store, server):
        with pytest.raises(IntegrityError):
            await store.complete_upload(upload, [part], NONE, digest(BODY, Algorithm.CRC32C))
    assert [request.method for request in server.requests] == ["GET", "POST", "DELETE"]


async def test_parts_that_cannot_be_deleted_do_not_unmake_the_object() -> None:
    upload = Upload("k", "0" * 32)
    part = PartReceipt(1, 5, digest(BODY, Algorithm.CRC32C)[Algorithm.CRC32C], "name")
    async with bucket(fault(404), told(resource()), fault(403, "forbidden")) as (store, _):
        receipt = await store.complete_upload(upload, [part], NONE, {})
    assert receipt.version == "7"
    assert receipt.checksums == digest(BODY, Algorithm.CRC32C)


async def test_of_finished_parts_only_whole_ones_count_and_the_latest() -> None:
    folder = ".heavylift-parts/" + "0" * 32
    good, other = (digest(body, Algorithm.CRC32C)[Algorithm.CRC32C] for body in (BODY, b"OTHER"))
    found = [
        {**resource(), "name": f"{folder}/upload"},
        {**resource(generation="9"), "name": f"{folder}/00001-{good}"},
        {**resource(b"OTHER", generation="8"), "name": f"{folder}/00001-{other}"},
        {**resource(b"OTHER"), "name": f"{folder}/00002-{good}"},
        {**resource(), "name": f"{folder}/join-0-00000"},
    ]
    async with bucket(told({"items": found})) as (store, _):
        parts = await store.finished_parts(Upload("k", "0" * 32))
    assert parts == {1: PartReceipt(1, 5, good, f"{folder}/00001-{good}")}


async def test_an_upload_id_that_was_never_given_out_is_refused() -> None:
    async with bucket(told({})) as (store, server):
        with pytest.raises(NotFoundError):
            await store.finished_parts(Upload("k", "../x"))
    assert server.requests == []
