"""A copy makes the tables of an empty target: pg_dump finds no difference to those that MLflow has made."""

from __future__ import annotations

import pytest

from heavylift.errors import ConflictError, NotFoundError
from heavylift.registry.store.preflight import look
from tests.support.odd_schema import schema_text
from tests.support.stores import TwoStores

_RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"


@pytest.fixture
def blank(stores: TwoStores) -> TwoStores:
    """Return the stores with a target in which there is nothing at all."""
    listed = ", ".join(f'"{name}"' for (name,) in stores.on_target(_RELATIONS))
    stores.on_target(f"DROP TABLE {listed} CASCADE")
    return stores


def test_the_tables_are_made_as_the_source_has_them(blank: TwoStores) -> None:
    record = blank.copy(make_tables=True)
    assert record.written > 0
    assert schema_text(blank.target) == schema_text(blank.source)
    version = "SELECT version_num FROM alembic_version"
    assert blank.on_target(version) == blank.on_source(version)
    blank.assert_equal()
    assert blank.copy(make_tables=True).written == 0


def test_an_empty_database_stays_empty_unless_it_is_said(blank: TwoStores) -> None:
    with pytest.raises(NotFoundError, match=r"--make-tables.*HL-7110"):
        blank.copy()
    assert blank.on_target(_RELATIONS) == []


def test_a_look_makes_nothing(blank: TwoStores) -> None:
    looked = look(blank.request(make_tables=True))
    assert looked.record.passed
    assert "tables-made" in {each.rule for each in looked.record.findings}
    blank.copy(make_tables=True, dry_run=True)
    assert blank.on_target(_RELATIONS) == []


def test_a_database_of_somebody_else_is_not_taken(blank: TwoStores) -> None:
    blank.on_target("CREATE TABLE theirs (id int PRIMARY KEY)")
    with pytest.raises(NotFoundError, match="HL-7110"):
        blank.copy(make_tables=True)
    assert blank.on_target(_RELATIONS) == [("theirs",)]


def test_what_cannot_be_made_is_named_and_nothing_is(blank: TwoStores) -> None:
    blank.on_source("CREATE TYPE mood AS ENUM ('good'); CREATE TABLE moods (id int PRIMARY KEY, feels mood)")
    with pytest.raises(ConflictError, match=r"moods\.feels.*HL-9554"):
        blank.copy(make_tables=True)
    assert blank.on_target(_RELATIONS) == []
