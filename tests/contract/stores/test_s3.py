"""S3Store on SeaweedFS, which checks signatures and checksums, and on moto, which keeps every key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.locations import Location
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store
from tests.contract.stores.conformance import (
    CheckingServer,
    Keys,
    Listings,
    Objects,
    OrderedListings,
    Pages,
    Parts,
    VerifyingServer,
)
from tests.contract.stores.conftest import ConnectionOf
from tests.contract.stores.keys import LONG_KEY
from tests.contract.stores.subject import Subject

SETTINGS = HttpSettings(attempts=3, base_delay_seconds=0.01)

# moto's router does not match a key with a line break.
MOTO_CANNOT_HOLD = frozenset({"new\nline"})
# SeaweedFS keeps keys as file paths: it cleans them, refuses dots and long elements, drops the body
# of a key that ends in a slash.
SEAWEED_CANNOT_HOLD = frozenset(
    {"./dot", "a/./b", "a//b", "/lead", "trail/", "p/../q", "..", "back\\slash", "x" * 1024, "é" * 512}
)
WRONG_SECRET = "wr0ngSecretKey/never+to+be+shown"


def boto_client(connection: Connection) -> Any:
    """Return the official client of the same server."""
    return boto3.client(
        "s3",
        endpoint_url=connection.extra["endpoint_url"],
        region_name=connection.extra["region_name"],
        aws_access_key_id=connection.login,
        aws_secret_access_key=connection.password,
        config=Config(s3={"addressing_style": "path"}),
    )


def opener(bucket: str, connection: Connection) -> Callable[[], AbstractAsyncContextManager[ObjectStore]]:
    """Return what opens the bucket with this connection."""
    return lambda: open_store(Location("s3", bucket), connection, settings=SETTINGS)


@asynccontextmanager
async def s3_subject(connection: Connection, bucket: str, **known: Any) -> AsyncIterator[Subject]:
    """Make a bucket, and remove it with all that is in it at the end."""
    client = boto_client(connection)
    client.create_bucket(Bucket=bucket)
    reopen = opener(bucket, connection)
    try:
        async with reopen() as store:
            yield Subject(store=store, reopen=reopen, **known)
            async for page in store.list_pages():
                for item in page:
                    await store.delete(item.key)
    finally:
        client.delete_bucket(Bucket=bucket)
        client.close()


class TestSeaweed(Objects, Keys, Listings, Pages, Parts, VerifyingServer, CheckingServer):
    """All but the exact keys and the order, which this server does not keep."""

    @pytest.fixture
    async def subject(
        self, connection_of: ConnectionOf, new_name: Callable[[], str]
    ) -> AsyncIterator[Subject]:
        connection = connection_of("aws_source")
        bucket = new_name()
        stranger = replace(connection, password=WRONG_SECRET)
        async with s3_subject(
            connection,
            bucket,
            unholdable=SEAWEED_CANNOT_HOLD,
            page_objects=1_003,
            stranger=opener(bucket, stranger),
            secrets=(WRONG_SECRET, str(connection.login)),
        ) as made:
            yield made

    async def test_a_missing_bucket_is_told_from_a_missing_key(
        self, subject: Subject, connection_of: ConnectionOf
    ) -> None:
        async with opener("contract-no-such-bucket", connection_of("aws_source"))() as store:
            with pytest.raises(NotFoundError, match="an existing bucket") as caught:
                await store.check()
            assert caught.value.code == "3123"
            with pytest.raises(NotFoundError, match="an existing bucket"):
                async with store.get("key"):
                    pass
        with pytest.raises(NotFoundError, match="an existing object"):
            async with subject.store.get("key"):
                pass


class TestMoto(Objects, Keys, Listings, OrderedListings, Parts):
    """Exact keys in order; this server checks neither signatures nor checksums."""

    @pytest.fixture
    async def subject(
        self, connection_of: ConnectionOf, new_name: Callable[[], str]
    ) -> AsyncIterator[Subject]:
        connection = connection_of("aws_control")
        async with s3_subject(connection, new_name(), unholdable=MOTO_CANNOT_HOLD) as made:
            yield made


def test_the_long_key_is_as_long_as_s3_allows() -> None:
    assert len(LONG_KEY.encode()) == 1024
