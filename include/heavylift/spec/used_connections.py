"""Which connections a spec names, so that a missing one is told before a task needs it at night."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

_NAMES = frozenset({"connection", "source_endpoint", "target_endpoint"})


def used_connections(model: BaseModel) -> dict[str, str]:
    """Return each connection id that a spec names, with the first field that does, as a path."""
    found: dict[str, str] = {}
    for conn_id, path in _walk(model, ""):
        found.setdefault(conn_id, path)
    return found


def is_connection_field(name: str) -> bool:
    """Tell whether a field of a spec with this name holds the id of a connection."""
    return name in _NAMES or name.endswith("_connection")


def _walk(model: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in model:
        path = f"{prefix}{name}"
        if isinstance(value, str) and is_connection_field(name):
            yield value, path
        elif isinstance(value, BaseModel):
            yield from _walk(value, f"{path}.")
        elif isinstance(value, tuple):
            for number, each in enumerate(value):
                if isinstance(each, BaseModel):
                    yield from _walk(each, f"{path}[{number}].")
