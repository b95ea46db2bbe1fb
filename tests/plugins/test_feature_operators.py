"""Feature stores as Airflow moves them, between two in memory over real files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError, IncompleteError, IntegrityError
from heavylift.registry.features import moving
from heavylift_airflow.operators.closing import SummariseRunOperator
from heavylift_airflow.operators.features import (
    CopyFeatureStoreOperator,
    PreflightFeatureStoreOperator,
    VerifyFeatureStoreOperator,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator
from tests.plugins.world import World, context_of
from tests.support.memory_features import Pair


@pytest.fixture
def pair(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    pair = Pair(tmp_path / "features", int(time.time()))
    monkeypatch.setattr(moving, "open_feature_store", pair.open)
    source, target = pair.moves.pairs[0]
    store = {
        "name": "features",
        "source": {"connection": "a"},
        "target": {"connection": "b"},
        "history": [{"source": source, "target": target}],
        "sample": 40,
    }
    world.save(feature_stores=[store], gates=[])
    for name in ("A", "B"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "memory"}))
    return pair


def execute(kind: type, world: World, context: dict[str, Any] | None = None, **named: Any) -> Any:
    named |= {"store": "features"} if "Feature" in kind.__name__ else {}
    task = kind(task_id="act", spec_path=world.spec_path, phase="registry", **named)
    return task.execute(context_of(task, **context or {}))


def test_a_run_from_the_preflight_to_the_last_word(world: World, pair: Pair) -> None:
    assert execute(PreflightFeatureStoreOperator, world)["passed"] is True
    with pytest.raises(IncompleteError, match="features: there is neither a copy nor a sync"):
        execute(SummariseRunOperator, world)
    assert execute(CopyFeatureStoreOperator, world)["inserted"] >= 2
    assert execute(VerifyFeatureStoreOperator, world) == {"passed": True, "differences": 0, "views": 1}
    assert execute(EvaluateGateOperator, world, gate="registry-verified")["passed"] is True
    assert execute(SummariseRunOperator, world)["feature_stores"] == 1
    assert world.actions() == [
        "features.checked", "run.finished", "features.copied", "features.verified", "gate.evaluated",
        "run.finished",
    ]  # fmt: skip


def test_a_worker_that_was_lost_is_gone_on_with(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LostError(BaseException):
        """Nothing catches it."""

    def lost(*_: Any) -> int:
        raise LostError

    with monkeypatch.context() as patched:
        patched.setattr(pair.target, "serve", lost)
        with pytest.raises(LostError):
            execute(CopyFeatureStoreOperator, world)
    with pytest.raises(IntegrityError, match="HL-7721"):
        execute(VerifyFeatureStoreOperator, world)
    execute(CopyFeatureStoreOperator, world, {"attempt": 2})
    assert execute(VerifyFeatureStoreOperator, world)["passed"] is True
    assert execute(CopyFeatureStoreOperator, world, {"attempt": 3})["written"] == 0


def test_what_stands_in_the_way_fails_and_a_dry_run_only_looks(world: World, pair: Pair) -> None:
    dry = {"dry_run": True}
    execute(PreflightFeatureStoreOperator, world, dry)
    for kind in (CopyFeatureStoreOperator, VerifyFeatureStoreOperator):
        with pytest.raises(AirflowSkipException):
            execute(kind, world, dry)
    assert pair.target.written == 0
    pair.source.others.append(("feature service", "it is code", 1))
    with pytest.raises(ConflictError, match="losses-not-accepted"):
        execute(PreflightFeatureStoreOperator, world)


def test_a_view_that_is_refused_fails_the_task(world: World, pair: Pair) -> None:
    folder = pair.folder / "b/drivers"
    folder.mkdir(parents=True)
    (folder / "x.parquet").write_bytes(b"somebody else's")
    with pytest.raises(IncompleteError, match=r"1 views.*another Parquet file or table there.*HL-7720"):
        execute(CopyFeatureStoreOperator, world)
    assert pair.target.written == 0


def test_looking_and_verifying_again_tell_the_same_and_write_nothing(world: World, pair: Pair) -> None:
    assert execute(PreflightFeatureStoreOperator, world) == execute(PreflightFeatureStoreOperator, world)
    execute(CopyFeatureStoreOperator, world)
    written = pair.target.written
    assert execute(VerifyFeatureStoreOperator, world) == execute(VerifyFeatureStoreOperator, world)
    assert execute(PreflightFeatureStoreOperator, world)["passed"] is True
    assert pair.target.written == written
