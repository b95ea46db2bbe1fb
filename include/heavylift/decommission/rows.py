"""The list of a dataset's rows in a plan: JSON lines, compressed, always the same bytes for the same rows."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from heavylift.errors import AuditError


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One object, or one version of one.

    :param version: as a listing tells it; the deletion's condition.
    :param version_id: empty where the container keeps no versions.
    :param marker: it is a delete marker.
    """

    key: str
    version: str
    version_id: str
    size_bytes: int
    marker: bool = False


def write_rows(rows: Iterable[PlannedRow], path: Path) -> str:
    """Write rows, and return the SHA-256 of the lines."""
    digest = hashlib.sha256()
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for row in rows:
            line = json.dumps(
                [row.key, row.version, row.version_id, row.size_bytes, row.marker], separators=(",", ":")
            ).encode("ascii")
            digest.update(line + b"\n")
            file.write(line + b"\n")
    return digest.hexdigest()


def read_batches(path: Path, size: int) -> Iterator[tuple[PlannedRow, ...]]:
    """Yield the rows in their order, ``size`` at a time."""
    with gzip.open(path, "rt", encoding="ascii") as file:
        while lines := list(islice(file, size)):
            yield tuple(PlannedRow(*json.loads(line)) for line in lines)


def demand_digest(path: Path, expected: str, dataset: str) -> None:
    """Demand that the lines of a list are those that the plan names.

    :raises AuditError: they are others.
    """
    digest = hashlib.sha256()
    with gzip.open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() == expected:
        return
    raise AuditError(
        f"reading the list of dataset {dataset} in the plan",
        got=f"lines with SHA-256 {digest.hexdigest()[:16]}…",
        expected=f"SHA-256 {expected[:16]}…",
        state="nothing was deleted by it",
        remedy="find who changed the evidence; make a new plan",
        code="9307",
    )
