"""S3Store on SeaweedFS, which checks signatures and checksums, and on moto, which keeps every key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.locations import Location
from heavylift.platforms.aws.credentials import CredentialSource
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ObjectAttributes, ObjectStore
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
from tests.contract.stores.subject import Subject, put, read

SETTINGS = HttpSettings(attempts=3, base_delay_seconds=0.01)

# moto's router does not match a key with a line break.
MOTO_CANNOT_HOLD = frozenset({"new\nline"})
# SeaweedFS keeps keys as file paths: it cleans them, refuses dots and long elements, drops the body
# of a key that ends in a slash.
SEAWEED_CANNOT_HOLD = frozenset(
    {"./dot", "a/./b", "a//b", "/lead", "trail/", "p/../q", "..", "back\\slash", "x" * 1024, "é" * 512}
)
WRONG_SECRET = "wr0ngSecretKey/never+to+be+shown"


ClientOf = Callable[[Connection], Any]


@pytest.fixture(scope="session")
def client_of() -> Iterator[ClientOf]:
    """Return a function that gives the official client of the same server."""
    clients: dict[str, Any] = {}

    def client(connection: Connection) -> Any:
        endpoint = connection.extra["endpoint_url"]
        if endpoint not in clients:
            clients[endpoint] = boto3.client(
                "s3",
                endpoint_url=endpoint,
                region_name=connection.extra["region_name"],
                aws_access_key_id=connection.login,
                aws_secret_access_key=connection.password,
                config=Config(s3={"addressing_style": "path"}),
            )
        return clients[endpoint]

    yield client
    for made in clients.values():
        made.close()


def opener(bucket: str, connection: Connection) -> Callable[[], AbstractAsyncContextManager[ObjectStore]]:
    """Return what opens the bucket with this connection."""
    return lambda: open_store(Location("s3", bucket), connection, settings=SETTINGS)


@asynccontextmanager
async def s3_subject(
    connection: Connection, client: Any, bucket: str, **known: Any
) -> AsyncIterator[Subject]:
    """Make a bucket, and remove it with all that is in it at the end."""
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


class TestSeaweed(Objects, Keys, Listings, Pages, Parts, VerifyingServer, CheckingServer):
    """All but the exact keys and the order, which this server does not keep."""

    @pytest.fixture
    async def subject(
        self, connection_of: ConnectionOf, client_of: ClientOf, new_name: Callable[[], str]
    ) -> AsyncIterator[Subject]:
        connection = connection_of("aws_source")
        bucket = new_name()
        stranger = replace(connection, password=WRONG_SECRET)
        async with s3_subject(
            connection,
            client_of(connection),
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
        self, connection_of: ConnectionOf, client_of: ClientOf, new_name: Callable[[], str]
    ) -> AsyncIterator[Subject]:
        connection = connection_of("aws_control")
        client = client_of(connection)
        async with s3_subject(connection, client, new_name(), unholdable=MOTO_CANNOT_HOLD) as made:
            yield made

    async def test_what_the_official_client_wrote_is_read(
        self, subject: Subject, connection_of: ConnectionOf, client_of: ClientOf
    ) -> None:
        client = client_of(connection_of("aws_control"))
        client.put_object(
            Bucket=subject.store.location.container,
            Key="a b+c/é",
            Body=b"theirs",
            ContentType="a/b",
            Metadata={"run": "1"},
            Tagging="team=x%20y",
        )
        head = await subject.store.head("a b+c/é")
        assert head.attributes == ObjectAttributes(content_type="a/b", metadata={"run": "1"})
        assert await subject.store.tags("a b+c/é") == {"team": "x y"}
        assert await read(subject.store, "a b+c/é") == b"theirs"

    async def test_the_official_client_reads_what_was_written(
        self, subject: Subject, connection_of: ConnectionOf, client_of: ClientOf
    ) -> None:
        client = client_of(connection_of("aws_control"))
        attributes = ObjectAttributes(content_type="a/b", metadata={"run": "1"}, tags={"team": "x y"})
        await put(subject.store, "a b+c/é", b"ours", attributes)
        place = {"Bucket": subject.store.location.container, "Key": "a b+c/é"}
        answer = client.get_object(**place)
        with answer["Body"] as body:
            assert body.read() == b"ours"
        assert (answer["ContentType"], answer["Metadata"]) == ("a/b", {"run": "1"})
        assert client.get_object_tagging(**place)["TagSet"] == [{"Key": "team", "Value": "x y"}]

    async def test_a_role_is_assumed(self, subject: Subject, connection_of: ConnectionOf) -> None:
        own = connection_of("aws_control")
        role = {
            "role_arn": "arn:aws:iam::123456789012:role/mover",
            "assume_role_kwargs": {"ExternalId": "partner-7"},
        }
        connection = replace(own, extra={**own.extra, **role})
        keys = await CredentialSource(connection).current()
        assert keys is not None
        assert keys.token
        assert keys.access_key.startswith("ASIA")
        async with opener(subject.store.location.container, connection)() as store:
            await store.check()


def test_the_long_key_is_as_long_as_s3_allows() -> None:
    assert len(LONG_KEY.encode()) == 1024
