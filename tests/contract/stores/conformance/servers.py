"""What only a server that behaves like the real store can show."""

from __future__ import annotations

import pickle
import traceback

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
)
from heavylift.platforms.ports import ObjectAttributes
from tests.contract.stores.subject import Subject, crc32c, listed_keys, put, read


class VerifyingServer:
    """For servers that compute checksums themselves, so that wrong ones are found out."""

    async def test_a_put_with_a_wrong_checksum_is_refused(self, subject: Subject) -> None:
        wrong = digest(b"other", *(subject.store.traits.verifies | {Algorithm.CRC32C}))
        with pytest.raises(IntegrityError):
            await subject.store.put("object.bin", b"bytes", ObjectAttributes(), wrong)
        with pytest.raises(NotFoundError):
            await subject.store.head("object.bin")

    async def test_a_part_with_a_wrong_checksum_is_refused(self, subject: Subject) -> None:
        upload = await subject.store.begin_upload("big.bin", ObjectAttributes())
        with pytest.raises(IntegrityError):
            await subject.store.put_part(upload, 1, b"bytes", crc32c(b"other"))
        assert not await subject.store.finished_parts(upload)
        await subject.store.abort_upload(upload)


class CheckingServer:
    """For servers that check who asks."""

    async def test_a_stranger_is_refused_and_no_secret_shows(self, subject: Subject) -> None:
        assert subject.stranger is not None
        await put(subject.store, "object.bin", b"old")
        errors: list[HeavyliftError] = []
        async with subject.stranger() as store:
            for act in (
                store.check(),
                store.head("object.bin"),
                read(store, "object.bin"),
                listed_keys(store),
                put(store, "object.bin", b"new", create_only=False),
                store.begin_upload("big.bin", ObjectAttributes()),
                store.delete("object.bin"),
            ):
                with pytest.raises(CredentialError) as caught:
                    await act
                errors.append(caught.value)
        assert await read(subject.store, "object.bin") == b"old"
        for error in errors:
            shown = [str(error), repr(error), repr(error.attrs()), repr(pickle.dumps(error))]
            shown += traceback.format_exception(error)
            assert not [secret for secret in subject.secrets for text in shown if secret in text]
            assert isinstance(pickle.loads(pickle.dumps(error)), CredentialError)
