"""Artifact URIs: which prefixes become which, and the same rewriting in SQL and in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from heavylift.errors import SpecError

if TYPE_CHECKING:
    from psycopg import sql


class UriForm(StrEnum):
    """How a column holds URIs: it is one, or JSON text with some in it."""

    WHOLE = "whole"
    WITHIN = "within"


URI_COLUMNS: Mapping[tuple[str, str], UriForm] = {
    ("experiments", "artifact_location"): UriForm.WHOLE,
    ("runs", "artifact_uri"): UriForm.WHOLE,
    ("logged_models", "artifact_location"): UriForm.WHOLE,
    ("model_versions", "source"): UriForm.WHOLE,
    ("model_versions", "storage_location"): UriForm.WHOLE,
    ("trace_tags", "value"): UriForm.WHOLE,
    ("workspaces", "default_artifact_root"): UriForm.WHOLE,
    ("workspaces", "trace_archival_location"): UriForm.WHOLE,
    ("datasets", "dataset_source"): UriForm.WITHIN,
}
"""MLflow's columns that say where an artifact lies, by table and column."""


@dataclass(frozen=True)
class UriMap:
    """Pairs of prefixes, source to target, none with a slash at its end; the longest match counts.

    A prefix that is mapped to itself stays as it is, on purpose.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """Return the map as one text, the same for equal maps."""
        return "\n".join(f"{source} {target}" for source, target in sorted(self.pairs))

    def of(self, uri: str) -> str:
        """Return what a whole URI becomes."""
        for source, target in self.pairs:
            if uri == source or uri.startswith(f"{source}/"):
                return target + uri[len(source) :]
        return uri

    def within(self, text: str) -> str:
        """Return what a text becomes in which URIs stand within quotes."""
        for source, target in self.pairs:
            text = text.replace(f'"{source}/', f'"{target}/').replace(f'"{source}"', f'"{target}"')
        return text

    def covers(self, uri: str) -> bool:
        """Tell whether some prefix says what becomes of a URI."""
        return any(uri == source or uri.startswith(f"{source}/") for source, _ in self.pairs)

    @property
    def changing(self) -> tuple[tuple[str, str], ...]:
        """The pairs whose target differs."""
        return tuple((source, target) for source, target in self.pairs if source != target)

    def expression(self, column: sql.Composable, form: UriForm) -> sql.Composable:
        """Return the SQL expression that rewrites a column as :meth:`of` or :meth:`within` do."""
        from psycopg import sql

        if form is UriForm.WITHIN:
            within = column
            for source, target in self.changing:
                for end in ("/", '"'):
                    within = sql.SQL("replace({}, {}, {})").format(
                        within, sql.Literal(f'"{source}{end}'), sql.Literal(f'"{target}{end}')
                    )
            return within
        if not self.changing:
            return column
        cases = [
            sql.SQL("WHEN {0} = {1} OR starts_with({0}, {2}) THEN {3} || substr({0}, {4})").format(
                column,
                sql.Literal(source),
                sql.Literal(f"{source}/"),
                sql.Literal(target),
                sql.Literal(len(source) + 1),
            )
            for source, target in self.pairs
        ]
        return sql.SQL("CASE {} ELSE {} END").format(sql.SQL(" ").join(cases), column)


def uri_map(pairs: Iterable[tuple[str, str]]) -> UriMap:
    """Return the map of the given pairs.

    :raises SpecError: a prefix is empty or given twice, or a target lies below another pair's source, so
        that what was rewritten once would be rewritten again.
    """
    cleaned = [(source.rstrip("/"), target.rstrip("/")) for source, target in pairs]
    sources = [source for source, _ in cleaned]
    for source, target in cleaned:
        if not source or not target:
            raise _wrong(f"{source}={target}", "two prefixes, such as s3://old/mlflow=gs://new/mlflow")
        if sources.count(source) > 1:
            raise _wrong(source, "each source prefix once")
    for _, target in cleaned:
        for source, own in cleaned:
            if source != own and f"{target}/".startswith(f"{source}/"):
                raise _wrong(f"{target}, which lies below {source}", "targets that no pair rewrites again")
    return UriMap(tuple(sorted(cleaned, key=lambda pair: -len(pair[0]))))


def _wrong(got: str, expected: str) -> SpecError:
    return SpecError(
        "reading the map of prefixes",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy="correct --artifacts (of feature stores --history), or the prefixes in the spec",
        code="7101",
    )
