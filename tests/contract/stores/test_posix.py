"""PosixStore on a real file system."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heavylift.errors import NotFoundError
from heavylift.locations import Location
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
from tests.contract.stores.subject import Subject


class TestPosix(Objects, Keys, Listings, OrderedListings, Pages, Parts, VerifyingServer):
    """A folder of its own for each test."""

    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[Subject]:
        location = Location("file", str(tmp_path))
        async with open_store(location, None) as store:
            yield Subject(store=store, reopen=lambda: open_store(location, None), page_objects=1_003)

    async def test_a_missing_root_is_not_made(self, tmp_path: Path) -> None:
        async with open_store(Location("file", str(tmp_path / "none")), None) as store:
            with pytest.raises(NotFoundError):
                await store.check()
            with pytest.raises(NotFoundError):
                [page async for page in store.list_pages()]
        assert not (tmp_path / "none").exists()
