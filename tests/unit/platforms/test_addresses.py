"""One store is known as one, however a connection spells its address."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.locations import Location
from heavylift.platforms.addresses import store_of
from heavylift.platforms.places import Place


def s3(**extra: Any) -> Place:
    return Place(Location("s3", "b"), Connection("c", "aws", extra=extra))


def gs(**extra: Any) -> Place:
    return Place(Location("gs", "b"), Connection("c", "google_cloud_platform", extra=extra))


def az(host: str = "", login: str = "", **extra: Any) -> Place:
    return Place(Location("az", "b"), Connection("c", "wasb", host=host, login=login, extra=extra))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (s3(), s3(region_name="eu-west-1")),
        (s3(region_name="us-east-1"), s3(region_name="eu-west-1")),
        (s3(region_name="eu-west-1"), s3(endpoint_url="https://s3.eu-west-1.amazonaws.com")),
        (s3(endpoint_url="http://127.0.0.1:9000"), s3(endpoint_url="http://localhost:9000/")),
        (s3(endpoint_url="http://[::1]:9000"), s3(endpoint_url="http://LOCALHOST:9000")),
        (s3(endpoint_url="https://minio.example"), s3(endpoint_url="https://minio.example.:443/")),
        (
            s3(endpoint_url="https://minio.example"),
            s3(service_config={"s3": {"endpoint_url": "https://minio.example"}}, region_name="x"),
        ),
        (gs(), s3(endpoint_url="https://storage.googleapis.com")),
        (gs(), gs(endpoint_url="https://storage.googleapis.com/")),
        (az("https://acc.blob.core.windows.net/", "acc"), az(login="acc")),
        (az("acc.blob.core.windows.net"), az(connection_string="AccountName=acc;AccountKey=aw==")),
    ],
)
def test_two_spellings_are_one_store(one: Place, other: Place) -> None:
    assert store_of(one) == store_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (s3(region_name="us-east-1"), s3(region_name="cn-north-1")),
        (s3(), s3(endpoint_url="https://minio.example")),
        (s3(endpoint_url="http://127.0.0.1:9000"), s3(endpoint_url="http://127.0.0.1:9001")),
        (s3(endpoint_url="https://amazonaws.com.example"), s3()),
        (gs(), s3()),
        (az(login="one"), az(login="two")),
        (az("http://127.0.0.1:10000/one"), az("http://127.0.0.1:10000/two")),
    ],
)
def test_two_stores_stay_two(one: Place, other: Place) -> None:
    assert store_of(one) != store_of(other)
