"""Comparing the two sides' profiles, figure by figure."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.datasets.profile import FINGERPRINT, ColumnProfile, Figure, TableProfile
from heavylift.evidence.records import ColumnComparison
from heavylift.spec.expectations import Compare
from heavylift.spec.vocabulary import CompareColumns

NONE_THERE = "none"


def compare_profiles(
    table: str, source: TableProfile, target: TableProfile, compare: Compare
) -> list[ColumnComparison]:
    """Return every figure that the spec wants equal, on both sides.

    A table without files on one side, or on both, is never equal. With a tolerance, numbers
    may differ by that share, and fingerprints, which any difference changes, are left out.
    """
    found: list[ColumnComparison] = []
    if not source.files or not target.files:
        found.append(_row(table, "files", str(source.files), str(target.files), equal=False))
    if compare.rows:
        found.append(_exact(table, "rows", str(source.rows), str(target.rows)))
    if compare.columns is CompareColumns.PROFILE:
        found += _table_figures(table, source, target, compare.tolerance)
        found += _columns(table, source, target, compare.tolerance)
    return found


def _table_figures(
    table: str, source: TableProfile, target: TableProfile, tolerance: float
) -> Iterator[ColumnComparison]:
    yield _exact(table, "columns", source.column_list(), target.column_list())
    if source.file_schemas or target.file_schemas:
        one, other = ("; ".join(side.file_schemas) or "all alike" for side in (source, target))
        yield _exact(table, "file schemas", one, other)
    if not tolerance:
        yield _exact(table, FINGERPRINT, source.fingerprint or "", target.fingerprint or "")


def _columns(
    table: str, source: TableProfile, target: TableProfile, tolerance: float
) -> Iterator[ColumnComparison]:
    ones = {column.name: column for column in source.columns}
    others = {column.name: column for column in target.columns}
    for name in {**ones, **others}:
        yield from _column(f"{table}.{name}", ones.get(name), others.get(name), tolerance)


def _column(
    label: str, one: ColumnProfile | None, other: ColumnProfile | None, tolerance: float
) -> Iterator[ColumnComparison]:
    if one is None or other is None:
        there = ["missing" if side is None else "there" for side in (one, other)]
        yield _row(label, "column", *there, equal=False)
        return
    yield _exact(label, "type", one.type, other.type)
    ones = {figure.name: figure for figure in one.figures}
    others = {figure.name: figure for figure in other.figures}
    for name in {**ones, **others}:
        if not (tolerance and name == FINGERPRINT):
            yield _figure(label, name, ones.get(name), others.get(name), tolerance)


def _figure(
    label: str, name: str, one: Figure | None, other: Figure | None, tolerance: float
) -> ColumnComparison:
    texts = [NONE_THERE if figure is None else figure.text for figure in (one, other)]
    return _row(label, name, *texts, equal=_equal(one, other, tolerance))


def _equal(one: Figure | None, other: Figure | None, tolerance: float) -> bool:
    if one is None or other is None:
        return False
    if one.number is None or other.number is None:
        return one.text == other.text
    if not tolerance:
        return one.number == other.number
    return abs(one.number - other.number) <= tolerance * max(abs(one.number), abs(other.number))


def _exact(column: str, figure: str, source: str, target: str) -> ColumnComparison:
    return _row(column, figure, source, target, equal=source == target)


def _row(column: str, figure: str, source: str, target: str, *, equal: bool) -> ColumnComparison:
    return ColumnComparison(column=column, figure=figure, source=source, target=target, equal=equal)
