"""GcsStore on fake-gcs-server, which keeps every name but checks neither tokens nor checksums."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from heavylift.checksums import Algorithm, digest
from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.locations import Location
from heavylift.platforms.gcp import wire
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from tests.contract.stores.conformance import (
    Keys,
    Listings,
    Objects,
    OrderedListings,
    Pages,
    Parts,
    VerifyingServer,
)
from tests.contract.stores.conftest import ConnectionOf
from tests.contract.stores.subject import Subject, crc32c, listed_keys, put, read

SETTINGS = HttpSettings(attempts=3, base_delay_seconds=0.01)

ATTRIBUTES = ObjectAttributes(
    content_type="text/csv; charset=utf-8",
    content_encoding="identity",
    cache_control="no-cache",
    content_disposition='attachment; filename="x"',
    content_language="de",
    metadata={"mlflow-run": "7f3", "MixedCase": "Zoë 東京"},
    tags={"team": "fraud scoring", "umlaut": "größe"},
)


def official_client(connection: Connection) -> storage.Client:
    """Return Google's own client of the same server."""
    return storage.Client(
        project="p",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=connection.extra["endpoint_url"]),
    )


class TestGcs(Objects, Keys, Listings, OrderedListings, Pages, Parts, VerifyingServer):
    """The whole suite but for who asks, which this server does not check."""

    @pytest.fixture
    def official(self, connection_of: ConnectionOf) -> storage.Client:
        return official_client(connection_of("gcp_target"))

    @pytest.fixture
    async def subject(
        self,
        connection_of: ConnectionOf,
        official: storage.Client,
        new_name: Callable[[], str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> AsyncIterator[Subject]:
        monkeypatch.setattr(wire, "PAGE", 300)
        connection = connection_of("gcp_target")
        bucket = official.create_bucket(new_name())
        location = Location("gs", bucket.name)

        def reopen():
            return open_store(location, connection, settings=SETTINGS)

        async with reopen() as store:
            yield Subject(store=store, reopen=reopen, page_objects=603)
        # Not delete(force=True), which refuses more than 256 objects.
        bucket.delete_blobs(list(official.list_blobs(bucket)))
        bucket.delete()

    async def test_the_official_client_reads_what_was_written(
        self, subject: Subject, official: storage.Client
    ) -> None:
        await put(subject.store, "a//b é", b"bytes", ATTRIBUTES)
        blob = official.bucket(subject.store.location.container).get_blob("a//b é")
        assert blob.download_as_bytes() == b"bytes"
        assert blob.metadata == {
            **ATTRIBUTES.metadata,
            "heavylift-tags": "team=fraud+scoring&umlaut=gr%C3%B6%C3%9Fe",
        }
        assert blob.content_type == ATTRIBUTES.content_type
        assert blob.content_encoding == ATTRIBUTES.content_encoding
        assert blob.cache_control == ATTRIBUTES.cache_control
        assert blob.content_disposition == ATTRIBUTES.content_disposition
        assert blob.content_language == ATTRIBUTES.content_language

    async def test_what_the_official_client_wrote_is_read(
        self, subject: Subject, official: storage.Client
    ) -> None:
        blob = official.bucket(subject.store.location.container).blob("p/../q#?")
        blob.metadata = {"MixedCase": "ü", "heavylift-tags": "not tags"}
        blob.cache_control = "no-cache"
        blob.upload_from_string(b"bytes", content_type="a/b")
        assert await read(subject.store, "p/../q#?") == b"bytes"
        head = await subject.store.head("p/../q#?")
        assert head.attributes == ObjectAttributes(
            content_type="a/b",
            cache_control="no-cache",
            metadata={"MixedCase": "ü", "heavylift-tags": "not tags"},
        )
        assert head.object.version == str(blob.generation)
        assert head.object.checksums == digest(b"bytes", Algorithm.CRC32C, Algorithm.MD5)

    async def test_tags_are_carried_in_metadata_and_come_back(self, subject: Subject) -> None:
        await put(subject.store, "tagged", b"x", ATTRIBUTES)
        assert (await subject.store.head("tagged")).attributes == ATTRIBUTES
        assert await subject.store.tags("tagged") == ATTRIBUTES.tags

    async def test_many_parts_are_composed_in_steps_and_none_is_left(
        self, subject: Subject, official: storage.Client
    ) -> None:
        store = subject.store
        upload = await store.begin_upload("big", ATTRIBUTES)
        bodies = [bytes([number]) * 10 for number in range(70)]
        receipts = [await store.put_part(upload, n, body, crc32c(body)) for n, body in enumerate(bodies, 1)]
        whole = b"".join(bodies)
        await store.complete_upload(upload, receipts, ATTRIBUTES, digest(whole, Algorithm.CRC32C))
        assert await read(store, "big") == whole
        assert (await store.head("big")).attributes == ATTRIBUTES
        assert [blob.name for blob in official.list_blobs(store.location.container)] == ["big"]

    async def test_parts_are_hidden_but_alike_names_are_not(
        self, subject: Subject, official: storage.Client
    ) -> None:
        upload = await subject.store.begin_upload("big", ObjectAttributes())
        await subject.store.put_part(upload, 1, b"x", crc32c(b"x"))
        await put(subject.store, ".heavylift-parts/notes.txt")
        assert await listed_keys(subject.store) == [".heavylift-parts/notes.txt"]
        assert len(list(official.list_blobs(subject.store.location.container))) == 3
        assert subject.store.key_problem(f".heavylift-parts/{upload.upload_id}/x")

    async def test_a_completed_upload_whose_cleaning_was_cut_short_is_cleaned(
        self, subject: Subject, official: storage.Client
    ) -> None:
        upload = await subject.store.begin_upload("big", ObjectAttributes())
        await subject.store.put_part(upload, 1, b"x", crc32c(b"x"))
        bucket = official.bucket(subject.store.location.container)
        bucket.blob(f".heavylift-parts/{upload.upload_id}/done").upload_from_string(b"")
        assert await subject.store.finished_parts(upload) is None
        assert list(official.list_blobs(bucket.name)) == []

    async def test_a_missing_bucket_is_not_found(self, connection_of: ConnectionOf) -> None:
        location = Location("gs", "contract-no-such-bucket")
        async with open_store(location, connection_of("gcp_target"), settings=SETTINGS) as store:
            with pytest.raises(NotFoundError):
                await store.check()
            with pytest.raises(NotFoundError):
                await put(store, "key")
