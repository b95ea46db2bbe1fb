"""A whole tracking store arrives as it was: every table, id and time, with its URIs rewritten."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from heavylift.errors import ConflictError, CredentialError, NotFoundError, UnsupportedError
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.store.moving import move_store
from heavylift.registry.store.preflight import look
from heavylift.registry.uris import uri_map
from heavylift.registry.work import Work
from sandbox.stack import Stack
from tests.support.stores import MAP, SOURCE_ROOT, TARGET_ROOT, TwoStores, two_stores

SERVERS_FIRST_START = (
    "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, workspace)"
    " VALUES (0, 'Default', 'gs://the-target/mlflow/0', 'active', 'default')"
)


def test_everything_arrives(stores: TwoStores) -> None:
    stores.on_target(SERVERS_FIRST_START)
    record = stores.copy()
    stores.assert_equal()
    assert record.written == record.rows == sum(table.rows for table in record.tables)
    assert {table.action for table in record.tables} == {"copied"}
    assert record.leftovers == ()
    assert stores.on_target("SELECT nextval('experiments_experiment_id_seq')") == [(61,)]
    assert stores.on_target(
        "SELECT count(*) FROM experiments WHERE artifact_location LIKE %s", f"{TARGET_ROOT}/%"
    )
    keys = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2"
    )
    assert [row for row in stores.on_target(keys) if "heavylift" not in row[0]] == stores.on_source(keys)


@pytest.mark.long
def test_large_tables_get_their_indexes_back(stores: TwoStores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heavylift.registry.store.loading.REBUILD_FROM_BYTES", 0)
    stores.copy()
    stores.assert_equal()
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    assert stores.on_target(indexes) == stores.on_source(indexes)


@pytest.mark.long
def test_somebody_who_reads_the_target_does_not_hold_the_copy_up(
    stores: TwoStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift.registry.store.loading.REBUILD_FROM_BYTES", 0)
    monkeypatch.setattr("heavylift.registry.store.loading.LOCK_SECONDS", 0.05)
    with closing(connect(stores.target, "reader", autocommit=False)) as reader:
        reader.execute("SELECT count(*) FROM public.runs")
        stores.copy()
    stores.assert_equal()


def test_an_empty_store_arrives_empty(store_sandbox: Stack) -> None:
    with two_stores(store_sandbox.env, sizes=None) as stores:
        assert stores.copy().rows == 1  # the default workspace
        stores.assert_equal()
        assert stores.sync().written == 0


def test_a_dry_run_writes_nothing(stores: TwoStores) -> None:
    before = stores.writes()
    record = stores.copy(dry_run=True)
    assert (record.dry_run, record.written) == (True, 0)
    assert stores.writes() == before
    assert stores.on_target("SELECT to_regnamespace('heavylift')") == [(None,)]


def test_a_target_with_history_of_others_is_refused(stores: TwoStores) -> None:
    stores.on_target(SERVERS_FIRST_START)
    stores.on_target("INSERT INTO registered_models (name, workspace) VALUES ('theirs', 'default')")
    before = stores.digests()
    with pytest.raises(ConflictError, match=r"target-occupied: registered_models.*HL-7111"):
        stores.copy()
    assert stores.digests() == before


def test_another_migration_does_not_write_into_the_same_store(stores: TwoStores) -> None:
    stores.copy()
    request = replace(stores.request(), registry="other")
    with pytest.raises(ConflictError, match="other-registry: m/history"):
        move_store(request, Work(), "copy")


def test_versions_that_differ_are_refused_with_the_way_out(stores: TwoStores) -> None:
    stores.on_target("UPDATE alembic_version SET version_num = 'abc'")
    with pytest.raises(ConflictError, match=r"store-version.*at abc.*mlflow db upgrade"):
        stores.copy()
    # As 2.22 has it, which knows no logged models.
    stores.on_source(
        "DROP TABLE logged_models CASCADE; UPDATE alembic_version SET version_num = '0584bdc529eb'"
    )
    with pytest.raises(ConflictError, match=r"store-version.*at revision 0584bdc529eb.*--path api") as caught:
        stores.copy()
    assert "foreign-table" not in str(caught.value)


def test_artifacts_that_nobody_mapped_are_refused(stores: TwoStores) -> None:
    with pytest.raises(ConflictError, match=r"artifacts-unmapped.*artifacts-elsewhere"):
        stores.copy(uris=uri_map([(SOURCE_ROOT, TARGET_ROOT)]))
    kept = uri_map([(SOURCE_ROOT, TARGET_ROOT), (f"{SOURCE_ROOT}-elsewhere", f"{SOURCE_ROOT}-elsewhere")])
    stores.copy(uris=kept)
    stores.assert_equal(kept)


def test_a_uri_that_does_not_fit_is_told_before_anything_moves(stores: TwoStores) -> None:
    long = uri_map([(source, f"gs://{'x' * 150}/{n}") for n, (source, _) in enumerate(MAP.pairs)])
    with pytest.raises(ConflictError, match=r"uri-too-long: runs.artifact_uri takes 200 characters; \d+"):
        stores.copy(uris=long)


def test_what_is_left_of_the_source_is_named(stores: TwoStores) -> None:
    stores.on_source(
        "UPDATE tags SET value = %s WHERE key = 'mlflow.user' AND run_uuid = md5('run3')",
        f"see {SOURCE_ROOT}/x",
    )
    (left,) = stores.copy().leftovers
    assert (left.table, left.column, left.rows, left.prefix) == ("tags", "value", 1, SOURCE_ROOT)


def test_a_wrong_password_is_told(stores: TwoStores) -> None:
    wrong = replace(stores, target=replace(stores.target, password="no"))
    with pytest.raises(CredentialError, match="HL-6010") as raised:
        wrong.copy()
    assert "'no'" not in str(raised.value)


def test_a_database_without_a_store_is_told(stores: TwoStores) -> None:
    with pytest.raises(NotFoundError, match=r"mlflow db upgrade.*HL-7110"):
        replace(stores, target=replace(stores.target, schema="postgres")).copy()


def test_without_a_database_there_is_no_way_yet(stores: TwoStores) -> None:
    request = stores.request()
    with pytest.raises(UnsupportedError, match=r"no connection to the database.*store_connection"):
        look(replace(request, target=replace(request.target, store=None)))


def test_the_same_database_on_both_sides_is_refused(stores: TwoStores) -> None:
    with pytest.raises(ConflictError, match="same-database"):
        replace(stores, target=stores.source).copy()


def test_keys_of_encrypted_values_are_asked_for(stores: TwoStores) -> None:
    rules = {finding.rule for finding in look(stores.request()).record.findings}
    assert "encryption-keys" in rules


def test_a_role_that_lacks_rights_is_told_before_anything_moves(stores: TwoStores) -> None:
    stores.on_target(
        "DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN PASSWORD 'weak';"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO weak"
    )
    try:
        with pytest.raises(ConflictError, match=r"lacks INSERT.*create-right"):
            replace(stores, target=replace(stores.target, login="weak", password="weak")).copy()
    finally:
        stores.on_target("DROP OWNED BY weak; DROP ROLE weak")


def test_rights_that_are_enough(stores: TwoStores) -> None:
    name = stores.target.schema
    stores.on_target(
        "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN PASSWORD 'plain';"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain;"
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO plain;"
        f"GRANT CREATE ON DATABASE {name} TO plain"
    )
    try:
        plain = replace(stores, target=replace(stores.target, login="plain", password="plain"))
        plain.copy()
        assert plain.sync().written == 0
        stores.assert_equal()
    finally:
        stores.on_target("DROP OWNED BY plain CASCADE; DROP ROLE plain")
