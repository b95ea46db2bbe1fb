"""Attributes, checksums and heads, from and to S3's headers."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from heavylift.checksums import Algorithm, digest, hex_to_base64
from heavylift.errors import UnsupportedError
from heavylift.platforms.aws.attributes import attribute_problems, sendable, unsendable
from heavylift.platforms.aws.headers import (
    attribute_headers,
    checksum_headers,
    http_date_us,
    iso_date_us,
    read_attributes,
    read_checksums,
    read_head,
    unquoted,
)
from heavylift.platforms.ports import ObjectAttributes

MD5 = hashlib.md5(b"body").hexdigest()
CRC32C = digest(b"body", Algorithm.CRC32C)[Algorithm.CRC32C]


def answer(**headers: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict({k.replace("_", "-"): v for k, v in headers.items()}))


FULL = ObjectAttributes(
    content_type="text/plain",
    content_encoding="gzip",
    cache_control="no-store",
    content_disposition="inline",
    content_language="fr",
    metadata={"a": "plain", "b-c": "größe 東京", "d": " ends ", "e": "a  b", "f": "", "g": "50%=?x?="},
)


def test_attributes_come_back_from_their_own_headers() -> None:
    headers = attribute_headers(FULL)
    assert all(value.isascii() for value in headers.values())
    assert read_attributes(CIMultiDictProxy(CIMultiDict(headers))) == FULL


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_metadata_value_comes_back(value: str) -> None:
    headers = attribute_headers(ObjectAttributes(metadata={"k": value}))
    [sent] = headers.values()
    assert sent.isascii()
    assert sent.isprintable()
    assert sent == sent.strip()
    got = read_attributes(CIMultiDictProxy(CIMultiDict(headers))).metadata["k"]
    # S3 itself decodes what looks like an encoded word, whoever wrote it.
    assert got == value or "=?" in value


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("=?UTF-8?B?w6k=?=", "é"),
        ("=?utf-8?q?=C3=A9_x?=", "é x"),
        ("=?UTF-8?B?w6k=?= =?UTF-8?B?w6k=?=", "éé"),
        ("=?no-such?B?w6k=?=", "=?no-such?B?w6k=?="),
        ("=?UTF-8?B?broken", "=?UTF-8?B?broken"),
        ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="),
        ("a=?b", "a=?b"),
        # Needs no encoding, so nobody encoded it: S3 itself never answers with such a word.
        ("=?UTF-8?B?aGFsbG8=?=", "=?UTF-8?B?aGFsbG8=?="),
        ("=?UTF-8?B?IGxlYWQ=?=", " lead"),
    ],
)
def test_encoded_words_of_others_are_read(sent: str, value: str) -> None:
    assert read_attributes(answer(x_amz_meta_k=sent)).metadata == {"k": value}


def test_tags_are_form_encoded() -> None:
    headers = attribute_headers(ObjectAttributes(tags={"a b": "c&d=e", "é": "+"}))
    assert headers == {"x-amz-tagging": "a%20b=c%26d%3De&%C3%A9=%2B"}


def test_one_checksum_and_the_md5_are_sent() -> None:
    everything = digest(b"body", *(set(Algorithm) - {Algorithm.MD5_PARTS}))
    assert checksum_headers(everything) == {
        "x-amz-checksum-crc32c": hex_to_base64(CRC32C),
        "content-md5": hex_to_base64(MD5),
    }
    assert checksum_headers({Algorithm.SHA256: "00" * 32}) == {"x-amz-checksum-sha256": "A" * 43 + "="}
    assert checksum_headers({Algorithm.MD5_PARTS: f"{MD5}-2"}) == {}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": f'"{MD5}"'}, {Algorithm.MD5: MD5}),
        ({"ETag": f'"{MD5}-3"'}, {Algorithm.MD5_PARTS: f"{MD5}-3"}),
        ({"ETag": '"opaque"'}, {}),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, {Algorithm.MD5: MD5}),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, {}),
        ({"ETag": f'"{MD5}-2"', "x-amz-server-side-encryption": "aws:kms:dsse"}, {}),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, {}),
        ({"x-amz-checksum-crc32c": hex_to_base64(CRC32C)}, {Algorithm.CRC32C: CRC32C}),
        (
            {"x-amz-checksum-crc32c": hex_to_base64(CRC32C), "x-amz-checksum-type": "FULL_OBJECT"},
            {Algorithm.CRC32C: CRC32C},
        ),
        ({"x-amz-checksum-crc32c": hex_to_base64(CRC32C), "x-amz-checksum-type": "COMPOSITE"}, {}),
        ({"x-amz-checksum-crc32c": hex_to_base64(CRC32C) + "-2"}, {Algorithm.CRC32C_PARTS: f"{CRC32C}-2"}),
        ({"x-amz-checksum-crc32c": "not base64!"}, {}),
        (
            {"x-amz-checksum-crc32c": hex_to_base64(CRC32C), "ETag": f'"{MD5}-2"'},
            {Algorithm.MD5_PARTS: f"{MD5}-2"},
        ),
        (
            {
                "x-amz-checksum-crc32c": hex_to_base64(CRC32C),
                "x-amz-checksum-type": "FULL_OBJECT",
                "ETag": f'"{MD5}-2"',
            },
            {Algorithm.CRC32C: CRC32C, Algorithm.MD5_PARTS: f"{MD5}-2"},
        ),
        ({}, {}),
    ],
)
def test_only_checksums_of_the_whole_are_told(headers: dict[str, str], expected: dict[str, str]) -> None:
    assert read_checksums(CIMultiDictProxy(CIMultiDict(headers))) == expected


def test_a_head_of_a_range_tells_the_whole() -> None:
    headers = answer(
        Content_Length="10",
        Content_Range="bytes 0-9/1234",
        ETag='"v1"',
        Last_Modified="Sun, 22 Nov 2026 18:53:42 GMT",
        x_amz_tagging_count="2",
        x_amz_storage_class="STANDARD_IA",
    )
    head = read_head("k", headers, "get of k")
    assert (head.object.size_bytes, head.object.version, head.tag_count) == (1234, "v1", 2)
    assert head.object.storage_class == "STANDARD_IA"
    assert head.object.modified_us == 1795373622000000
    assert read_head("k", answer(Content_Length="10"), "get of k").tag_count is None


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ({"x_amz_tagging_count": "3", "Server": "any"}, 3),
        ({"Server": "AmazonS3"}, 0),
        ({"Server": "SeaweedFS 8000GB 4.48"}, 0),
        ({"Server": "MinIO"}, None),
        ({}, None),
    ],
)
def test_a_missing_count_of_tags_means_none_only_where_it_would_be_told(
    headers: dict[str, str], count: int | None
) -> None:
    assert read_head("k", answer(**headers), "get of k").tag_count == count


def test_metadata_that_s3_keeps_back_is_an_error() -> None:
    with pytest.raises(UnsupportedError, match="2 metadata entries"):
        read_head("k", answer(x_amz_missing_meta="2"), "get of k")


def test_dates() -> None:
    assert iso_date_us("2026-11-22T18:53:42.123Z") == 1795373622123000
    assert iso_date_us("2026-11-22T18:53:42Z") == http_date_us("Sun, 22 Nov 2026 18:53:42 GMT")
    assert iso_date_us("") == iso_date_us("yesterday") == http_date_us("") == 0


@pytest.mark.parametrize(
    ("etag", "version"), [('"a"', "a"), ("a", "a"), ('W/"a"', 'W/"a"'), ('"', '"'), ("", "")]
)
def test_entity_tags_lose_their_quotes(etag: str, version: str) -> None:
    assert unquoted(etag) == version


def test_plain_attributes_have_no_problems() -> None:
    assert attribute_problems(FULL) == []
    assert attribute_problems(ObjectAttributes(tags={"a b": "c:/=+-@._é1", "empty": ""})) == []
    assert attribute_problems(ObjectAttributes(metadata={"k": "v" * 2047})) == []


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        (ObjectAttributes(metadata={"k": "v" * 2048}), "2049 bytes"),
        (ObjectAttributes(metadata={"k": "é" * 1024}), "2049 bytes"),
        (ObjectAttributes(metadata={"Run": "1"}), "'Run': kept as 'run'"),
        (ObjectAttributes(tags={f"{n}": "日" * 256 for n in range(4)}), "at most 8192"),
        (ObjectAttributes(metadata={"Run": "1", "run": "2"}), "differ only in case"),
        (ObjectAttributes(metadata={"a b": "1"}), "no HTTP header name"),
        (ObjectAttributes(metadata={"": "1"}), "no HTTP header name"),
        (ObjectAttributes(metadata={"k": "a\r\nx: y"}), "control characters"),
        (ObjectAttributes(metadata={"k": "\ud800"}), "no valid Unicode"),
        (ObjectAttributes(content_disposition='attachment; filename="é"'), "content_disposition"),
        (ObjectAttributes(content_type=""), "content_type is empty"),
        (ObjectAttributes(cache_control=" x"), "cache_control"),
        (ObjectAttributes(tags={f"t{n}": "v" for n in range(11)}), "11 tags"),
        (ObjectAttributes(tags={"t" * 129: "v"}), "too long"),
        (ObjectAttributes(tags={"": "v"}), "too long"),
        (ObjectAttributes(tags={"t": "v" * 257}), "too long"),
        (ObjectAttributes(tags={"AWS:x": "v"}), "AWS's own"),
        (ObjectAttributes(tags={"t": "a#b"}), "S3 allows letters"),
    ],
)
def test_what_s3_cannot_keep_is_named(attributes: ObjectAttributes, why: str) -> None:
    problems = attribute_problems(attributes)
    assert any(why in problem for problem in problems)
    assert not any("\n" in problem or "\ud800" in problem for problem in problems)


@pytest.mark.parametrize(
    "attributes",
    [
        ObjectAttributes(metadata={"k": "v\r\nAuthorization: evil"}),
        ObjectAttributes(metadata={"k\r\nevil": "v"}),
        ObjectAttributes(metadata={"k:": "v"}),
        ObjectAttributes(content_type="a\nb"),
        ObjectAttributes(content_disposition="a\x00b"),
    ],
)
def test_what_could_break_out_of_a_header_is_refused(attributes: ObjectAttributes) -> None:
    assert not sendable(attributes)
    error = unsendable("put of k", attributes)
    assert isinstance(error, UnsupportedError)
    assert "nothing was written" in str(error)


def test_sendable_attributes_pass() -> None:
    assert sendable(FULL)
