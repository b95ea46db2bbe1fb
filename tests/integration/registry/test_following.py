"""A registry that is followed: the target's database has each change soon, after a switch the source has."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from heavylift.fencing import Side
from heavylift.mirror import api
from heavylift.mirror.switch import switch_registry
from heavylift.registry.requests import RegistryRequest
from tests.integration.registry.test_sync import A_DAY
from tests.support.stores import SOURCE_ROOT, TARGET_ROOT, TwoStores

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
    assert wait(api.is_followed(request))
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
