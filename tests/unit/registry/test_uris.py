"""Prefixes of artifact URIs: what matches, what does not, and what is refused."""

from __future__ import annotations

import pytest
from psycopg import sql

from heavylift.errors import SpecError
from heavylift.registry.uris import UriForm, uri_map

MAP = uri_map([("s3://old/a", "gs://new/x"), ("s3://old/a/deep/", "gs://deep"), ("s3://stays", "s3://stays")])


@pytest.mark.parametrize(
    ("uri", "becomes"),
    [
        ("s3://old/a", "gs://new/x"),
        ("s3://old/a/1/run", "gs://new/x/1/run"),
        ("s3://old/a/deep/1", "gs://deep/1"),
        ("s3://old/ab/1", "s3://old/ab/1"),
        ("s3://stays/1", "s3://stays/1"),
        ("models:/m-1", "models:/m-1"),
        ("mlflow-artifacts:/1", "mlflow-artifacts:/1"),
        ("", ""),
    ],
)
def test_a_whole_uri(uri: str, becomes: str) -> None:
    assert MAP.of(uri) == becomes


def test_within_json_only_what_begins_a_text() -> None:
    text = '{"uri": "s3://old/a/1", "b": "s3://old/ab", "c": "see s3://old/a/1", "d": "s3://old/a"}'
    assert MAP.within(text) == (
        '{"uri": "gs://new/x/1", "b": "s3://old/ab", "c": "see s3://old/a/1", "d": "gs://new/x"}'
    )


def test_what_is_mapped_to_itself_is_covered_and_changes_nothing() -> None:
    assert MAP.covers("s3://stays/1")
    assert not MAP.covers("s3://other")
    assert ("s3://stays", "s3://stays") not in MAP.changing


def test_without_a_change_a_column_is_read_as_it_is() -> None:
    column = sql.Identifier("t", "c")
    assert uri_map([("a:/", "a:/")]).expression(column, UriForm.WHOLE) is column


@pytest.mark.parametrize(
    "pairs",
    [
        [("", "s3://b")],
        [("s3://a", "/")],
        [("s3://a", "s3://b"), ("s3://a/", "s3://c")],
        [("s3://a", "s3://b/x"), ("s3://b", "s3://c")],
    ],
)
def test_maps_that_mean_nothing_certain_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(SpecError, match="HL-7101"):
        uri_map(pairs)


def test_equal_maps_have_equal_texts() -> None:
    one = uri_map([("s3://a", "s3://b"), ("s3://c", "s3://d")])
    assert one.text() == uri_map([("s3://c/", "s3://d/"), ("s3://a", "s3://b")]).text()
