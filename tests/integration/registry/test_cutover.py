"""A registry that the phase cutover switches with the workload: rehearsed, switched, and brought back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from heavylift.connections import Connection
from heavylift.cutover import patience
from heavylift.cutover.api import SwitchFailedError, SwitchRequest, bring_to, rehearse_switch
from heavylift.cutover.finalise import FinalTerms, finalise
from heavylift.cutover.readiness import look_at_world
from heavylift.cutover.without_target import bring_back_without_target, count_losses
from heavylift.errors import PermanentError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.fencing import Side
from heavylift.mirror import api as mirror
from heavylift.registry.requests import registry_request
from heavylift.spec.load import load_spec
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.vocabulary import Phase
from heavylift.switching.parts import open_parts
from tests.integration.registry.test_following import NEW_RUN
from tests.integration.registry.test_sync import A_DAY
from tests.support.stores import SOURCE_ROOT, TARGET_ROOT, TwoStores
from tests.support.two_databases import run_sql

T = TypeVar("T")
HISTORY = "registry history"
ROOTS = [(SOURCE_ROOT, TARGET_ROOT), (f"{SOURCE_ROOT}-elsewhere", f"{TARGET_ROOT}/elsewhere")]


class Workload:
    """A workload whose only part with writes is a tracking server's history."""

    def __init__(self, stores: TwoStores, folder: Path) -> None:
        self.stores = stores
        spec = {
            "apiVersion": "heavylift/v1",
            "migration": "history-moves",
            "owner": "tests",
            "source": {"platform": "aws", "connection": "evidence"},
            "target": {"platform": "gcp", "connection": "evidence"},
            "evidence": {"url": stores.evidence_url},
            "registries": [
                {
                    "name": "history",
                    **{
                        side: {"connection": f"server_{side}", "store_connection": f"store_{side}"}
                        for side in ("source", "target")
                    },
                    "more_artifacts": [
                        {"source": source, "target": target, "move": False} for source, target in ROOTS
                    ],
                    "deletes": "propagate",
                }
            ],
            "cutover": {
                "runbook_owner": "the tests",
                "registries": ["history"],
                "max_write_pause": 60,
                "freeze_within": 20,
                "max_lag": 60,
                "rehearsed_within": None,
            },
        }
        file = folder / "spec.yaml"
        file.write_text(json.dumps(spec))
        self.spec = load_spec(file)

    def connection(self, conn_id: str) -> Connection:
        """Look a connection up."""
        kind, _, side = conn_id.partition("_")
        if kind == "evidence":
            return Connection(conn_id, "generic")
        if kind == "server":
            return Connection(conn_id, "mlflow", host="http://127.0.0.1:9")
        return replace(getattr(self.stores, side), conn_id=conn_id)

    def follow(self) -> None:
        """Begin to follow, as the DAG of registries does."""
        run = RunKey(migration=self.spec.migration, phase="registry", run="first")
        request = registry_request(self.spec, "history", run, self.connection)
        assert asyncio.run(mirror.begin_following(request)) is not None

    def sync(self) -> str:
        """Apply what the live side has; return the direction."""
        run = RunKey(migration=self.spec.migration, phase="registry", run="later")
        request = registry_request(self.spec, "history", run, self.connection)
        return asyncio.run(mirror.sync_following(request))[0].direction

    def act(self, doing: Callable[[SwitchRequest], Awaitable[T]], run: str = "one") -> T:
        """Do something with all that is switched, as the tasks of the phase see it."""

        async def acting() -> T:
            key = RunKey(migration=self.spec.migration, phase="cutover", run=run)
            seen = spec_for(self.spec, Phase.CUTOVER)
            async with (
                open_evidence(seen.evidence.url) as store,
                open_parts(seen, key, self.connection) as parts,
            ):
                return await doing(SwitchRequest(store, key, parts, "cli:test", 60, freeze_within=20))

        return asyncio.run(acting())

    def bring(self, side: Side, run: str = "one") -> Any:
        """Switch to a side; return the record."""
        return self.act(lambda request: bring_to(request, side), run)[0]

    def ready(self) -> dict[str, bool]:
        """Return what a look at the world says, by item."""
        items = self.act(lambda request: look_at_world(request.parts, owner="us", max_lag=60.0))
        return {f"{each.item} {each.subject}".strip(): each.passed for each in items}


def refused(side: Connection, statement: str) -> bool:
    """Tell whether a side refuses an application's write."""
    try:
        run_sql(side, statement)
    except psycopg.errors.ReadOnlySqlTransaction:
        return True
    return False


@pytest.fixture
def workload(stores: TwoStores, tmp_path: Path) -> Workload:
    return Workload(stores, tmp_path)


def test_a_cutover_switches_the_registry_and_a_rollback_brings_it_back(workload: Workload) -> None:
    stores = workload.stores
    assert workload.ready()[f"lag {HISTORY}"] is False
    workload.follow()
    assert workload.ready() == {"owner": True, f"writes {HISTORY}": True, f"lag {HISTORY}": True}
    stores.on_source(A_DAY)
    rehearsal, _ = workload.act(lambda request: rehearse_switch(request))
    assert rehearsal.passed, rehearsal
    stores.on_source(NEW_RUN.format("a" * 32, SOURCE_ROOT))

    switched = workload.bring(Side.TARGET)
    assert switched.outcome == "switched"
    (proof,) = switched.proofs
    assert (proof.equal, proof.rows > 1000) == (True, True)
    assert workload.bring(Side.TARGET).outcome == "already"
    stores.assert_equal()
    assert refused(stores.source, "DELETE FROM runs")
    stores.on_target(NEW_RUN.format("b" * 32, TARGET_ROOT))
    assert workload.sync() == "reverse"
    stores.on_target(NEW_RUN.format("c" * 32, TARGET_ROOT))

    assert workload.bring(Side.SOURCE, "back").outcome == "switched"
    assert refused(stores.target, "DELETE FROM runs")
    places = stores.on_source("SELECT artifact_uri FROM runs WHERE run_uuid = %s", "c" * 32)
    assert places == [(f"{SOURCE_ROOT}/10/{'c' * 32}/artifacts",)]
    stores.on_source(NEW_RUN.format("d" * 32, SOURCE_ROOT))
    assert workload.sync() == "forward"
    stores.assert_equal()


def test_a_target_that_is_not_the_source_is_not_opened_and_writes_go_on(workload: Workload) -> None:
    stores = workload.stores
    workload.follow()
    stores.on_target(
        "SET session_replication_role = replica;"
        " UPDATE params SET value = value || '!' WHERE run_uuid = md5('run0')"
    )
    with pytest.raises(SwitchFailedError) as failed:
        workload.bring(Side.TARGET)
    assert "params" in str(failed.value)
    assert refused(stores.target, "DELETE FROM params")
    stores.on_source(NEW_RUN.format("a" * 32, SOURCE_ROOT))


@pytest.mark.long
def test_a_target_that_is_gone_is_told_and_left_behind(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 1.0)
    stores = workload.stores
    workload.follow()
    workload.bring(Side.TARGET)
    stores.on_target(NEW_RUN.format("b" * 32, TARGET_ROOT))
    workload.sync()
    there, away = stores.target, replace(stores.target, port=9)
    object.__setattr__(stores, "target", away)
    losses, _ = workload.act(count_losses)
    assert losses.gone == (HISTORY,)
    assert losses.losses[0].position
    back, _, _ = workload.act(lambda request: bring_back_without_target(request, losses.digest), "gone")
    assert back.outcome == "switched"
    assert len(stores.on_source("SELECT 1 FROM runs WHERE run_uuid = %s", "b" * 32)) == 1
    stores.on_source(NEW_RUN.format("c" * 32, SOURCE_ROOT))
    object.__setattr__(stores, "target", there)


@pytest.mark.long
def test_finalising_ends_both_streams(workload: Workload) -> None:
    workload.follow()
    workload.bring(Side.TARGET)
    workload.act(lambda request: finalise(request, FinalTerms(timedelta(days=7), early=True)), "end")
    slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    assert (workload.stores.on_source(slots), workload.stores.on_target(slots)) == ([(0,)], [(0,)])
    with pytest.raises(PermanentError, match="HL-6115"):
        workload.sync()
