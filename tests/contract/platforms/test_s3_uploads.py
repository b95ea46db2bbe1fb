"""S3Store's uploads in parts: what completes them, and what a checksum then proves."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.checksums import Algorithm, hex_to_base64
from heavylift.errors import (
    AlreadyExistsError,
    CredentialError,
    IntegrityError,
    NotFoundError,
)
from heavylift.platforms.aws.uploads import composite_crc32c, multipart_etag
from heavylift.platforms.ports import ObjectAttributes, PartReceipt
from tests.contract.platforms.s3_scripted import CRC, MD5, PARTS, UPLOAD, WHOLE, fault, s3, told
from tests.contract.platforms.scripted import Act, ScriptedServer, answer, hang_up


def joined(crc: str = "", kind: str = "", etag: str = "made-2") -> Act:
    """Answer a completion."""
    body = f"<ETag>&quot;{etag}&quot;</ETag>"
    body += f"<ChecksumCRC32C>{crc}</ChecksumCRC32C>" if crc else ""
    body += f"<ChecksumType>{kind}</ChecksumType>" if kind else ""
    return answer(200, f"<CompleteMultipartUploadResult>{body}</CompleteMultipartUploadResult>".encode())


async def complete(*script: Act, create_only: bool = True) -> tuple[Any, ScriptedServer]:
    """Complete an upload of PARTS."""
    async with s3(*script) as (store, server):
        receipt = await store.complete_upload(
            UPLOAD, PARTS, ObjectAttributes(), {Algorithm.CRC32C: WHOLE}, create_only=create_only
        )
    return receipt, server


async def test_a_full_object_checksum_is_the_servers_own() -> None:
    receipt, server = await complete(joined(hex_to_base64(WHOLE), "FULL_OBJECT"))
    assert receipt.checksums == {Algorithm.CRC32C: WHOLE}
    [sent] = server.requests
    assert sent.headers["if-none-match"] == "*"
    assert sent.headers["x-amz-mp-object-size"] == "8"
    assert "x-amz-checksum-crc32c" not in sent.headers


@pytest.mark.parametrize(("suffix", "kind"), [("-2", "COMPOSITE"), ("-2", ""), ("", "COMPOSITE")])
async def test_a_composite_that_equals_ours_vouches_for_the_whole(suffix: str, kind: str) -> None:
    receipt, _ = await complete(joined(composite_crc32c(PARTS) + suffix, kind))
    assert receipt.checksums == {Algorithm.CRC32C: WHOLE}


async def test_a_composite_of_other_parts_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError, match="not those of the source"):
        await complete(joined(composite_crc32c(PARTS[::-1]) + "-2", "COMPOSITE"))


async def test_another_checksum_of_the_whole_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError, match="not those of the source"):
        await complete(joined(hex_to_base64(CRC), "FULL_OBJECT"))


async def test_a_checksum_of_unknown_type_vouches_for_nothing() -> None:
    etag = multipart_etag(PARTS)
    receipt, server = await complete(joined(hex_to_base64(WHOLE)), answer(200, ETag=f'"{etag}"'))
    assert receipt.checksums == {}
    assert [sent.method for sent in server.requests] == ["POST", "HEAD"]


async def test_a_completion_without_checksum_is_followed_by_a_head() -> None:
    etag = multipart_etag(PARTS)
    receipt, _ = await complete(joined(), told(WHOLE, etag, x_amz_checksum_type="FULL_OBJECT"))
    assert (receipt.version, receipt.checksums) == (etag, {Algorithm.CRC32C: WHOLE})


async def test_a_head_of_another_object_vouches_for_nothing() -> None:
    receipt, _ = await complete(joined(etag="mine"), told(WHOLE, "other", x_amz_checksum_type="FULL_OBJECT"))
    assert (receipt.version, receipt.checksums) == ("mine", {})


async def test_an_error_inside_a_success_is_retried_or_raised() -> None:
    spaces = b'<?xml version="1.0"?>\n   \n' + fault("InternalError")
    receipt, server = await complete(answer(200, spaces), joined(hex_to_base64(WHOLE), "FULL_OBJECT"))
    assert receipt.checksums
    assert len(server.requests) == 2
    with pytest.raises(CredentialError):
        await complete(answer(200, fault("AccessDenied")))


async def test_our_own_completion_whose_answer_was_lost_counts_as_done() -> None:
    etag = multipart_etag(PARTS)
    for refused in (answer(404, fault("NoSuchUpload")), answer(412)):
        receipt, _ = await complete(hang_up, refused, told(WHOLE, etag, x_amz_checksum_type="FULL_OBJECT"))
        assert (receipt.version, receipt.checksums) == (etag, {Algorithm.CRC32C: WHOLE})


async def test_after_a_lost_answer_another_object_is_no_success() -> None:
    with pytest.raises(NotFoundError):
        await complete(hang_up, answer(404, fault("NoSuchUpload")), told(WHOLE, MD5))
    with pytest.raises(AlreadyExistsError):
        await complete(hang_up, answer(412), answer(404))


BEGUN = b"<InitiateMultipartUploadResult><UploadId>u/1+2</UploadId></InitiateMultipartUploadResult>"


async def test_an_upload_asks_for_a_checksum_of_the_whole() -> None:
    finished = joined(hex_to_base64(WHOLE), "FULL_OBJECT")
    async with s3(answer(200, BEGUN, x_amz_checksum_type="FULL_OBJECT"), finished) as (store, server):
        upload = await store.begin_upload("key", ObjectAttributes(content_type="a/b", tags={"t": "v"}))
        await store.complete_upload(upload, PARTS, ObjectAttributes(), {Algorithm.CRC32C: WHOLE})
    begun, completed = server.requests
    assert begun.target == "/bucket/key?uploads="
    assert begun.headers["x-amz-checksum-algorithm"] == "CRC32C"
    assert begun.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert begun.headers["x-amz-tagging"] == "t=v"
    assert completed.target == "/bucket/key?uploadId=u%2F1%2B2"
    assert completed.headers["x-amz-checksum-crc32c"] == hex_to_base64(WHOLE)


async def test_a_server_without_such_checksums_is_asked_without_from_then_on() -> None:
    refused = answer(400, fault("InvalidRequest"))
    async with s3(refused, answer(200, BEGUN)) as (store, server):
        await store.begin_upload("key", ObjectAttributes())
        await store.begin_upload("key", ObjectAttributes())
    assert ["x-amz-checksum-type" in sent.headers for sent in server.requests] == [True, False, False]


async def test_a_refusal_for_another_reason_is_not_blamed_on_checksums() -> None:
    async with s3(answer(403, fault("AccessDenied"))) as (store, server):
        with pytest.raises(CredentialError):
            await store.begin_upload("key", ObjectAttributes())
    assert len(server.requests) == 1


def part_page(number: int, following: str) -> Act:
    crc = f"<ChecksumCRC32C>{hex_to_base64(CRC)}</ChecksumCRC32C>"
    body = (
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;e{number}&quot;</ETag><Size>8</Size>{crc}</Part>"
    )
    body += f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>"
    body += f"<NextPartNumberMarker>{following}</NextPartNumberMarker>"
    return answer(200, f"<ListPartsResult>{body}</ListPartsResult>".encode())


async def test_finished_parts_come_from_all_pages() -> None:
    async with s3(part_page(1, "1"), part_page(2, "")) as (store, server):
        found = await store.finished_parts(UPLOAD)
    assert found == {n: PartReceipt(n, 8, CRC, f"e{n}") for n in (1, 2)}
    assert server.requests[1].target == "/bucket/key?part-number-marker=1&uploadId=upload-1"


async def test_an_upload_that_is_gone_has_no_parts() -> None:
    async with s3(answer(404, fault("NoSuchUpload"))) as (store, _):
        assert await store.finished_parts(UPLOAD) is None
        await store.abort_upload(UPLOAD)
