"""Two real registries, one of which asks who comes; and small ones for what no real one does at will."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.oci_server import OciServer
from tests.support.registries import RegistryServer, registry


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RegistryServer, RegistryServer]]:
    """Return an open registry and a locked one; tests of a module use repositories of their own."""
    root: Path = tmp_path_factory.mktemp("registries")
    with registry(root / "source") as source, registry(root / "target", locked=True) as target:
        yield source, target


@pytest.fixture
def small() -> Iterator[Callable[..., OciServer]]:
    """Return what starts a small registry."""
    made: list[OciServer] = []

    def start(**settings: Any) -> OciServer:
        made.append(OciServer(**settings))
        return made[-1]

    yield start
    for each in made:
        each.close()
