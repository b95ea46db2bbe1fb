"""Databases of their own for each test of the movers of tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack import Stack
from tests.support.two_databases import TwoDatabases, two_databases


@pytest.fixture
def databases(sandbox: Stack, tmp_path: Path) -> Iterator[TwoDatabases]:
    """Return an empty database on each of the two servers, and a folder for evidence."""
    with two_databases(sandbox.env, f"file://{tmp_path}/evidence") as pair:
        yield pair
