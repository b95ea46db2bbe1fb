"""A schema that holds one of everything that PostgreSQL can hold, and what it answers when asked."""

from __future__ import annotations

import re

from heavylift.connections import Connection
from heavylift.tables.model import TableName
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.programs import find_programs

LONG = "ä" * 31 + "x"  # 63 bytes

TYPES = """
CREATE SCHEMA "Odd.schema";
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE DOMAIN posint AS integer CHECK (VALUE > 0);
CREATE DOMAIN names AS text[] NOT NULL DEFAULT '{}';
CREATE TYPE inner_t AS (a integer, b text);
CREATE TYPE outer_t AS (i inner_t, m mood, l inner_t[]);
CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE TABLE everything (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    c_bool boolean, c_i2 smallint, c_i4 integer, c_i8 bigint, c_f4 real, c_f8 double precision,
    c_num numeric, c_num2 numeric(12, 3), c_money money, c_char char(5), c_varchar varchar(10), c_text text,
    c_name name, c_inner_char "char", c_bytea bytea, c_date date, c_time time, c_timetz timetz,
    c_ts timestamp, c_tstz timestamptz(3), c_interval interval, c_uuid uuid, c_json json, c_jsonb jsonb,
    c_xml xml, c_inet inet, c_cidr cidr, c_mac macaddr, c_mac8 macaddr8, c_bit bit(3), c_varbit varbit,
    c_point point, c_line line, c_lseg lseg, c_box box, c_path path, c_polygon polygon, c_circle circle,
    c_tsv tsvector, c_tsq tsquery, c_i4r int4range, c_i8r int8range, c_nr numrange, c_tsr tsrange,
    c_tstzr tstzrange, c_dr daterange, c_fr floatrange, c_lsn pg_lsn, c_oid oid, c_regclass regclass,
    c_regtype regtype, c_mood mood, c_posint posint, c_names names, c_outer outer_t,
    a_i4 integer[], a_text text[], a_num numeric[], a_tstz timestamptz[], a_jsonb jsonb[], a_bytea bytea[],
    a_mood mood[], a_posint posint[], a_inner inner_t[], a_2d integer[][], a_uuid uuid[], a_range int4range[],
    a_bool boolean[], a_inet inet[], a_interval interval[], c_snapshot pg_snapshot, c_jsonpath jsonpath
);
"""

RANGES_OF_14 = """
CREATE TABLE multiranges (id integer PRIMARY KEY, r int4multirange, n nummultirange, t tstzmultirange[]);
INSERT INTO multiranges VALUES (1, '{[1,3),[5,9)}', '{}', ARRAY['{[infinity,infinity]}'::tstzmultirange]),
    (2, NULL, '{(,)}', NULL);
"""

ROWS = r"""
INSERT INTO everything (c_names) VALUES ('{}');
INSERT INTO everything VALUES (DEFAULT,
    true, -32768, 2147483647, -9223372036854775808, 'NaN', '-Infinity',
    'NaN', 123456789.125, '-12.34', 'ab', 'ü€', E'tab\there\nline\\N \\. ''quote" \u0001',
    'a name', 'x', '\x00ff5c4e0a', 'infinity', '24:00', '23:59:59.999999+15:59',
    '4713-01-01 00:00:00 BC', '-infinity', '-178000000 years 11 mons -3 days 04:05:06.789',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" : [1, 2e400],  "a": null}', '{"n": 1e400, "u": "\u20ac"}',
    '<a href="x">ü</a>', '::1/128', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '101', '',
    '(1e-300,-0)', '{1,2,3}', '[(0,0),(1,1)]', '((2,2),(0,0))', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))',
    '<(0,0),5>', 'a:1A fat:2B,4C cat:5', 'fat & (rat | cat:ab*)', 'empty', '[1,)', '(,1.5]', '(,)',
    '["2020-01-01 00:00+02",infinity)', '[2020-01-01,2020-02-01)', '[1.5,NaN]', '16/B374D848', 4294967295,
    'pg_class', 'timestamptz', 'it''s ok', 7, '{"a,b",NULL,"NULL",""}',
    ROW(ROW(1, 'x,"y"'), 'sad', ARRAY[ROW(2, NULL), NULL]::inner_t[]),
    '{1,NULL,-5}', '{"",NULL,"a\"b","{}"}', '{NaN,1e1000,-Infinity}',
    '{infinity,"0044-03-15 00:00:00+00 BC"}',
    ARRAY['{"a":1}', NULL]::jsonb[], ARRAY['\x00'::bytea, ''], '{happy,NULL}', '{1,2}',
    ARRAY[ROW(1, 'ä')]::inner_t[], '[0:1][-1:0]={{1,2},{3,4}}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
    '{empty,"[1,5)"}', '{t,f,NULL}', '{::1}', '{"1 mon -1 day"}', '10:20:10,14,15', '$.a[*] ? (@ > 1)');
INSERT INTO everything (c_num, c_text, c_bytea, c_names)
    SELECT repeat('9', 131072)::numeric, string_agg(md5(i::text), ''),
        decode(string_agg(md5(i::text), ''), 'hex'),
        '{}' FROM generate_series(1, 20000) i;
INSERT INTO everything (c_num, c_f8, c_f4, c_names)
    SELECT i / 7.0, random() * 1e-300, 1 / 3.0, '{}' FROM generate_series(1, 300) i;
INSERT INTO everything (c_num, c_names) VALUES (('0.' || repeat('1', 16383))::numeric, '{x}'),
    (-0.000, '{x}');
"""

SHAPES = f"""
CREATE TABLE parent (id integer PRIMARY KEY, note text DEFAULT 'none');
CREATE TABLE child (extra jsonb, PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent VALUES (1, 'p'), (2, NULL);
INSERT INTO child VALUES (10, 'c', '{{"a": 1}}');
CREATE TABLE by_range (id integer, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE by_range_old PARTITION OF by_range FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE by_range_new PARTITION OF by_range FOR VALUES FROM ('2020-01-01') TO (MAXVALUE)
    PARTITION BY HASH (id);
CREATE TABLE by_range_new_0 PARTITION OF by_range_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "by range new 1" (v text, at date NOT NULL, gone integer, id integer NOT NULL);
ALTER TABLE "by range new 1" DROP COLUMN gone;
ALTER TABLE by_range_new ATTACH PARTITION "by range new 1" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_range SELECT i, date '2019-06-01' + i, md5(i::text) FROM generate_series(1, 500) i;
CREATE TABLE by_list (kind text PRIMARY KEY, v integer) PARTITION BY LIST (kind);
CREATE TABLE by_list_a PARTITION OF by_list FOR VALUES IN ('a', 'b');
CREATE TABLE by_list_rest PARTITION OF by_list DEFAULT;
INSERT INTO by_list VALUES ('a', 1), ('z', 2);
CREATE TABLE no_partitions (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE "Odd.schema"."select" ("from" integer PRIMARY KEY, "Mixed Case" text, "qu""ote" text, "%s" text);
INSERT INTO "Odd.schema"."select" VALUES (1, 'a', 'b', '%s'), (2, NULL, '', '%');
CREATE TABLE "Odd.schema"."{LONG}" ("{LONG}" integer PRIMARY KEY);
INSERT INTO "Odd.schema"."{LONG}" VALUES (1);
CREATE TABLE dropped (a integer, id integer PRIMARY KEY, b text, c integer);
INSERT INTO dropped VALUES (1, 1, 'x', 1);
ALTER TABLE dropped DROP COLUMN a, DROP COLUMN b, ADD COLUMN d text DEFAULT 'later', ADD COLUMN e integer;
INSERT INTO dropped VALUES (2, 2, 'now', 3);
CREATE TABLE computed (
    id serial PRIMARY KEY, a integer NOT NULL, twice integer GENERATED ALWAYS AS (a * 2) STORED,
    made timestamptz DEFAULT now(), tag text DEFAULT upper('x') || '-' CHECK (tag <> 'y')
);
INSERT INTO computed (a) SELECT generate_series(1, 50);
CREATE TABLE only_computed (one integer GENERATED ALWAYS AS (1) STORED);
ALTER TABLE only_computed REPLICA IDENTITY FULL;
INSERT INTO only_computed DEFAULT VALUES;
INSERT INTO only_computed DEFAULT VALUES;
CREATE TABLE ring_a (id integer PRIMARY KEY, b integer);
CREATE TABLE ring_b (id integer PRIMARY KEY, a integer REFERENCES ring_a DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE ring_a ADD FOREIGN KEY (b) REFERENCES ring_b DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO ring_a VALUES (1, 1), (2, NULL);
INSERT INTO ring_b VALUES (1, 1);
COMMIT;
CREATE TABLE empty_one (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE no_columns ();
ALTER TABLE no_columns REPLICA IDENTITY FULL;
INSERT INTO no_columns SELECT FROM generate_series(1, 7);
CREATE TABLE duplicates (a integer, b text);
ALTER TABLE duplicates REPLICA IDENTITY FULL;
INSERT INTO duplicates SELECT i % 3, NULLIF(i % 2, 0)::text FROM generate_series(1, 60) i;
CREATE TABLE by_index (a integer NOT NULL, b integer NOT NULL, c text, UNIQUE (b) INCLUDE (a));
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_a_key;
INSERT INTO by_index SELECT i, -i, 'x' FROM generate_series(1, 20) i;
CREATE TABLE named_by_type (m mood PRIMARY KEY, n names);
INSERT INTO named_by_type VALUES ('happy', '{{a}}'), ('sad', DEFAULT);
CREATE SEQUENCE countdown AS smallint INCREMENT -3 MAXVALUE 900 MINVALUE -900 START 900 CYCLE;
SELECT nextval('countdown'), nextval('countdown');
CREATE SEQUENCE untouched START 42;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN NEW.note := 'touched'; -- TOC entry
RETURN NEW; END $f$;
CREATE TRIGGER touched BEFORE INSERT OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW happy AS SELECT id, c_mood FROM everything WHERE c_mood = 'happy';
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM parent;
CREATE INDEX ON everything (c_mood) WHERE c_mood IS NOT NULL;
CREATE INDEX "odd index" ON everything USING gin (c_tsv);
CREATE UNIQUE INDEX ON computed ((lower(tag) || id));
CREATE STATISTICS stats ON a, made FROM computed;
COMMENT ON TABLE parent IS 'it''s a -- comment; with a line
-- Name: x; Type: TABLE; Schema: y; Owner: z';
COMMENT ON COLUMN everything.c_mood IS 'Gemüt';
ALTER TABLE computed ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON computed USING (a > 0);
"""

EXTENSIONS = """
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE extended (name citext PRIMARY KEY, tags hstore, more citext[]);
INSERT INTO extended VALUES ('Ann', 'a=>1, b=>NULL', '{X,y}'), ('bob', '', NULL);
"""


def statements(version: int, *, extensions: bool) -> str:
    """Return what makes the schema and its rows on a server of a version."""
    parts = [TYPES, ROWS, SHAPES, RANGES_OF_14 if version >= 140000 else "", EXTENSIONS if extensions else ""]
    return "\n".join(parts)


def content(connection: Connection) -> dict[TableName, list[tuple[str, str]]]:
    """Return each table's rows as ordered texts, with the relation that holds each."""
    found = {}
    with connect(connection, "test") as session:
        session.execute("SET row_security = off")
        for table in read_catalog(session, ("*.*",)):
            name = ".".join(
                '"' + part.replace('"', '""') + '"' for part in (table.name.schema, table.name.name)
            )
            query = f"SELECT t.tableoid::regclass::text, t::text FROM {name} t ORDER BY 1, 2"
            if not table.leaves:
                query = query.replace("FROM ", "FROM ONLY ", 1)
            found[table.name] = session.execute(query.encode()).fetchall()
    return found


def schema_text(connection: Connection) -> str:
    """Return the schema as pg_dump writes it, without what differs by nature."""
    with connect(connection, "test") as session:
        programs = find_programs(session.info.server_version // 10000)
    text = programs.run(
        "pg_dump",
        ["--schema-only", "--no-owner", "--no-privileges", "--no-publications", "--exclude-schema=heavylift"],
        connection,
    ).decode()
    return re.sub(r"^\\(un)?restrict .*$|^-- Dumped .*$", "", text, flags=re.MULTILINE)
