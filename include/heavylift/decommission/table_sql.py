"""The statements on a source database: looking, setting aside, dropping. No name is ever pasted into one."""

from __future__ import annotations

FIND = """
SELECT c.oid::bigint, n.nspname, c.relname, pg_total_relation_size(c.oid)::bigint,
       coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0),
       coalesce(s.n_tup_ins, 0) + coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname || '.' || c.relname = ANY(%s)
ORDER BY 2, 3
"""

WHERE_NOW = """
SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s::oid[])
"""

COUNTERS = """
SELECT relid::bigint, coalesce(seq_scan, 0) + coalesce(idx_scan, 0), n_tup_ins + n_tup_upd + n_tup_del
FROM pg_stat_all_tables WHERE relid = ANY(%s::oid[])
"""

WHICH_SERVER = """
SELECT (SELECT system_identifier::text FROM pg_control_system()) || '/'
    || (SELECT oid::text FROM pg_database WHERE datname = current_database())
"""

DIGEST = """
SELECT count(*)::bigint, coalesce(sum(hashtextextended(t::text COLLATE "C", 0)), 0)::text,
       coalesce(sum(hashtextextended(t::text COLLATE "C", 7)), 0)::text
FROM {table} t
"""
"""Sums do not depend on the order of rows, and count each duplicate. Two seeds make 128 bits."""

DEPENDENTS = """
SELECT DISTINCT 'view ' || v.oid::regclass::text
FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
JOIN pg_class v ON v.oid = r.ev_class
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY(%(oids)s::oid[])
  AND v.oid <> ALL(%(oids)s::oid[])
UNION
SELECT 'foreign key of ' || conrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND confrelid = ANY(%(oids)s::oid[]) AND conrelid <> ALL(%(oids)s::oid[])
  AND NOT EXISTS (SELECT 1 FROM pg_class p WHERE p.oid = conrelid AND p.relispartition)
UNION
SELECT 'child ' || inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = ANY(%(oids)s::oid[]) AND NOT c.relispartition AND inhrelid <> ALL(%(oids)s::oid[])
ORDER BY 1
"""

SESSIONS = """
SELECT usename, coalesce(nullif(application_name, ''), 'no name'), count(*)::int FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND NOT (usename = current_user AND application_name LIKE 'heavylift %%')
  AND usename <> ALL(%s)
GROUP BY 1, 2 ORDER BY 1, 2
"""

PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY 1"

SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() ORDER BY 1"

SCHEMA_HAS = "SELECT 1 FROM pg_namespace WHERE nspname = %s"

NAME_TAKEN = """
SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""
