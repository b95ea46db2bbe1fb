"""Leaves out what is wrong by itself, so that the rules can still be tried on the rest.

Without this, a misspelt key in one dataset would hide that two others write to one place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from heavylift.spec.problems import FieldPath

_STAND_INS = {"apiVersion": "heavylift/v1", "migration": "unnamed", "owner": "unnamed"}


def without_wrong_parts(
    data: dict[str, Any], errors: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return ``data`` without what is wrong by itself, and which items of each list were kept."""
    items: dict[str, set[int]] = defaultdict(set)
    sections: set[str] = set()
    for error in errors:
        loc = error["loc"]
        if len(loc) > 1 and isinstance(loc[1], int):
            items[loc[0]].add(loc[1])
        elif loc:
            sections.add(str(loc[0]))
    rest = {key: value for key, value in data.items() if key not in sections}
    rest |= {key: value for key, value in _STAND_INS.items() if key in sections}
    kept: dict[str, list[int]] = {}
    for section, wrong in items.items():
        if section in rest:
            kept[section] = [index for index in range(len(rest[section])) if index not in wrong]
            rest[section] = [rest[section][index] for index in kept[section]]
    return rest, kept


def original_path(path: FieldPath, kept: Mapping[str, list[int]]) -> FieldPath:
    """Return ``path``, which counts the kept items of a list, as a path that counts all."""
    if len(path) > 1 and path[0] in kept and isinstance(path[1], int):
        return (path[0], kept[str(path[0])][path[1]], *path[2:])
    return path
