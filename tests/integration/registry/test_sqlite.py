"""A store in an SQLite file, as small teams have it: moved whole into a PostgreSQL store, again and again."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from heavylift.errors import ConflictError, IntegrityError, NotFoundError, PermanentError, TransientError
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from tests.integration.registry.test_sync import A_DAY
from tests.support.sqlite_store import beside, fill_file
from tests.support.stores import TwoStores
from tests.support.tracking_server import empty_database

STAGED = "SELECT to_regnamespace('heavylift_staging') IS NULL"


@pytest.fixture
def file(tmp_path: Path, stores: TwoStores) -> Path:
    """Return a file that holds what the source holds."""
    path = tmp_path / "mlflow.db"
    shutil.copy(empty_database(), path)
    fill_file(path, stores.source)
    return path


def move(stores: TwoStores, file: Path, act: str = "copy", **options: str) -> object:
    request = beside(stores, file).request(**options)
    return way_of(request).move(request, Work(), act)  # type: ignore[arg-type]


def test_a_file_arrives_whole_and_is_not_written_to(stores: TwoStores, file: Path) -> None:
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    request = beside(stores, file).request()
    looked = way_of(request).preflight(request)
    assert (looked.path, looked.passed) == ("store", True), looked.findings
    assert looked.source.endswith(f" ({file})")
    record = move(stores, file)
    stores.assert_equal()
    assert record.leftovers == ()  # type: ignore[attr-defined]
    assert stores.on_target(STAGED) == [(True,)]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    (made,) = stores.on_target(
        "INSERT INTO experiments (name, lifecycle_stage, workspace) VALUES ('next', 'active', 'default')"
        " RETURNING experiment_id"
    )
    assert made[0] == max(row[0] for row in stores.on_source("SELECT experiment_id FROM experiments")) + 1


def test_what_changed_in_the_file_follows_and_nothing_new_writes_nothing(
    stores: TwoStores, file: Path
) -> None:
    move(stores, file)
    assert move(stores, file, "sync").written == 0  # type: ignore[attr-defined]
    stores.on_source(A_DAY)
    fill_file(file, stores.source)
    record = move(stores, file, "sync", deletes="propagate")
    assert record.written > 30  # type: ignore[attr-defined]
    stores.assert_equal()
    request = beside(stores, file).request()
    proofs = way_of(request).prove(request)  # type: ignore[misc]
    assert {each.equal for each in proofs} == {True}
    stores.on_target("UPDATE params SET value = value || '!' WHERE run_uuid = md5('run0')")
    proofs = way_of(request).prove(request)  # type: ignore[misc]
    assert [each.table for each in proofs if not each.equal] == ["params"]
    with pytest.raises(ConflictError, match="HL-7112"):
        move(stores, file, "sync")


def test_a_file_that_a_server_writes_to_is_read_as_of_one_moment(stores: TwoStores, file: Path) -> None:
    stop = threading.Event()
    marks = (
        "UPDATE runs SET name = 'moment ' || run_uuid || '/' || ?",
        "UPDATE experiments SET name = 'moment ' || experiment_id || '/' || ?",
    )

    def write() -> None:
        with closing(sqlite3.connect(file, timeout=30)) as session:
            session.execute("PRAGMA journal_mode = WAL")
            number = 0
            while not stop.is_set():
                number += 1
                with session:
                    for mark in marks:
                        session.execute(mark, [number])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        move(stores, file)
    finally:
        stop.set()
        writer.join()
    moments = stores.on_target(
        "SELECT DISTINCT split_part(name, '/', 2) FROM (SELECT name FROM runs UNION ALL"
        " SELECT name FROM experiments) n"
    )
    assert len(moments) == 1


UNFIT = {
    "UPDATE runs SET start_time = 'yesterday', end_time = 1.5": ("runs.start_time", "runs.end_time"),
    "UPDATE runs SET name = 'a' || char(0) || 'hidden words'": ("runs.name",),
    "UPDATE experiments SET name = CAST(x'ff8041' AS TEXT) WHERE experiment_id = 10": ("experiments.name",),
    "UPDATE experiments SET artifact_location = x'00ff' WHERE experiment_id = 17": (
        "experiments.artifact_location",
    ),
    "UPDATE tags SET key = printf('%.*c', 251, 'k') WHERE key = 'mlflow.parentRunId'": ("tags.key",),
    "UPDATE params SET value = printf('%.*c', 8001, 'v') WHERE key = 'param 0'": ("params.value",),
    "UPDATE registered_models SET name = name || printf('%.*c', 300, 'ü')": ("registered_models.name",),
    "UPDATE metrics SET value = 'many', is_nan = 7 WHERE step = 1": ("metrics.value", "metrics.is_nan"),
    "UPDATE model_versions SET storage_location = 'ok', version = 1e300 WHERE version = 1": (
        "model_versions.version",
    ),
    "UPDATE trace_info SET timestamp_ms = 1e19": ("trace_info.timestamp_ms",),
    "UPDATE evaluation_dataset_records SET inputs = '{\"q\": NaN}'": ("evaluation_dataset_records.inputs",),
    "UPDATE spans SET start_time_unix_nano = -9223372036854775807": ("spans.duration_ns",),
    "UPDATE assessments SET trace_id = 'tr-none'": ("assessments.trace_id",),
    "UPDATE secrets SET encrypted_value = 'no bytes'": ("secrets.encrypted_value",),
    "UPDATE webhooks SET url = printf('%.*c', 501, 'u')": ("webhooks.url",),
}


def test_values_that_postgresql_does_not_take_are_named_together_before_anything_is_written(
    stores: TwoStores, file: Path
) -> None:
    with closing(sqlite3.connect(file)) as session:
        session.execute("PRAGMA ignore_check_constraints = ON")
        for statement in UNFIT:
            assert session.execute(statement).rowcount, statement
        session.commit()
    for act in (
        lambda: move(stores, file),
        lambda: way_of(beside(stores, file).request()).preflight(beside(stores, file).request()),
    ):
        with pytest.raises(ConflictError, match="HL-9555") as caught:
            act()
    told = str(caught.value)
    for columns in UNFIT.values():
        for column in columns:
            assert f"{column}: " in told
    assert "yesterday" not in told
    assert "hidden words" not in told
    assert stores.on_target("SELECT count(*) FROM runs") == [(0,)]
    assert stores.on_target(STAGED) == [(True,)]


def test_what_is_no_store_is_told(stores: TwoStores, file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="HL-9541"):
        move(stores, tmp_path / "none.db")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as session, session:
        session.execute("CREATE TABLE t (id int)")
    with pytest.raises(NotFoundError, match="HL-9541"):
        move(stores, other)
    other.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(TransientError, match="HL-9540"):
        move(stores, other)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(file.read_bytes()[: 20 * 4096] + b"\xff" * (file.stat().st_size - 20 * 4096))
    with pytest.raises(IntegrityError, match="HL-9556"):
        move(stores, damaged)
    with closing(sqlite3.connect(file)) as session:
        session.execute("PRAGMA ignore_check_constraints = ON")
        session.execute("UPDATE runs SET lifecycle_stage = 'gone'")
        session.commit()
        with pytest.raises(PermanentError, match=r"staging table runs.*lifecycle.*HL-6013"):
            move(stores, file)
        session.execute("UPDATE runs SET lifecycle_stage = 'active'")
        session.commit()
    with closing(sqlite3.connect(file)) as session, session:
        session.execute("CREATE TABLE theirs (id int)")
    with pytest.raises(ConflictError, match="HL-9543"):
        move(stores, file)


@pytest.mark.long
def test_one_file_is_staged_at_a_time_and_what_a_killed_run_left_is_no_trouble(
    stores: TwoStores, file: Path
) -> None:
    stores.on_target("CREATE SCHEMA heavylift_staging; CREATE TABLE heavylift_staging.experiments (id int)")
    with connect(stores.target, "test") as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('heavylift staging', 0))")
        with pytest.raises(TransientError, match="HL-9542"):
            move(stores, file)
    move(stores, file)
    stores.assert_equal()


@pytest.mark.long
def test_what_reads_back_otherwise_than_it_was_sent_is_refused(
    stores: TwoStores, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.registry.store import staging

    monkeypatch.setitem(staging._FORMS, "boolean", lambda value: value)
    with pytest.raises(IntegrityError, match="HL-9544"):
        move(stores, file)
    assert stores.on_target("SELECT count(*) FROM runs") == [(0,)]
