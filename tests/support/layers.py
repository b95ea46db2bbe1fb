"""The test layers, and which one a test file belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.support.network import NetworkPolicy

TESTS = Path(__file__).resolve().parents[1]

# Each layer is a folder under tests/, a marker of the same name, and how far its tests may reach.
LAYERS: Mapping[str, NetworkPolicy] = MappingProxyType(
    {
        "unit": NetworkPolicy.CLOSED,
        "contract": NetworkPolicy.LOOPBACK,
        "plugins": NetworkPolicy.CLOSED,
        "dags": NetworkPolicy.CLOSED,
        "integration": NetworkPolicy.OPEN,
        "e2e": NetworkPolicy.OPEN,
        "benchmarks": NetworkPolicy.OPEN,
    }
)


def layer_of(path: Path, tests: Path = TESTS) -> str | None:
    """Return the layer whose folder holds *path*, or None where no layer does."""
    try:
        parts = path.resolve().relative_to(tests).parts
    except ValueError:
        return None
    return parts[0] if len(parts) > 1 and parts[0] in LAYERS else None
