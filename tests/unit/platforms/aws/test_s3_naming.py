"""Keys on the wire, addresses of buckets, and the keys that S3 cannot hold."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, UnsupportedError
from heavylift.locations import Location
from heavylift.platforms.aws.naming import aws_host, bucket_address, encode_key, key_problem


def connection(**extra: Any) -> Connection:
    return Connection("c", "aws", extra=extra)


def address(bucket: str = "data", region: str = "eu-west-1", **extra: Any) -> Any:
    return bucket_address(Location("s3", bucket), connection(**extra), region)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("plain/k.txt", "plain/k.txt"),
        ("a b+c%d", "a%20b%2Bc%25d"),
        ("/lead//x/", "/lead//x/"),
        ("./a/../b", "./a/../b"),
        ("é😀", "%C3%A9%F0%9F%98%80"),
        ("~-._", "~-._"),
        ("!*'();:@&=$,?#[]", "%21%2A%27%28%29%3B%3A%40%26%3D%24%2C%3F%23%5B%5D"),
        ("\n\x00\x7f", "%0A%00%7F"),
    ],
)
def test_keys_are_percent_encoded_byte_by_byte(key: str, path: str) -> None:
    assert encode_key(key) == path


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_encoding_loses_nothing(key: str) -> None:
    assert unquote_to_bytes(encode_key(key)) == key.encode()


def test_a_key_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="not valid UTF-8"):
        encode_key("\udcff")


def test_aws_gets_virtual_hosted_style() -> None:
    made = address()
    assert made.object_url("k") == "https://data.s3.eu-west-1.amazonaws.com/k"
    assert made.bucket_url(prefix="a/") == "https://data.s3.eu-west-1.amazonaws.com/?prefix=a%2F"


def test_dots_in_the_name_mean_path_style() -> None:
    assert address("my.data").object_url("k") == "https://s3.eu-west-1.amazonaws.com/my.data/k"


def test_the_key_soap_goes_in_path_style() -> None:
    assert address().object_url("soap") == "https://s3.eu-west-1.amazonaws.com/data/soap"


def test_an_endpoint_means_path_style() -> None:
    made = address(endpoint_url="http://127.0.0.1:8333/")
    assert made.object_url("a//b") == "http://127.0.0.1:8333/data/a//b"
    assert made.bucket_url(x="1") == "http://127.0.0.1:8333/data/?x=1"


def test_an_endpoint_may_ask_for_virtual_style() -> None:
    made = address(endpoint_url="https://minio:9000", config_kwargs={"s3": {"addressing_style": "virtual"}})
    assert made.object_url("k") == "https://data.minio:9000/k"


def test_the_endpoint_of_the_service_comes_first() -> None:
    made = address(endpoint_url="http://all:1", service_config={"s3": {"endpoint_url": "http://only-s3:2"}})
    assert made.object_url("k") == "http://only-s3:2/data/k"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "s3.us-east-1.amazonaws.com"),
        ("eu-west-1", "s3.eu-west-1.amazonaws.com"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_each_partition_has_its_own_host(region: str, host: str) -> None:
    assert aws_host(region) == host


@pytest.mark.parametrize(
    "url", ["minio:9000", "ftp://x", "https://user:pw@minio", "http://", "https://h?a=1"]
)
def test_an_endpoint_that_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ConnectionConfigError) as caught:
        address(endpoint_url=url)
    assert "pw" not in str(caught.value)


def test_directory_buckets_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="directory bucket"):
        address("data--euw1-az1--x-s3")


@pytest.mark.parametrize(
    "key",
    [
        "k",
        "x" * 1024,
        "é" * 512,
        "a//b",
        "/lead",
        "trail/",
        "./a",
        ".",
        "p/../q",
        "videos/2014/../../v.wmv",
        "\n",
    ],
)
def test_keys_that_s3_holds(key: str) -> None:
    assert key_problem(key) is None


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "empty"),
        ("x" * 1025, "1025 bytes"),
        ("é" * 513, "1026 bytes"),
        ("\ud800", "not valid Unicode"),
        ("..", "lead above the bucket"),
        ("../a", "lead above the bucket"),
        ("videos/../../v.wmv", "lead above the bucket"),
    ],
)
def test_keys_that_s3_does_not_hold(key: str, why: str) -> None:
    assert why in str(key_problem(key))
