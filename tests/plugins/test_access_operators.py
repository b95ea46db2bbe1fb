"""Permissions as Airflow translates and verifies them: kept, refused, killed and run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.access import keeping
from heavylift.errors import IncompleteError, NotFoundError, SpecError
from heavylift_airflow.operators.access import TranslateAccessOperator, VerifyAccessOperator
from tests.plugins.world import World, context_of

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::train/*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::train/prod/*"},
    ],
}
PLATFORMS = {
    "source": {"platform": "aws", "connection": "account"},
    "target": {"platform": "gcp", "connection": "there", "region": "europe-west4"},
}


@pytest.fixture
def files(world: World) -> dict[str, str]:
    moved = [{"name": "data", "source": "s3://train/", "target": "gs://train/"}]
    world.save(**PLATFORMS, datasets=moved, gates=[])
    given = {
        "policy": POLICY,
        "names": {"source": {"account": "111122223333"}, "target": {"account": "p"}},
    }
    for name, content in given.items():
        (world.root / f"{name}.json").write_text(json.dumps(content))
    return {name: str(world.root / f"{name}.json") for name in given}


def translate(world: World, files: dict[str, str], **more: Any) -> dict[str, Any]:
    task = TranslateAccessOperator(
        task_id="task", spec_path=world.spec_path, phase="provision", names_path=files["names"],
        documents=[files["policy"]], inventory=False, **more,
    )  # fmt: skip
    return task.execute(context_of(task))


def verify(world: World, *documents: str) -> dict[str, Any]:
    task = VerifyAccessOperator(
        task_id="task", spec_path=world.spec_path, phase="provision", documents=list(documents)
    )
    return task.execute(context_of(task))


def kept(world: World, name: str) -> list[Path]:
    return sorted(world.evidence.rglob(name))


def test_translated_kept_and_verified(world: World, files: dict[str, str]) -> None:
    figures = translate(world, files)
    assert figures["passed"]
    assert (figures["excess"], figures["bindings"]) == (0, 1)
    [path] = kept(world, "translation-1.json")
    record = json.loads(path.read_text())
    [binding] = record["bindings"]
    assert binding["permissions"] == ["storage.objects.create", "storage.objects.get"]
    assert binding["condition"] == '!(resource.name.startsWith("projects/_/buckets/train/objects/prod/"))'
    assert len(kept(world, "matrix-1-*.parquet")) == len(kept(world, "access-1-*.html")) == 1
    there = world.root / "there.json"
    real = {key: record["documents"][key] for key in ("roles", "policies")}
    there.write_text(json.dumps(real))
    assert verify(world, str(there))["passed"]
    real["roles"][0]["includedPermissions"].append("storage.objects.delete")
    there.write_text(json.dumps(real))
    with pytest.raises(IncompleteError, match=r"extra storage\.objects\.delete.*HL-8110"):
        verify(world, str(there))
    actions = [entry.action for entry in world.trail()]
    assert actions == ["access.translated", "access.verified", "access.verified"]


def test_what_would_grow_is_kept_and_refused(world: World, files: dict[str, str]) -> None:
    grows = {"Statement": {"Effect": "Allow", "Action": "sagemaker:CreateTrainingJob", "Resource": "*"}}
    Path(files["policy"]).write_text(json.dumps(grows))
    Path(files["names"]).write_text(
        json.dumps({"source": {"account": "111122223333"}, "target": {"account": "ml"}})
    )
    world.save(
        target={"platform": "kubernetes", "connection": "there"},
        datasets=[{"name": "data", "source": "s3://train/", "target": "s3://train/"}],
    )
    with pytest.raises(IncompleteError, match="HL-8108"):
        translate(world, files)
    assert not json.loads(kept(world, "translation-1.json")[0].read_text())["passed"]


def test_a_task_that_died_before_its_record_runs_again_to_the_same_digest(
    world: World, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "write_next", dies)
        with pytest.raises(KeyboardInterrupt):
            translate(world, files)
    assert kept(world, "translation-*.json") == []
    with pytest.raises(NotFoundError, match="HL-8109"):
        verify(world, files["policy"])
    first, second = translate(world, files), translate(world, files)
    assert first["digest"] == second["digest"]
    assert len(kept(world, "translation-*.json")) == 2


def test_a_document_that_is_no_policy_is_named(world: World, files: dict[str, str]) -> None:
    Path(files["policy"]).write_text('{"Statement": [{"Effect": "Allow", "Effect": "Deny"}]}')
    with pytest.raises(SpecError, match=r"policy\.json.*stands twice.*HL-8102"):
        translate(world, files)


def test_verifying_again_tells_the_same(world: World, files: dict[str, str]) -> None:
    translate(world, files)
    [path] = kept(world, "translation-1.json")
    record = json.loads(path.read_text())
    there = world.root / "there.json"
    there.write_text(json.dumps({key: record["documents"][key] for key in ("roles", "policies")}))
    assert verify(world, str(there)) == verify(world, str(there))
    assert len(kept(world, "translation-*.json")) == 1
