"""AzureBlobStore on Azurite, which checks signatures and MD5."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerSasPermissions,
    ContentSettings,
    generate_container_sas,
)

from heavylift.checksums import Algorithm, digest
from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, CredentialError, NotFoundError
from heavylift.locations import Location
from heavylift.platforms.azure import listing
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
from tests.contract.stores.subject import Subject, crc32c, listed_keys, put, read

SETTINGS = HttpSettings(attempts=3, base_delay_seconds=0.01)
WRONG_KEY = "d3JvbmdLZXlUaGF0TXVzdE5ldmVyQmVTaG93bg=="
ATTRIBUTES = ObjectAttributes(
    content_type="text/csv; charset=utf-8",
    content_encoding="identity",
    cache_control="no-cache",
    content_disposition='attachment; filename="x"',
    content_language="de",
    metadata={"mlflow-run": "7f3", "MixedCase": "Zoë 東京", "1st_x": " a  b ", "empty": ""},
)


def official_client(connection: Connection) -> BlobServiceClient:
    """Return Microsoft's own client of the same server."""
    credential = {"account_name": connection.login, "account_key": connection.password}
    return BlobServiceClient(connection.host, credential=credential)


def opener(container: str, connection: Connection) -> Callable[[], AbstractAsyncContextManager[ObjectStore]]:
    """Return what opens the container with this connection."""
    return lambda: open_store(Location("az", container), connection, settings=SETTINGS)


class TestAzure(Objects, Keys, Listings, OrderedListings, Pages, Parts, VerifyingServer, CheckingServer):
    """The whole suite."""

    @pytest.fixture
    def connection(self, connection_of: ConnectionOf) -> Connection:
        return connection_of("azure_target")

    @pytest.fixture
    def official(self, connection: Connection):
        with official_client(connection) as client:
            yield client

    @pytest.fixture
    async def subject(
        self,
        connection: Connection,
        official: BlobServiceClient,
        new_name: Callable[[], str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> AsyncIterator[Subject]:
        monkeypatch.setattr(listing, "PAGE", 300)
        name = new_name()
        official.create_container(name)
        reopen = opener(name, connection)
        async with reopen() as store:
            yield Subject(
                store=store,
                reopen=reopen,
                page_objects=603,
                stranger=opener(name, replace(connection, password=WRONG_KEY)),
                secrets=(WRONG_KEY, str(connection.password)),
            )
        official.delete_container(name)

    async def test_the_official_client_reads_what_was_written(
        self, subject: Subject, official: BlobServiceClient
    ) -> None:
        tags = {"team": "fraud scoring", "cost": "a+b=c/d:e.f_g"}
        await put(subject.store, "a//b é", b"bytes", replace(ATTRIBUTES, tags=tags))
        blob = official.get_blob_client(subject.store.location.container, "a//b é")
        found = blob.get_blob_properties()
        assert blob.download_blob().readall() == b"bytes"
        assert blob.get_blob_tags() == tags
        assert found.metadata == {
            "mlflow_x2d_run": "7f3",
            "MixedCase": "=?utf-8?B?Wm/DqyDmnbHkuqw=?=",
            "_x31_st_x5f_x": "=?utf-8?B?IGEgIGIg?=",
            "empty": "=?utf-8?B??=",
        }
        assert found.content_settings.content_type == ATTRIBUTES.content_type
        assert found.content_settings.content_encoding == ATTRIBUTES.content_encoding
        assert found.content_settings.cache_control == ATTRIBUTES.cache_control
        assert found.content_settings.content_disposition == ATTRIBUTES.content_disposition
        assert found.content_settings.content_language == ATTRIBUTES.content_language
        assert found.content_settings.content_md5.hex() == digest(b"bytes", Algorithm.MD5)[Algorithm.MD5]

    async def test_what_the_official_client_wrote_is_read(
        self, subject: Subject, official: BlobServiceClient
    ) -> None:
        blob = official.get_blob_client(subject.store.location.container, "q#?+ é")
        blob.upload_blob(
            b"bytes",
            metadata={"plain_name": "x", "Mixed": "a b"},
            tags={"team": "x"},
            content_settings=ContentSettings(content_type="a/b", content_language="de"),
        )
        assert await read(subject.store, "q#?+ é") == b"bytes"
        head = await subject.store.head("q#?+ é")
        assert head.attributes == ObjectAttributes(
            content_type="a/b", content_language="de", metadata={"plain_name": "x", "Mixed": "a b"}
        )
        assert head.tag_count == 1
        assert await subject.store.tags("q#?+ é") == {"team": "x"}

    async def test_odd_attributes_come_back(self, subject: Subject) -> None:
        assert subject.store.attribute_problems(ATTRIBUTES) == []
        await put(subject.store, "k", b"x", ATTRIBUTES)
        assert (await subject.store.head("k")).attributes == ATTRIBUTES

    async def test_tags_that_azure_cannot_hold_are_carried_in_metadata(self, subject: Subject) -> None:
        attributes = ObjectAttributes(content_type="a/b", tags={"umlaut": "größe", "e@f": ""})
        assert subject.store.attribute_problems(attributes)
        await put(subject.store, "k", b"x", attributes)
        head = await subject.store.head("k")
        assert head.attributes == attributes
        assert head.tag_count == 2
        assert await subject.store.tags("k") == attributes.tags

    async def test_a_shared_access_signature_is_enough_and_never_shown(
        self, subject: Subject, connection: Connection
    ) -> None:
        container = subject.store.location.container
        sas = generate_container_sas(
            str(connection.login),
            container,
            account_key=connection.password,
            permission=ContainerSasPermissions(read=True, list=True),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        await put(subject.store, "a b/é", b"bytes")
        reader = replace(connection, login=None, password=None, extra={"sas_token": "?" + sas})
        async with opener(container, reader)() as store:
            assert await read(store, "a b/é") == b"bytes"
            assert await listed_keys(store, "a b/") == ["a b/é"]
            with pytest.raises(CredentialError) as caught:
                await put(store, "new")
        signature = sas.rpartition("sig=")[2].split("&")[0]
        assert signature not in str(caught.value) + repr(caught.value.attrs())

    async def test_a_missing_container_is_told_from_a_missing_blob(
        self, subject: Subject, connection: Connection
    ) -> None:
        async with opener("contract-no-such", connection)() as store:
            for act in (store.check(), put(store, "key"), store.begin_upload("key", ObjectAttributes())):
                with pytest.raises(NotFoundError, match="an existing container"):
                    await act
        with pytest.raises(NotFoundError, match="an existing blob"):
            await read(subject.store, "key")

    async def test_keys_come_in_byte_order(self, subject: Subject) -> None:
        # Azurite orders by UTF-16, in which U+FFEE comes after an emoji; else as by UTF-8.
        keys = ["a b", "a!b", "a-b", "a.b", "a/b", "a0b", "aB", "ab", "z", "é", "日", "😀", "\uffee"]
        for key in keys:
            await put(subject.store, key)
        assert await listed_keys(subject.store) == keys
        assert await listed_keys(subject.store, start_after="日") == ["😀", "\uffee"]
        assert await listed_keys(subject.store, start_after="\uffee") == ["😀"]

    async def test_a_create_only_completion_leaves_what_is_there(self, subject: Subject) -> None:
        # Writing a blob drops its uncommitted blocks, so here it has to be there before them.
        store = subject.store
        await put(store, "big.bin", b"first")
        upload = await store.begin_upload("big.bin", ObjectAttributes())
        part = await store.put_part(upload, 1, b"second", crc32c(b"second"))
        with pytest.raises(AlreadyExistsError):
            await store.complete_upload(upload, [part], ObjectAttributes(), {})
        assert await read(store, "big.bin") == b"first"
        await store.complete_upload(upload, [part], ObjectAttributes(), {}, create_only=False)
        assert await read(store, "big.bin") == b"second"

    async def test_finished_parts_end_with_the_blob(self, subject: Subject) -> None:
        upload = await subject.store.begin_upload("big", ObjectAttributes())
        assert await subject.store.finished_parts(upload) == {}
        part = await subject.store.put_part(upload, 1, b"x", crc32c(b"x"))
        assert await subject.store.finished_parts(upload) == {1: part}
        await subject.store.complete_upload(upload, [part], ObjectAttributes(), {})
        assert await subject.store.finished_parts(upload) is None
