"""Files that say nothing by themselves, and that another file of the model explains: bare tensors."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from heavylift.models.looking import Look

_UNKNOWN = "unknown"
SAVED_MODEL = "SavedModel"
_GRAPH = "saved_model.pb"
_OF_SAVED_MODEL = re.compile(r"(?:variables/variables\.(?:index|data-\d{5}-of-\d{5})|fingerprint\.pb)\Z")


def read_beside(looks: Sequence[Look]) -> None:
    """Mark files as understood whose reader is known: it takes them for numbers, whatever is in them."""
    by_path = {look.path: look for look in looks}
    for look in looks:
        folder = posixpath.dirname(look.path)
        for name in look.tensors_in:
            beside = by_path.get(posixpath.normpath(posixpath.join(folder, name)))
            if beside is None:
                look.add("file-absent", f"tensors of it lie in {name[:200]!r}, which is not there")
            else:
                _explain(beside, look)
        if posixpath.basename(look.path) == _GRAPH and look.kind == SAVED_MODEL:
            start = f"{folder}/" if folder else ""
            for path, beside in by_path.items():
                if path.startswith(start) and _OF_SAVED_MODEL.match(path[len(start) :]):
                    _explain(beside, look)


def _explain(beside: Look, look: Look) -> None:
    if beside.kind == _UNKNOWN and not beside.suspicions:
        beside.kind, beside.understood = f"tensors of {posixpath.basename(look.path)}", True
