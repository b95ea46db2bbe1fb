"""Fixtures of the registries' tests: two stores, and servers over them where they are asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support.stores import SERVERS, TwoStores, make_blank, two_stores


@pytest.fixture(scope="session")
def store_sandbox() -> Iterator[Stack]:
    """Return a sandbox in which only the two stores' databases run."""
    given = os.environ.get("HEAVYLIFT_SANDBOX_STATE")
    folder = Path(given) if given else new_state_dir()
    stack = Stack.start(folder, SERVERS, detached=bool(given))
    try:
        make_blank(stack.env)
        yield stack
    finally:
        if not given:
            stack.stop()
            shutil.rmtree(folder)


@pytest.fixture
def stores(store_sandbox: Stack, tmp_path: Path) -> Iterator[TwoStores]:
    """Return a source with a little of everything, and a new, empty target."""
    with two_stores(store_sandbox.env, f"file://{tmp_path}/evidence") as pair:
        yield pair
