"""Every key comes back byte for byte, or is named beforehand."""

from __future__ import annotations

import pytest

from tests.contract.stores.keys import AWKWARD_KEYS
from tests.contract.stores.subject import Subject, listed_keys, put, read


class Keys:
    """Every key comes back byte for byte, or is named beforehand."""

    async def test_every_holdable_key_comes_back_exactly(self, subject: Subject) -> None:
        keys = [key for key in AWKWARD_KEYS if holds(subject, key)]
        assert len(keys) >= len(AWKWARD_KEYS) // 2
        for key in keys:
            await put(subject.store, key, key.encode())
        assert sorted(await listed_keys(subject.store)) == sorted(keys)
        for key in keys:
            assert await read(subject.store, key) == key.encode()
            assert (await subject.store.head(key)).object.key == key
        for key in keys:
            await subject.store.delete(key)
        assert await listed_keys(subject.store) == []

    async def test_prefixes_are_as_exact_as_keys(self, subject: Subject) -> None:
        prefixes = [p for p in ("a+b/", "a b/", "a%2Bb/", "a&b/", "日本/", "a=b/") if holds(subject, p + "k")]
        for prefix in prefixes:
            await put(subject.store, f"{prefix}k")
        for prefix in prefixes:
            assert await listed_keys(subject.store, prefix) == [f"{prefix}k"]

    @pytest.mark.parametrize("key", ["", "\ud800", "a" * 100_000])
    def test_keys_that_no_store_holds_are_named(self, subject: Subject, key: str) -> None:
        assert subject.store.key_problem(key)


def holds(subject: Subject, key: str) -> bool:
    """Return whether this key can be kept by the subject's rules and by its server."""
    return subject.store.key_problem(key) is None and key not in subject.unholdable
