"""Training jobs and autoscaling as Airflow translates and compares them: kept, refused, killed, run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.autoscaling import keeping as scaling_keeping
from heavylift.errors import IncompleteError, NotFoundError, SpecError
from heavylift.evidence.scaling_records import ScalingRecord
from heavylift.evidence.training_records import TrainingRecord
from heavylift.training import keeping as training_keeping
from heavylift_airflow.operators.training import CompareScalingOperator, TranslateTrainingOperator
from tests.plugins.world import World, context_of
from tests.support.layers import TESTS

DEFINITIONS = TESTS / "unit" / "training" / "definitions"
SETTINGS = TESTS / "unit" / "autoscaling" / "settings"


@pytest.fixture
def map_path(world: World) -> str:
    path = world.root / "map.yaml"
    path.write_text(
        (DEFINITIONS / "map.yaml")
        .read_text()
        .replace("uris:\n", "uris:\n  s3://corp-code/train/source.tar.gz: image\n")
    )
    return str(path)


def translate(world: World, map_path: str | None, **more: Any) -> dict[str, Any]:
    task = TranslateTrainingOperator(
        task_id="task", spec_path=world.spec_path, phase="provision", form="vertex",
        definition=str(DEFINITIONS / "sagemaker.json"), map_path=map_path, **more,
    )  # fmt: skip
    return task.execute(context_of(task))


def compare(world: World, later: float = 600.0, **more: Any) -> dict[str, Any]:
    load = world.root / "load.json"
    load.write_text(json.dumps([600.0] * 30 + [later] * 60))
    given = {"system": "vertex", "capacity": 900.0, **more}
    task = CompareScalingOperator(
        task_id="task", spec_path=world.spec_path, phase="provision", load_path=str(load),
        definition=str(SETTINGS / "aws.json"), **given,
    )  # fmt: skip
    return task.execute(context_of(task))


def kept(world: World, name: str) -> list[Path]:
    return sorted(world.evidence.rglob(name))


def test_a_job_is_translated_again_to_the_same_definition_which_is_kept_once(
    world: World, map_path: str
) -> None:
    first, second = translate(world, map_path, rehearse=True), translate(world, map_path)
    assert first == second
    assert (first["passed"], first["world"], first["blocks"]) == (True, 16, 0)
    assert len(kept(world, "llm-finetune-7b-*.vertex.json")) == 1
    records = [
        TrainingRecord.model_validate_json(path.read_text()) for path in kept(world, "llm-finetune-7b-?.json")
    ]
    assert [(record.rehearsed, record.checked) for record in records] == [(True, ""), (None, "")]
    assert records[0].source.global_batch == records[0].target.global_batch == 512
    assert records[0].definition == records[1].definition
    assert [entry.action for entry in world.trail()] == ["training.translated"] * 2
    assert "not-a-real-key" not in "".join(path.read_text() for path in kept(world, "*") if path.is_file())


def test_what_blocks_is_kept_and_fails(world: World) -> None:
    with pytest.raises(IncompleteError, match=r"data: s3://corp-data/train/ has no address.*HL-9209"):
        translate(world, None)
    [path] = kept(world, "llm-finetune-7b-1.json")
    record = TrainingRecord.model_validate_json(path.read_text())
    assert (record.passed, record.definition) == (False, None)
    assert kept(world, "*.vertex.json") == []


def test_autoscaling_is_compared_again_to_the_same_figures(world: World) -> None:
    first, second = compare(world), compare(world)
    assert first == second
    assert (first["verdict"], first["passed"]) == ("equivalent", True)
    records = [
        ScalingRecord.model_validate_json(p.read_text()) for p in kept(world, "churn-invocations-?.json")
    ]
    assert len(records) == 2
    assert records[0].load_digest == records[1].load_digest
    assert len(kept(world, "churn-invocations-*.vertex.txt")) == 1
    assert [entry.action for entry in world.trail()] == ["scaling.compared"] * 2


def test_a_target_that_is_less_safe_fails_and_says_what_would_be(world: World) -> None:
    # 10 per cent above the target, which Kubernetes lets be.
    with pytest.raises(IncompleteError, match=r"minutes above the target.*set the target to: .*HL-9212"):
        compare(world, 650.0, system="hpa")
    [path] = kept(world, "churn-invocations-1.json")
    assert ScalingRecord.model_validate_json(path.read_text()).settings is None


def test_a_task_that_died_before_its_record_runs_again(
    world: World, map_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training_keeping, "write_next", dies)
        patched.setattr(scaling_keeping, "write_next", dies)
        with pytest.raises(KeyboardInterrupt):
            translate(world, map_path)
        with pytest.raises(KeyboardInterrupt):
            compare(world)
    assert not world.trail()
    assert translate(world, map_path)["passed"]
    assert compare(world)["passed"]
    assert len(kept(world, "llm-finetune-7b-?.json")) == len(kept(world, "churn-invocations-?.json")) == 1


def test_words_that_mean_nothing_are_refused(world: World, map_path: str) -> None:
    with pytest.raises(SpecError, match="HL-9220"):
        translate(world, map_path, cluster="gke")
    with pytest.raises(SpecError, match="HL-9213"):
        compare(world, system="nomad")
    assert not world.trail()


def test_a_missing_file_fails_at_once(world: World) -> None:
    with pytest.raises(NotFoundError, match="HL-9202"):
        translate(world, str(world.root / "none.yaml"))
    assert not world.trail()
