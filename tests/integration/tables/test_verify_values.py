"""Every way in which one value can differ is seen, and named by the row's key."""

from __future__ import annotations

import pytest

from tests.support.two_databases import TwoDatabases
from tests.support.verifying import compare, on_both

# Type, value on the source, value on the target: unlike, though some count as equal to an operator.
UNLIKE = {
    "one ulp of a double": ("float8", "0.1::float8", "0.1::float8 + 2 ^ -56"),
    "one ulp of a float": ("float4", "'1'::float4", "'1.0000001'::float4"),
    "negative zero": ("float8", "'0'", "'-0'"),
    "not a number": ("float8", "'NaN'", "'Infinity'"),
    "smallest double": ("float8", "'5e-324'", "'0'"),
    "scale of a number": ("numeric", "1.0", "1.00"),
    "number that is none": ("numeric", "'NaN'", "NULL"),
    "numbers beyond a double": ("bigint", "9007199254740993", "9007199254740992"),
    "halves of a long swapped": ("bigint", "1", "4294967296"),
    "trailing space": ("text", "'a'", "'a '"),
    "empty or nothing": ("text", "''", "NULL"),
    "the word null": ("text", "'NULL'", "NULL"),
    "case": ("text", "'a'", "'A'"),
    "two forms of one letter": ("text", "U&'\\00e9'", "U&'e\\0301'"),
    "separator": ("text", "U&'a\\001f'", "'a'"),
    "padding": ("char(3)", "'a'", "'b'"),
    "object in JSON": ("jsonb", """'{"a": 1}'""", """'{"a": 2}'"""),
    "scale in JSON": ("jsonb", """'{"a": 1.0}'""", """'{"a": 1}'"""),
    "spaces in JSON": ("json", """'{"a":1}'""", """'{"a": 1}'"""),
    "null in JSON": ("jsonb", "'null'", "NULL"),
    "microsecond": ("timestamptz", "'2020-01-01 00:00:00.000001Z'", "'2020-01-01 00:00:00Z'"),
    "end of time": ("timestamptz", "'infinity'", "'-infinity'"),
    "before Christ": ("date", "'0044-03-15 BC'", "'0044-03-15'"),
    "month or days": ("interval", "'1 month'", "'30 days'"),
    "midnight": ("time", "'24:00'", "'00:00'"),
    "zone": ("timetz", "'12:00+00'", "'13:00+01'"),
    "nothing in an array": ("text[]", "'{a,NULL}'", """'{a,"NULL"}'"""),
    "bounds of an array": ("int[]", "'[0:1]={1,2}'", "'{1,2}'"),
    "brackets in an array": ("text[]", """'{"a,b"}'""", "'{a,b}'"),
    "bytes": ("bytea", "'\\x00'", "'\\x'"),
    "bits": ("varbit", "'01'", "'1'"),
    "xml": ("xml", "'<a/>'", "'<a></a>'"),
    "enum": ("mood", "'happy'", "'sad'"),
    "composite": ("place", "ROW(NULL, 'a')", "ROW('', 'a')"),
    "domain": ("positive", "1", "2"),
    "range": ("int4range", "'[1,2)'", "'empty'"),
    "bounds of a range": ("numrange", "'[1,2)'", "'[1,2]'"),
    "network": ("inet", "'10.0.0.1/24'", "'10.0.0.1/32'"),
    "uuid": ("uuid", "'00000000-0000-0000-0000-000000000001'", "NULL"),
    "boolean": ("boolean", "true", "NULL"),
    "money": ("money", "1::money", "1.01::money"),
    "text search": ("tsvector", "'a:1'", "'a:2'"),
    "point": ("point", "'(0,0)'", "'(0,-0)'"),
}

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE place AS (street text, city text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
"""


def test_each_unlike_value_is_seen_and_each_like_one_is_not(databases: TwoDatabases) -> None:
    on_both(databases, TYPES)
    names = [f"t{number}" for number in range(len(UNLIKE))]
    both, source, target = [], [], []
    for name, (type_name, ours, theirs) in zip(names, UNLIKE.values(), strict=True):
        both.append(f"CREATE TABLE {name} (id int PRIMARY KEY, v {type_name}, w {type_name})")
        both.append(f"INSERT INTO {name} VALUES (1, {ours}, {theirs}), (2, {theirs}, {ours})")
        source.append(f"INSERT INTO {name} VALUES (3, {ours}, {ours})")
        target.append(f"INSERT INTO {name} VALUES (3, {ours}, {theirs})")
    on_both(databases, ";".join(both))
    databases.on_source(";".join(source))
    databases.on_target(";".join(target))
    outcome = compare(databases, *names)
    found = {table: (kind, key) for kind, table, key in outcome.differences}
    for name, what in zip(names, UNLIKE, strict=True):
        compared = outcome.tables[f"public.{name}"]
        assert found.get(f"public.{name}") == ("different", {"id": "3"}), what
        assert (compared.equal, compared.different, compared.missing, compared.extra) == (2, 1, 0, 0), what


@pytest.mark.parametrize("columns", [("a", "b"), ("b", "a")])
def test_values_cannot_move_from_one_column_to_the_next(
    databases: TwoDatabases, columns: tuple[str, str]
) -> None:
    on_both(databases, "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c int, d int)")
    first, second = columns
    databases.on_source(f"INSERT INTO t (id, {first}, {second}) VALUES (1, U&'x\\001fy', 'z')")
    databases.on_target(f"INSERT INTO t (id, {first}, {second}) VALUES (1, 'x', U&'y\\001fz')")
    databases.on_source("INSERT INTO t (id, a, c) VALUES (2, 'x', 5), (3, '', 5), (4, NULL, 1)")
    databases.on_target("INSERT INTO t (id, b, d) VALUES (2, 'x', 5), (3, '', 5), (4, NULL, 1)")
    assert compare(databases, "t").kinds() == {(str(key),): "different" for key in (1, 2, 3, 4)}


def test_not_a_number_is_one_value_whatever_its_bits(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE t (id int PRIMARY KEY, v float8)")
    databases.on_source("INSERT INTO t VALUES (1, 'NaN')")
    databases.on_target("INSERT INTO t VALUES (1, -('NaN'::float8))")
    assert compare(databases, "t").one.is_equal


def test_names_of_relations_are_compared_by_name_for_numbers_differ(databases: TwoDatabases) -> None:
    databases.on_target("CREATE TABLE before_it ()")
    on_both(databases, "CREATE TABLE named (); CREATE TABLE t (id int PRIMARY KEY, v regclass, w regtype)")
    on_both(databases, "INSERT INTO t VALUES (1, 'named', 'named')")
    assert compare(databases, "t").one.is_equal


@pytest.mark.long
def test_hundreds_of_columns(databases: TwoDatabases) -> None:
    columns = ", ".join(f"c{number} {('text', 'int')[number % 2]}" for number in range(400))
    on_both(databases, f"CREATE TABLE wide (id int PRIMARY KEY, {columns})")
    on_both(databases, "INSERT INTO wide (id, c0, c399) SELECT g, 'x', g FROM generate_series(1, 50) g")
    databases.on_target("UPDATE wide SET c398 = '' WHERE id = 7")
    databases.on_target("UPDATE wide SET c399 = NULL WHERE id = 9")
    assert compare(databases, "wide").kinds() == {("7",): "different", ("9",): "different"}
