"""S3Store against scripted answers: what no emulator can be made to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heavylift.checksums import Algorithm, combine_crc32c, digest, hex_to_base64
from heavylift.connections import Connection
from heavylift.errors import (
    AlreadyExistsError,
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
    ThrottledError,
    UnsupportedError,
)
from heavylift.locations import Location
from heavylift.platforms.aws.s3 import S3Store
from heavylift.platforms.aws.uploads import composite_crc32c, multipart_etag
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import ObjectAttributes, PartReceipt, Upload
from tests.contract.platforms.scripted import Act, ScriptedServer, answer, hang_up, scripted
from tests.contract.stores.subject import crc32c, listed_keys, put, read

BODY = b"the body"
CRC = crc32c(BODY)
MD5 = digest(BODY, Algorithm.MD5)[Algorithm.MD5]
PARTS = [PartReceipt(1, 5, crc32c(b"first"), MD5), PartReceipt(2, 3, crc32c(b"2nd"), "0" * 32)]
WHOLE = combine_crc32c((part.crc32c, part.size_bytes) for part in PARTS)
UPLOAD = Upload("key", "upload-1")


@asynccontextmanager
async def s3(*script: Act, attempts: int = 4, **extra: Any) -> AsyncIterator[tuple[S3Store, ScriptedServer]]:
    """Open a store on a scripted server."""
    async with scripted(*script) as server:
        extra = {"endpoint_url": server.url, "region_name": "us-east-1"} | extra
        login = None if "profile_name" in extra else "AKIAEXAMPLE"
        connection = Connection("target", "aws", login, "secret-key" if login else None, extra=extra)
        settings = HttpSettings(attempts=attempts, base_delay_seconds=0.001)
        store = S3Store(Location("s3", "bucket"), connection, settings=settings, pacer=Pacer())
        try:
            yield store, server
        finally:
            await store.close()


def fault(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>Because</Message>{more}</Error>".encode()


def told(crc: str = CRC, etag: str = MD5, size: int = len(BODY), **more: str) -> Act:
    """Answer a HEAD, or a PUT, about an object."""
    headers = {"ETag": f'"{etag}"', "x_amz_checksum_crc32c": hex_to_base64(crc)} | more
    return answer(200, b"x" * size, **headers)


async def error_of(*script: Act, **extra: Any) -> HeavyliftError:
    """Return the error with which a put fails."""
    async with s3(*script, **extra) as (store, _):
        with pytest.raises(HeavyliftError) as caught:
            await put(store, "key", BODY)
    return caught.value


async def test_a_put_carries_its_checksum_and_its_condition() -> None:
    async with s3(told()) as (store, server):
        receipt = await put(store, "a b", BODY)
    [sent] = server.requests
    assert (sent.method, sent.target, sent.body) == ("PUT", "/bucket/a%20b", BODY)
    assert sent.headers["x-amz-checksum-crc32c"] == hex_to_base64(CRC)
    assert sent.headers["if-none-match"] == "*"
    assert receipt.version == MD5
    assert receipt.checksums == {Algorithm.CRC32C: CRC, Algorithm.MD5: MD5}


async def test_an_overwriting_put_has_no_condition() -> None:
    async with s3(told()) as (store, server):
        await put(store, "key", BODY, create_only=False)
    assert "if-none-match" not in server.requests[0].headers


async def test_md5_and_sha256_are_sent_when_they_are_known() -> None:
    known = digest(BODY, Algorithm.CRC32C, Algorithm.MD5, Algorithm.SHA256)
    async with s3(told()) as (store, server):
        await store.put("key", BODY, ObjectAttributes(), known)
    headers = server.requests[0].headers
    assert headers["content-md5"] == hex_to_base64(MD5)
    assert headers["x-amz-content-sha256"] == known[Algorithm.SHA256]


async def test_a_receipt_claims_only_what_the_server_said() -> None:
    async with s3(answer(200, ETag='"opaque"')) as (store, _):
        assert (await put(store, "key", BODY)).checksums == {}
    async with s3(told(x_amz_server_side_encryption="aws:kms")) as (store, _):
        assert (await put(store, "key", BODY)).checksums == {Algorithm.CRC32C: CRC}


async def test_our_own_put_whose_answer_was_lost_counts_as_done() -> None:
    async with s3(hang_up, answer(412, fault("PreconditionFailed")), told()) as (store, server):
        receipt = await put(store, "key", BODY)
    assert receipt.checksums[Algorithm.CRC32C] == CRC
    assert [sent.method for sent in server.requests] == ["PUT", "PUT", "HEAD"]


@pytest.mark.parametrize("other", [told(crc32c(b"other")), told(size=3), answer(200, BODY), answer(404)])
async def test_after_a_lost_answer_somebody_elses_object_is_a_conflict(other: Act) -> None:
    with pytest.raises(AlreadyExistsError):
        async with s3(hang_up, answer(412), other) as (store, _):
            await put(store, "key", BODY)


async def test_without_a_lost_answer_the_same_bytes_are_a_conflict() -> None:
    async with s3(answer(412), told()) as (store, server):
        with pytest.raises(AlreadyExistsError):
            await put(store, "key", BODY)
    assert len(server.requests) == 1


async def test_a_racing_writer_is_waited_for() -> None:
    async with s3(answer(409, fault("ConditionalRequestConflict")), told()) as (store, server):
        await put(store, "key", BODY)
    assert len(server.requests) == 2


async def test_slow_down_is_obeyed_and_told() -> None:
    async with s3(answer(503, fault("SlowDown")), told()) as (store, _):
        await put(store, "key", BODY)
    assert type(await error_of(answer(503, fault("SlowDown")))) is ThrottledError


async def test_a_wrong_region_names_the_right_one() -> None:
    got = await error_of(answer(301, fault("PermanentRedirect"), x_amz_bucket_region="eu-north-1"))
    assert got.remedy == "set extra.region_name of the connection to eu-north-1"


async def test_keys_that_a_server_repeats_do_not_show() -> None:
    echo = b"<Error><Code>AccessDenied</Code><Message>AKIAEXAMPLE with secret-key</Message></Error>"
    got = await error_of(answer(403, echo))
    assert type(got) is CredentialError
    assert "*** with ***" in str(got)


async def test_an_expired_token_in_the_connection_is_final() -> None:
    async with s3(answer(400, fault("ExpiredToken"))) as (store, server):
        with pytest.raises(CredentialError, match="renew the session"):
            await put(store, "key", BODY)
    assert len(server.requests) == 1


@pytest.mark.parametrize("expired", [answer(400, fault("ExpiredToken")), answer(400)])
async def test_an_expired_token_of_a_profile_is_read_again_once(
    expired: Act, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials"
    path.write_text("[p]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    async with s3(told(), expired, told(), expired, profile_name="p") as (store, server):
        await store.head("key")
        path.write_text(path.read_text().replace("AKIAOLD", "AKIANEW"))
        await store.head("key")
        with pytest.raises(HeavyliftError):
            await store.head("key")
    used = ["AKIANEW" in sent.headers["authorization"] for sent in server.requests]
    assert used == [False, False, True, True, True]


async def test_a_range_that_is_not_honoured_is_refused() -> None:
    async with s3(answer(200, BODY)) as (store, _):
        with pytest.raises(UnsupportedError, match="HTTP 206"):
            await read(store, "key", offset=3)


async def test_a_server_that_ignores_the_pin_is_found_out() -> None:
    async with s3(answer(200, BODY, ETag='"new"')) as (store, server):
        with pytest.raises(PreconditionError, match='version "new"'):
            await read(store, "key", version="old")
    assert server.requests[0].headers["if-match"] == '"old"'


async def test_a_cut_download_is_an_error() -> None:
    async with s3(answer(200, BODY, announced=100), attempts=1) as (store, _):
        with pytest.raises(ServerUnavailableError):
            await read(store, "key")


async def test_a_get_asks_for_no_part_sizes_and_a_head_does() -> None:
    etag = multipart_etag(PARTS)
    first, last = (answer(206, b"x" * size, x_amz_mp_parts_count="2") for size in (5, 3))
    async with s3(answer(200, BODY, ETag=f'"{etag}"'), first, last) as (store, server):
        async with store.get("key") as stream:
            assert stream.head.part_sizes == ()
        assert len(server.requests) == 1
    async with s3(answer(200, BODY, ETag=f'"{etag}"'), first, last) as (store, server):
        head = await store.head("key")
    assert sum(head.part_sizes) == len(BODY)
    assert {sent.target for sent in server.requests[1:]} == {
        "/bucket/key?partNumber=1",
        "/bucket/key?partNumber=2",
    }


@pytest.mark.parametrize(
    "part",
    [
        answer(400, fault("InvalidArgument")),
        answer(206, b"x" * 5),
        answer(206, b"x" * 5, x_amz_mp_parts_count="9"),
        answer(206, b"x" * 5, x_amz_mp_parts_count="2"),
    ],
)
async def test_part_sizes_that_do_not_add_up_stay_unknown(part: Act) -> None:
    async with s3(answer(200, BODY, ETag=f'"{multipart_etag(PARTS)}"'), part) as (store, _):
        assert (await store.head("key")).part_sizes == ()


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


def listing(*keys: str, token: str = "", url: bool = True) -> Act:
    rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    encoding = "<EncodingType>url</EncodingType>" if url else ""
    more = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        if token
        else ""
    )
    return answer(200, f"<ListBucketResult>{encoding}{rows}{more}</ListBucketResult>".encode())


async def test_pages_follow_their_tokens() -> None:
    async with s3(listing("a", token="t+1/="), listing("b")) as (store, server):
        assert await listed_keys(store, "p q/", "p q/a") == ["a", "b"]
    first, second = (sent.target for sent in server.requests)
    assert "prefix=p%20q%2F" in first
    assert "start-after=p%20q%2Fa" in first
    assert "encoding-type=url" in first
    assert "continuation-token=t%2B1%2F%3D" in second
    assert "start-after" not in second


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # No plus, no doubt.
        ([listing("a%20b", "c%2Bd", "e%25f")], ["a b", "c+d", "e%f"]),
        # As AWS writes: the probe finds a key with a space, written as a plus.
        ([listing("a+b", "c%2Bd"), listing("a+b")], ["a b", "c+d"]),
        # Spaces as %20 and a plus as it is: the probe finds nothing, or shows a space as %20.
        ([listing("a+b", "c%20d"), listing()], ["a+b", "c d"]),
        ([listing("a%20b", "a+b"), listing("a%20b")], ["a b", "a+b"]),
        # The parameter was ignored: keys are as they are.
        ([listing("a+b", "c%20d", url=False)], ["a+b", "c%20d"]),
    ],
)
async def test_a_plus_in_a_listing_is_found_out_and_not_guessed(
    answers: list[Act], expected: list[str]
) -> None:
    async with s3(*answers) as (store, server):
        assert await listed_keys(store) == expected
        assert len(server.requests) == len(answers)
    if len(answers) == 2:
        assert "prefix=a%20b" in server.requests[1].target


async def test_a_key_that_is_no_utf8_is_listed_and_named() -> None:
    async with s3(listing("a%FFb")) as (store, _):
        [key] = await listed_keys(store)
        assert store.key_problem(key)


@pytest.mark.parametrize(
    "page",
    [
        b"<html>Please sign in</html>",
        b"",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
async def test_an_answer_that_is_not_s3s_is_told_as_such(page: bytes) -> None:
    async with s3(answer(200, page)) as (store, _):
        with pytest.raises(PermanentError, match="endpoint_url"):
            await store.check()


async def test_a_listing_that_breaks_off_is_not_taken_for_whole() -> None:
    async with s3(listing("a", token="t"), answer(403, fault("AccessDenied"))) as (store, _):
        with pytest.raises(CredentialError):
            await listed_keys(store)


async def test_a_missing_set_of_tags_is_an_empty_one() -> None:
    async with s3(answer(404, fault("NoSuchTagSet"))) as (store, _):
        assert await store.tags("key") == {}
    async with s3(answer(404, fault("NoSuchKey"))) as (store, _):
        with pytest.raises(NotFoundError):
            await store.tags("key")


async def test_no_error_repeats_a_key_over_several_lines() -> None:
    async with s3(answer(404, fault("NoSuchKey"))) as (store, _):
        with pytest.raises(NotFoundError) as caught:
            await read(store, "a\nb")
    assert "\n" not in str(caught.value)
    assert "a\\nb" in str(caught.value)
