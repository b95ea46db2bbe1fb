"""A place for made migrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.board_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder for specs and evidence, empty."""
    return Place(tmp_path / "place")
