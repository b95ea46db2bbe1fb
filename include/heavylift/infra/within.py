"""What is part of something else: it gets no infrastructure of its own, and is told with who makes it."""

from __future__ import annotations

from collections.abc import Collection

_MOVES = {
    "postgresql": "heavylift tables makes it when the data moves",
    "mysql": "heavylift tables makes it when the data moves",
    "kafka": "heavylift streams makes it when the data moves",
    "mlflow": "heavylift registry makes it when the history moves",
    "file": "heavylift objects moves it into the bucket that the spec names",
}
"""Scheme of a component's id → who makes what lies inside a server or file system."""


def part_of_something(id: str, native_type: str, needs: Collection[str]) -> tuple[str, str] | None:
    """Return why a component gets no infrastructure of its own, and what to do; None where it gets some.

    :param needs: ids of what it depends on.
    """
    if native_type.startswith("Kubernetes::") or id.startswith("kubernetes://"):
        return "it is an object of a cluster", "heavylift manifests translates its manifest"
    scheme, _, rest = id.partition("://")
    if scheme not in _MOVES:
        return None
    if "/" in rest or scheme == "file":
        return "it lies inside a server that is made", _MOVES[scheme]
    platforms = sorted(each for each in needs if each.partition("://")[0] not in _MOVES)
    if platforms:
        return f"its platform lists it as {platforms[0]}, which is made", "nothing is to be done for it"
    return None
