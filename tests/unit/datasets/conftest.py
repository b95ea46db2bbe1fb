"""Fixtures of the dataset checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.datasets.tables import Sides


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    """Return two empty sides."""
    return Sides(tmp_path)
