"""A copied store is brought up to date, again and again, while teams keep working."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from heavylift.errors import ConflictError, NotFoundError, TransientError
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.store.state import leased
from tests.support.longer import first_then_long
from tests.support.stores import TwoStores

# What clients do in a day: new runs, points, renamed and deleted things, moved aliases.
A_DAY = """
INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, artifact_uri, experiment_id)
    SELECT md5('new' || i), 'new ' || i, 'RUNNING', i, 'active',
        's3://mlflow-source/artifacts/10/' || md5('new' || i) || '/artifacts', 10
    FROM generate_series(1, 30) i;
INSERT INTO metrics SELECT 'loss', i / 3.0, i, md5('new' || i % 30 + 1), i, false
    FROM generate_series(1, 3000) i;
UPDATE runs SET status = 'FINISHED', end_time = 5 WHERE run_uuid = md5('run3');
UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 9 WHERE run_uuid = md5('run5');
DELETE FROM tags WHERE run_uuid = md5('run2') AND key = 'mlflow.user';
UPDATE registered_model_aliases SET version = 4 WHERE name = 'model-0' AND alias = 'champion';
DELETE FROM registered_model_aliases WHERE name = 'model-1';
DELETE FROM model_version_tags WHERE name = 'model-2';
DELETE FROM registered_model_aliases WHERE name = 'model-2';
DELETE FROM registered_model_tags WHERE name = 'model-2';
DELETE FROM model_versions WHERE name = 'model-2';
DELETE FROM registered_models WHERE name = 'model-2';
INSERT INTO registered_models (name, workspace) VALUES ('brand new', 'default');
UPDATE experiments SET name = 'x' WHERE experiment_id = 10;
UPDATE experiments SET name = 'experiment-0' WHERE experiment_id = 17;
UPDATE experiments SET name = 'experiment-1' WHERE experiment_id = 10;
INSERT INTO experiments (name, artifact_location, lifecycle_stage, workspace)
    VALUES ('Ω new', 's3://mlflow-source/artifacts/61', 'active', 'default');
DELETE FROM trace_info WHERE timestamp_ms % 2 = 0;
UPDATE secrets SET encrypted_value = '\\x11', description = 'turned' WHERE secret_id = 's-1';
"""


def test_nothing_new_writes_nothing(stores: TwoStores) -> None:
    stores.copy()
    before = stores.writes()
    record = stores.sync()
    assert (record.written, record.sequences, record.leftovers) == (0, {}, ())
    assert {table.action for table in record.tables} == {"unchanged"}
    assert stores.writes() == before
    assert stores.copy().written == 0
    assert stores.writes() == before


def test_a_day_of_work_follows(stores: TwoStores) -> None:
    stores.copy()
    stores.on_source(A_DAY)
    record = stores.sync(deletes="propagate")
    stores.assert_equal()
    counts = {table.table: (table.inserted, table.updated, table.deleted) for table in record.tables}
    assert counts["runs"] == (30, 2, 0)
    assert counts["metrics"] == (3000, 0, 0)
    assert counts["experiments"] == (1, 2, 0)
    assert counts["registered_model_aliases"] == (0, 1, 2)
    assert counts["registered_models"] == (1, 0, 1)
    assert counts["trace_info"] == (0, 0, 3)
    assert record.written == sum(sum(each) for each in counts.values())
    assert record.sequences == {"experiments_experiment_id_seq": 61}
    assert stores.sync(deletes="propagate").written == 0


def test_deleted_things_stay_where_they_are_to_be_kept(stores: TwoStores) -> None:
    stores.copy()
    stores.on_source(A_DAY)
    record = stores.sync()
    assert record.deleted == 0
    kept = {table.table: table.kept for table in record.tables if table.kept}
    assert kept["registered_models"] == 1
    assert stores.on_target("SELECT name FROM registered_models WHERE name = 'model-2'") == [("model-2",)]
    before = stores.writes()
    again = stores.sync()
    assert (again.written, again.kept) == (0, record.kept)
    assert stores.writes() == before
    stores.sync(deletes="propagate")
    stores.assert_equal()


def test_a_name_that_is_used_again_while_its_first_owner_is_kept(stores: TwoStores) -> None:
    stores.on_source(
        "INSERT INTO experiments (experiment_id, name, workspace) VALUES (90, 'free', 'default')"
    )
    stores.copy()
    stores.on_source(
        "DELETE FROM experiments WHERE experiment_id = 90;"
        "INSERT INTO experiments (experiment_id, name, workspace) VALUES (91, 'free', 'default')"
    )
    before = stores.digests()
    with pytest.raises(ConflictError, match=r"experiments.*--deletes propagate.*HL-7130"):
        stores.sync()
    assert stores.digests() == before
    stores.sync(deletes="propagate")
    stores.assert_equal()


def test_what_others_write_on_the_target_is_noticed(stores: TwoStores) -> None:
    stores.copy()
    stores.on_target("UPDATE runs SET name = 'theirs' WHERE run_uuid = md5('run1')")
    stores.on_target("INSERT INTO registered_models (name, workspace) VALUES ('theirs', 'default')")
    before = stores.digests()
    with pytest.raises(ConflictError, match=r"in registered_models, runs|in runs, registered_models"):
        stores.sync()
    assert stores.digests() == before
    stores.sync(overwrite=True, deletes="propagate")
    stores.assert_equal()


def test_a_sync_before_the_copy_is_refused(stores: TwoStores) -> None:
    with pytest.raises(NotFoundError, match="HL-7113"):
        stores.sync()


def test_two_runs_at_once(stores: TwoStores) -> None:
    stores.copy()
    with leased(stores.target, "m/history"), pytest.raises(TransientError, match="HL-7120"):
        stores.sync()
    assert stores.sync().written == 0


def test_a_run_that_lost_its_lease_commits_nothing(stores: TwoStores) -> None:
    stores.copy()
    with leased(stores.target, "m/history") as lease:
        lease.claim("here", "")
        stores.on_target("UPDATE heavylift.registry_store SET epoch = epoch + 1")
        with (
            closing(connect(stores.target, "test")) as session,
            pytest.raises(ConflictError, match="HL-7121"),
        ):
            lease.demand(session)


def test_a_counter_alone_is_set_under_the_right_to_write(stores: TwoStores) -> None:
    stores.copy()
    epoch = "SELECT epoch FROM heavylift.registry_store"
    ((before,),) = stores.on_target(epoch)
    stores.on_source("SELECT setval('experiments_experiment_id_seq', 500)")
    record = stores.sync()
    assert (record.written, record.sequences) == (0, {"experiments_experiment_id_seq": 500})
    assert stores.on_target(epoch) == [(before + 1,)]
    assert stores.sync().sequences == {}
    assert stores.on_target(epoch) == [(before + 1,)]


@contextmanager
def busy(stores: TwoStores, seed: int) -> Iterator[None]:
    """Write to the source as clients do, transaction after transaction, while the block runs."""
    stop = threading.Event()

    def write() -> None:
        chance = random.Random(seed)
        with closing(connect(stores.source, "writer", autocommit=False)) as session:
            number = 0
            while not stop.is_set():
                number += 1
                run = f"w{seed}-{number}"
                with session.transaction():
                    session.execute("SET LOCAL search_path = public")
                    session.execute(
                        "INSERT INTO runs (run_uuid, status, lifecycle_stage, artifact_uri, experiment_id)"
                        " VALUES (md5(%(run)s), 'RUNNING', 'active', 's3://mlflow-source/artifacts/x', 10)",
                        {"run": run},
                    )
                    session.execute(
                        "INSERT INTO metrics SELECT 'm', i, i, md5(%(run)s), i, false"
                        " FROM generate_series(1, 20) i",
                        {"run": run},
                    )
                    session.execute(
                        "UPDATE experiments SET last_update_time = %s WHERE experiment_id = 10", [number]
                    )
                if chance.random() < 0.3:
                    with session.transaction():
                        gone = {"run": f"w{seed}-{chance.randint(1, number)}"}
                        session.execute("DELETE FROM public.metrics WHERE run_uuid = md5(%(run)s)", gone)
                        session.execute("DELETE FROM public.runs WHERE run_uuid = md5(%(run)s)", gone)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


@pytest.mark.long
@pytest.mark.parametrize("seed", first_then_long([1, 2]))
def test_each_run_is_one_moment_of_a_source_that_is_written_to(stores: TwoStores, seed: int) -> None:
    torn = (
        "SELECT count(*) FROM runs r WHERE run_uuid IN (SELECT run_uuid FROM metrics WHERE key = 'm') AND"
        " (SELECT count(*) FROM metrics m WHERE m.run_uuid = r.run_uuid AND key = 'm') <> 20"
    )
    with busy(stores, seed):
        stores.copy()
        assert stores.on_target(torn) == [(0,)]
        for _ in range(3):
            stores.sync(deletes="propagate")
            assert stores.on_target(torn) == [(0,)]
    stores.sync(deletes="propagate")
    stores.assert_equal()
