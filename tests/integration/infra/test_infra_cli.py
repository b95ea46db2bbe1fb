"""From a plan's document to a destroyed target, as somebody does it in a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.infra.conftest import CANARY, SECRET, SHARED, Placing, named
from tests.support.infra_samples import everything, wanted
from tests.unit.objects.test_objects_cli import heavylift

COMPONENTS = [
    {"id": "arn:aws:s3:::training-data", "kind": "dataset", "service": "s3", "size_bytes": 1000},
    {"id": "arn:aws:secretsmanager:eu-central-1:1:secret:key", "kind": "secret", "service": "secrets"},
    {"id": "arn:aws:sagemaker:eu-central-1:1:model/m", "kind": "model", "service": "model registry"},
]


def test_the_whole_way_in_a_shell(
    at: Placing, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at(wanted("aws", "gcp", named(everything(), "object storage", "secrets")))
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps(google()))
    given, plan, folder = tmp_path / "input.json", tmp_path / "plan.json", str(tmp_path / "infra")
    given.write_text(json.dumps(planned_from()))
    store = ("--evidence", (tmp_path / "evidence").as_uri())

    def ask(*arguments: str, status: int = 0) -> dict[str, Any]:
        got, document, said = heavylift(capsys, *arguments, "--json")
        assert got == status, said
        assert not CANARY.in_text(json.dumps(document) + said)
        return document

    ask("plan", str(given), "--out", str(plan))
    digest = json.loads(plan.read_text())["digest"]
    refused = ask("infra", "generate", str(plan), "--out", folder, "--expect", "0" * 64, status=1)
    assert refused["error"]["code"] == "HL-7919"
    made = ask("infra", "generate", str(plan), "--out", folder, "--expect", digest)
    assert [each["capability"] for each in made["untranslated"]] == ["model registry"]
    Path(folder, "values.json").write_text(json.dumps(SHARED))
    for root in ("foundation", "wave-1"):
        found = ask("infra", "plan", folder, "--conn", "target")["plan"]
        assert (found["root"], found["empty"]) == (root, False)
        done = ask("infra", "apply", folder, "--approve", found["digest"], "--conn", "target", *store)
        assert done["applied"]["proved"]
    assert ask("infra", "plan", folder, "--conn", "target")["plan"]["empty"]
    (at.home / "rig" / "cloud").joinpath(lost := next(iter(bucket_files(at)))).unlink()
    drifted = ask("infra", "drift", folder, "--conn", "target", "--root", "wave-1", status=1)["roots"][0]
    assert [each["type"] for each in drifted["drifted"]] == [lost.partition(".")[0]]
    for _ in range(2):
        found = ask("infra", "destroy", folder, "--conn", "target")["plan"]
        ask("infra", "destroy", folder, "--approve", found["digest"], "--conn", "target", *store)
    assert not [path for path in (at.home / "rig" / "cloud").iterdir()]
    ask("audit", "verify", "demo", *store)
    trail = "".join(path.read_text() for path in (tmp_path / "evidence").rglob("*.json"))
    assert trail.count("infra.apply.done") == trail.count("infra.destroy.done") == 2
    assert not CANARY.in_files([tmp_path])


def bucket_files(at: Placing) -> list[str]:
    return [path.name for path in (at.home / "rig" / "cloud").glob("google_storage_bucket.*.json")]


def google() -> dict[str, Any]:
    return {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": {"private_key": SECRET}}}


def planned_from() -> dict[str, Any]:
    return {
        "migration": "demo",
        "source": "aws",
        "targets": [{"platform": "gcp", "region": "europe-west4"}],
        "constraints": {"start": "2026-11-29", "lines": [{"name": "l", "bits_per_second": 1e9}]},
        "components": COMPONENTS,
    }
