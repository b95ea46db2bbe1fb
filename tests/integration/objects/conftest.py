"""Fixtures of the object movers' integration tests."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.stack import Stack
from tests.integration.objects.places import Servers
from tests.integration.objects.round_figures import Figures


@pytest.fixture
def servers(sandbox: Stack, tmp_path: Path) -> Servers:
    """Return the sandbox's servers."""
    return Servers(sandbox, tmp_path)


@pytest.fixture(scope="session")
def new_container() -> Callable[[], str]:
    """Return a function that makes fresh container names."""
    run, numbers = secrets.token_hex(4), itertools.count(1)
    return lambda: f"objects-{run}-{next(numbers)}"


@pytest.fixture(scope="session")
def round_figures() -> Iterator[Figures]:
    """Return the sums over all rounds of faults; they are published at the end of the run."""
    figures = Figures()
    yield figures
    figures.publish()
