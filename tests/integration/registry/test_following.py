"""A registry that is followed: the target's database has each change soon, after a switch the source has."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import psycopg
import pytest

from heavylift.errors import IntegrityError, PermanentError, SpecError
from heavylift.fencing import Side
from heavylift.mirror import api
from heavylift.mirror.followed import is_followed
from heavylift.mirror.requests import stream_of
from heavylift.mirror.switch import switch_registry
from heavylift.registry.requests import RegistryRequest
from heavylift.registry.uris import uri_map
from heavylift.tables import api as tables
from tests.integration.registry.test_killed import noted
from tests.integration.registry.test_sync import A_DAY
from tests.support.registry_follower import Follower, follower, logging_runs
from tests.support.stores import MAP, SOURCE_ROOT, TARGET_ROOT, TwoStores

T = TypeVar("T")
NEW_RUN = (
    "INSERT INTO runs (run_uuid, name, experiment_id, status, lifecycle_stage, start_time, artifact_uri)"
    " VALUES ('{0}', 'n', 10, 'RUNNING', 'active', 1, '{1}/10/{0}/artifacts')"
)


def wait(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(doing)


def following(stores: TwoStores) -> RegistryRequest:
    """Begin to follow."""
    request = stores.request(deletes="propagate")
    assert wait(api.begin_following(request)) is not None
    return request


def test_what_teams_log_arrives_with_its_places_rewritten_and_flows_back_after_the_switch(
    stores: TwoStores,
) -> None:
    request = following(stores)
    stores.assert_equal()
    assert wait(is_followed(request))
    assert wait(api.begin_following(request)) is None
    stores.on_source(A_DAY)
    stores.on_source(NEW_RUN.format("a" * 32, SOURCE_ROOT))
    record, _ = wait(api.sync_following(request))
    assert (record.direction, record.caught_up) == ("forward", True)
    assert record.changes > 5
    stores.assert_equal()
    written = stores.on_target(f"SELECT artifact_uri FROM runs WHERE run_uuid = '{'a' * 32}'")
    assert written == [(f"{TARGET_ROOT}/10/{'a' * 32}/artifacts",)]

    switched, _ = wait(switch_registry(request, Side.TARGET))
    assert (switched.to, switched.already, len(switched.tables)) == ("target", False, len(stores.tables()))
    stores.on_target(NEW_RUN.format("b" * 32, TARGET_ROOT))
    record, _ = wait(api.sync_following(request))
    assert (record.direction, record.inserts) == ("reverse", 1)
    written = stores.on_source(f"SELECT artifact_uri FROM runs WHERE run_uuid = '{'b' * 32}'")
    assert written == [(f"{SOURCE_ROOT}/10/{'b' * 32}/artifacts",)]
    stores.assert_equal()

    back, _ = wait(switch_registry(request, Side.SOURCE))
    assert back.epoch > switched.epoch
    stores.on_source(NEW_RUN.format("c" * 32, SOURCE_ROOT))
    record, _ = wait(api.sync_following(request))
    assert (record.direction, record.inserts) == ("forward", 1)
    stores.assert_equal()


def log_run(stores: TwoStores, number: int) -> None:
    """Log a run as MLflow does: made, filled, ended, in transactions of their own."""
    run = f"{number:032x}"
    stores.on_source(NEW_RUN.format(run, SOURCE_ROOT))
    stores.on_source(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
        f" SELECT 'm', i, i, '{run}', i, false FROM generate_series(1, 20) i"
    )
    stores.on_source(f"UPDATE runs SET status = 'FINISHED', end_time = {number} WHERE run_uuid = '{run}'")


def there(stores: TwoStores, numbers: list[int]) -> bool:
    """Tell whether the target has the last of the runs, ended."""
    run = f"{numbers[-1]:032x}"
    return stores.on_target(f"SELECT status FROM runs WHERE run_uuid = '{run}'") == [("FINISHED",)]


def log_more(running: Follower, stores: TwoStores, done: list[int]) -> None:
    """Wait until runs that are logged from now on have arrived."""
    running.wait_until(lambda: "following:" in running.said)
    before = len(done)
    running.wait_until(lambda: len(done) > before + 5 and there(stores, done[: before + 3]))


@pytest.mark.long
def test_a_follower_that_is_killed_goes_on_while_teams_keep_logging(stores: TwoStores) -> None:
    with logging_runs(lambda number: log_run(stores, number)) as done:
        with follower(stores) as first:
            # In the middle of the copy with which it begins.
            first.wait_until(lambda: len(noted(stores)) > 20)
            first.kill()
        for _ in range(2):
            with follower(stores) as running:
                log_more(running, stores, done)
                running.kill()
    with follower(stores) as last:
        last.wait_until(lambda: "following:" in last.said and there(stores, done))
        assert last.stop() == 3, last.said
    stores.assert_equal()
    assert done


@pytest.mark.long
def test_a_follower_turns_around_at_the_switch_and_again_at_the_rollback(stores: TwoStores) -> None:
    request = following(stores)
    with follower(stores) as running:
        log_run(stores, 1)
        running.wait_until(lambda: there(stores, [1]))
        switched, _ = wait(switch_registry(request, Side.TARGET))
        assert switched.applied_position
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            log_run(stores, 2)
        stores.on_target(NEW_RUN.format("b" * 32, TARGET_ROOT))
        running.wait_until(
            lambda: bool(stores.on_source(f"SELECT 1 FROM runs WHERE run_uuid = '{'b' * 32}'"))
        )
        running.kill()
        stores.on_target(NEW_RUN.format("d" * 32, TARGET_ROOT))
    wait(switch_registry(request, Side.SOURCE))
    with follower(stores) as running:
        log_run(stores, 3)
        running.wait_until(lambda: there(stores, [3]))
    stores.assert_equal()
    rows = stores.on_source(
        "SELECT run_uuid FROM runs WHERE length(artifact_uri) > 0 AND run_uuid ~ '^(b|d)+$'"
    )
    assert len(rows) == 2


def test_nobody_else_writes_to_a_target_that_is_followed(stores: TwoStores) -> None:
    following(stores)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        stores.on_target("UPDATE runs SET name = 'theirs'")
    stores.assert_equal()


@pytest.mark.long
def test_what_is_deleted_must_be_deleted_on_the_other_side_too(stores: TwoStores) -> None:
    with pytest.raises(SpecError, match="HL-9510"):
        wait(api.begin_following(stores.request()))
    assert noted(stores) == {}
    folded = uri_map([(pair[0], TARGET_ROOT) for pair in MAP.pairs])
    with pytest.raises(SpecError, match="HL-9512"):
        wait(api.begin_following(stores.request(uris=folded, deletes="propagate")))


@pytest.mark.long
def test_a_copy_that_is_there_is_brought_up_to_date_and_followed(stores: TwoStores) -> None:
    stores.copy()
    stores.on_source(A_DAY)
    request = stores.request(deletes="propagate")
    begun = wait(api.begin_following(request))
    assert begun is not None
    assert {each.action for each in begun[0].tables} == {"changed", "unchanged"}
    stores.on_source(NEW_RUN.format("a" * 32, SOURCE_ROOT))
    wait(api.sync_following(request))
    stores.assert_equal()


@pytest.mark.long
def test_a_lost_stream_is_begun_anew_and_nothing_else_helps(stores: TwoStores) -> None:
    request = following(stores)
    stores.on_source("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                     " WHERE database = current_database()")  # fmt: skip
    stores.on_source(NEW_RUN.format("a" * 32, SOURCE_ROOT))
    with pytest.raises(PermanentError, match="HL-6116"):
        wait(api.sync_following(request))
    with pytest.raises(PermanentError, match="HL-6115"):
        wait(api.begin_following(request))
    assert wait(is_followed(request))
    begun = wait(api.begin_following(request, anew=True))
    assert begun is not None
    stores.on_source(NEW_RUN.format("b" * 32, SOURCE_ROOT))
    wait(api.sync_following(request))
    stores.assert_equal()


@pytest.mark.long
def test_a_switch_to_sides_that_differ_opens_the_source_again(stores: TwoStores) -> None:
    request = following(stores)
    # Past the fence, as somebody may who owns the tables.
    stores.on_target("SET session_replication_role = replica; UPDATE runs SET name = 'theirs'")
    with pytest.raises(IntegrityError, match="HL-9522"):
        wait(switch_registry(request, Side.TARGET))
    log_run(stores, 1)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        stores.on_target("UPDATE runs SET name = 'theirs'")


def test_a_switch_that_was_killed_goes_on_or_back(stores: TwoStores) -> None:
    request = following(stores)
    stream = stream_of(request)
    for side in Side:
        wait(tables.freeze_writes(stream, side=side, epoch=7, within_seconds=20))
    back, _ = wait(switch_registry(request, Side.SOURCE))
    assert (back.epoch, back.already) == (7, False)
    log_run(stores, 1)
    assert wait(switch_registry(request, Side.SOURCE))[0].already
    on, _ = wait(switch_registry(request, Side.TARGET))
    assert on.epoch == 8
    for side in Side:
        wait(tables.freeze_writes(stream, side=side, epoch=9, within_seconds=20))
    again, _ = wait(switch_registry(request, Side.TARGET))
    assert (again.epoch, again.tables) == (9, ())
    stores.on_target(NEW_RUN.format("b" * 32, TARGET_ROOT))
    assert wait(api.sync_following(request))[0].direction == "reverse"
    stores.assert_equal()
    ended = wait(api.end_following(request))
    assert [each.status.state for each, _ in ended] == ["ended", "ended"]
    assert wait(api.end_following(request))
    assert stores.on_source("SELECT 1 FROM pg_replication_slots WHERE database = current_database()") == []
