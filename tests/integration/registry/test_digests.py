"""What a table's digest notices: every change that a row's text would show, in both ways of hashing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.store.catalog import read_catalog
from heavylift.registry.store.digests import bucket_digests, table_digest
from tests.support.stores import MAP, TwoStores

CHANGED = {
    "two rows exchange one value": (
        "metrics",
        "UPDATE metrics m SET value = o.value FROM metrics o WHERE m.key = 'metric/0' AND o.key = 'metric/0'"
        " AND m.run_uuid = md5('run0') AND o.run_uuid = md5('run0') AND m.step + o.step = 3",
    ),
    "two columns of a row exchange their values": (
        "runs",
        "UPDATE runs SET start_time = end_time, end_time = start_time WHERE run_uuid = md5('run0')",
    ),
    "the last digit of a number": ("metrics", "UPDATE metrics SET value = value + 1e-12 WHERE step = 2"),
    "the sign of nothing": (
        "metrics",
        "UPDATE metrics SET value = '-0' WHERE step = 1",
    ),
    "a blank at an end": ("params", "UPDATE params SET value = value || ' ' WHERE run_uuid = md5('run0')"),
    "nothing for an empty text": ("runs", "UPDATE runs SET source_name = NULL WHERE run_uuid = md5('run0')"),
    "a lost row": ("tags", "DELETE FROM tags WHERE ctid = (SELECT min(ctid) FROM tags)"),
}
BEFORE = (
    "UPDATE metrics SET value = '0' WHERE step = 1;"
    " UPDATE runs SET source_name = '' WHERE run_uuid = md5('run0')"
)


def digests(stores: TwoStores, table: str, *, texts: bool) -> tuple[str, dict[int, str]]:
    with connect(stores.source, "test") as session:
        catalog = replace(read_catalog(session, "test"), hashes_texts=texts)
        found = catalog.tables[table]
        buckets = bucket_digests(session, catalog, found, 8, MAP)
        return str(table_digest(session, catalog, found, MAP)), {n: str(b) for n, b in buckets.items()}


@pytest.mark.parametrize("texts", [False, True])
def test_whatever_is_changed_changes_the_digest(stores: TwoStores, texts: bool) -> None:
    for what, (table, change) in CHANGED.items():
        stores.on_source(BEFORE)
        before = digests(stores, table, texts=texts)
        stores.on_source(change)
        after = digests(stores, table, texts=texts)
        assert before[0] != after[0], what
        assert before[1] != after[1], what


def test_servers_that_cannot_hash_records_copy_and_sync_all_the_same(
    stores: TwoStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift.registry.store.catalog.HASHES_RECORDS", 10**9)
    stores.copy()
    stores.on_source("UPDATE runs SET name = 'changed' WHERE run_uuid = md5('run0')")
    record = stores.sync()
    assert (record.updated, record.written) == (1, 1)
    stores.assert_equal()
