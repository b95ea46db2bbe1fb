"""Holds Kubernetes' training jobs to its schemas, with the strict check of ``heavylift manifests``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from heavylift.environments import Solver
from heavylift.manifests.checking import REQUIREMENT, check_files
from heavylift.training.checking import Checked, strict_objects


def checked_objects(path: Path, version: str, *, offline: bool = False) -> Checked:
    """Return what the schemas say of a file's objects, and of the pods in kinds that have none.

    :raises UnsupportedError: the schemas do not know the version.
    """
    objects, unknown = strict_objects(path)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Solver(offline=offline).tool(REQUIREMENT, python)
    major, _, minor = version.removeprefix("v").partition(".")
    numbers = (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)
    with tempfile.TemporaryDirectory(prefix="heavylift-check-") as scratch:
        file = Path(scratch, "objects.json")
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), encoding="utf-8")
        done = check_files([(file, path.name)], numbers, interpreter)
    wrong = [f"{each.object} {each.path} {each.problem}" for each in done.objects if each.verdict != "valid"]
    if not objects:
        wrong.append("nothing in it has a schema or a pod")
    return Checked(path.name, "; ".join(wrong), unknown)
