"""S3Store's puts, gets, heads and tags against answers that no emulator can be made to give."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.checksums import Algorithm, Digester, digest, hex_to_base64
from heavylift.errors import (
    AlreadyExistsError,
    CredentialError,
    HeavyliftError,
    NotFoundError,
    PreconditionError,
    ServerUnavailableError,
    ThrottledError,
    UnsupportedError,
)
from heavylift.platforms.aws.uploads import multipart_etag
from heavylift.platforms.ports import ObjectAttributes, PartReceipt
from tests.contract.platforms.s3_scripted import BODY, CRC, MD5, PARTS, fault, s3, told
from tests.contract.platforms.scripted import Act, answer, hang_up
from tests.contract.stores.subject import crc32c, put, read


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
        with pytest.raises(PreconditionError, match="version new"):
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


async def test_an_empty_object_made_of_a_part_is_proved_without_asking_for_that_part() -> None:
    """SeaweedFS answers 500 to a HEAD of a part of nothing."""
    etag = multipart_etag([PartReceipt(1, 0, "", digest(b"", Algorithm.MD5)[Algorithm.MD5])])
    async with s3(answer(200, b"", ETag=f'"{etag}"')) as (store, server):
        head = await store.head("key")
    assert head.part_sizes == (0,)
    assert len(server.requests) == 1
    told = Digester([Algorithm.MD5_PARTS], head.part_sizes)
    assert told.checksums() == {Algorithm.MD5_PARTS: etag}


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
