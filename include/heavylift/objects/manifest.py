"""The manifest: one row for each object that was moved or found equal, with both checksums."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.checksums import Checksums
from heavylift.objects.row_files import INTEGER, TEXT, Columns, read_rows, write_rows


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One object to move.

    :param action: ``copy`` (nothing there), ``compare`` (something of the same size is there) or
        ``replace`` (Heavylift's own older copy, or the spec says overwrite).
    :param target_version: what is on the target now; None where nothing is.
    :param source_modified_us: when the source's object was written, as the plan's listing tells.
    """

    rel: str
    action: str
    size_bytes: int
    source_version: str
    target_version: str | None
    source_modified_us: int | None = None


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One object that is on the target, whole.

    :param outcome: ``moved`` or ``unchanged``; ``wrong`` for bytes that are not the source's, which
        Heavylift wrote and could not delete again: the only row whose object is not whole; ``skipped``
        where another object is there that ``on_conflict: skip`` leaves.
    :param source_proof: what proved the bytes read: the source's own checksum, by name, or
        ``read_twice`` where the source has none.
    :param target_proof: what proved the bytes written: the store's checksum, by name, or
        ``read_back``.
    :param source_modified_us: when the source's object was written, as its listing told before its
        attributes were read: what it tells later is news.
    """

    rel: str
    outcome: str
    size_bytes: int
    source_version: str
    target_version: str
    crc32c: str | None
    source_proof: str
    target_proof: str
    source_checksums: Checksums = field(default_factory=dict)
    target_checksums: Checksums = field(default_factory=dict)
    finished_us: int = 0
    source_modified_us: int | None = None


WRONG = "wrong"
SKIPPED = "skipped"

MANIFEST: Columns = {
    "rel": TEXT,
    "outcome": TEXT,
    "size_bytes": INTEGER,
    "source_version": TEXT,
    "target_version": TEXT,
    "crc32c": TEXT,
    "source_proof": TEXT,
    "target_proof": TEXT,
    "source_checksums": TEXT,
    "target_checksums": TEXT,
    "finished_us": INTEGER,
    "source_modified_us": INTEGER,
}
"""The columns of a manifest; those of checksums hold JSON objects of hex values."""


ManifestCells = tuple[str | int | None, ...]
"""A manifest's row as it is written; takes half the memory of a :class:`ManifestRow`."""


def cells_of(row: ManifestRow) -> ManifestCells:
    """Return a row as it is written, in the order of :data:`MANIFEST`."""
    return (*_PLAIN(row), _cell(row.source_checksums), _cell(row.target_checksums), *_LAST(row))


def write_manifest(path: Path, rows: list[ManifestCells]) -> None:
    """Write rows as one Parquet file."""
    write_rows(path, MANIFEST, list(zip(*rows, strict=True)) or [()] * len(MANIFEST))


_PLAIN = operator.attrgetter(*list(MANIFEST)[:8])
_LAST = operator.attrgetter(*list(MANIFEST)[10:])


def _cell(value: Checksums) -> str:
    # Names of algorithms and hex digits need no escaping; json.dumps costs ten times as much.
    return "{" + ", ".join([f'"{name}": "{value[name]}"' for name in sorted(value)]) + "}"


def read_plan_shard(path: Path, shard: int) -> list[PlanRow]:
    """Read the rows of one shard from a plan's Parquet file."""
    columns = ("rel", "action", "size_bytes", "source_version", "target_version", "source_modified_us")
    return [PlanRow(*row) for row in read_rows(path, columns, "shard = ? ORDER BY rel", shard)]


def wrong_row(row: PlanRow, version: str) -> ManifestRow:
    """Return the row of an object that was stored wrong, in this version, and is there."""
    # Of no version of the source: nothing ever takes it for equal, but it is Heavylift's to replace.
    return ManifestRow(row.rel, WRONG, row.size_bytes, "", version, None, "", "")


def skipped_row(row: PlanRow) -> ManifestRow:
    """Return the row of an object that stays behind, because another one is there and may stay."""
    version = row.target_version or ""
    return ManifestRow(row.rel, SKIPPED, row.size_bytes, row.source_version, version, None, "", "")


def read_settled(path: Path) -> tuple[set[str], dict[str, str]]:
    """Read the relative keys that a manifest settles, and the versions of what was left wrong, by key.

    What was skipped is looked at again by each attempt.
    """
    rows = read_rows(path, ["rel", "outcome", "target_version"], "outcome <> ?", SKIPPED)
    wrong = {rel: version for rel, outcome, version in rows if outcome == WRONG}
    return {rel for rel, _, _ in rows} - wrong.keys(), wrong


def read_rels(path: Path, outcome: str) -> list[str]:
    """Read the relative keys of the rows of a manifest that have this outcome."""
    return [row[0] for row in read_rows(path, ["rel"], "outcome = ?", outcome)]
